"""Windows of a genome: tiles, around transcription start sites, or regions of a BED file.

A window is kept when it lies within its contig, holds few enough N and fits the model's token limit;
the others are counted by reason. Positions are 0-based and half-open.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from dnalm.errors import UserError
from dnalm.files import atomic_path, open_binary
from dnalm.genome import Genome
from dnalm.genome.letters import TO_ACGTN
from dnalm.tokens import Spacing, Tokenizer, spacing

WINDOW_COLUMNS = ("contig", "start", "end", "name", "score", "strand", "n_fraction")
REASONS = ("over_contig_end", "n_fraction", "token_limit")
LONGEST_AUTO_BP = 6_000  # the window of the Nucleotide Transformer papers (v1: 5,994 bp in 1,000 tokens)
DEFAULT_TOKENIZER = "v2_6mer"

Windows = tuple[pd.DataFrame, dict[str, int]]  # the windows kept; reason -> number dropped


def longest_window(max_tokens: int | None, tokens: Spacing) -> int:
    """Returns `length_bp: auto`: the longest of whole tokens that fits without N, at most LONGEST_AUTO_BP."""
    fitting = LONGEST_AUTO_BP if max_tokens is None else tokens.longest_bp(max_tokens)
    step = int(tokens.bases_per_token)
    return min(fitting, LONGEST_AUTO_BP // step * step)


def parse_length(text: str, max_tokens: int | None, tokens: Spacing) -> int:
    """Returns a window length in bases from "auto" or a number.

    Raises:
        UserError: neither, or more than the model takes.
    """
    if text == "auto":
        return longest_window(max_tokens, tokens)
    if not text.isdecimal():
        raise UserError("--length-bp", f"found {text!r}, expected auto or a whole number", "Mend it.")
    check_length(int(text), max_tokens, tokens)
    return int(text)


def check_length(length_bp: int, max_tokens: int | None, tokens: Spacing) -> None:
    """Refuses a window length that is over the model's token limit even without N.

    Raises:
        UserError: naming the tokens needed and the limit.
    """
    if length_bp < 1:
        raise UserError("--length-bp", f"found {length_bp}, expected at least 1", "Set a positive length.")
    needed = tokens.tokens_of(length_bp)
    if tokens.exact and max_tokens is not None and needed > max_tokens:
        raise UserError(
            "window length",
            f"a window of {length_bp} bp needs {needed} tokens, the model takes at most {max_tokens}",
            f"Use at most {tokens.longest_bp(max_tokens)} bp.",
        )


def make_tiles(
    lengths: Mapping[str, int],
    genome: Genome,
    length_bp: int,
    overlap_bp: int = 0,
    max_n_fraction: float = 1.0,
    max_tokens: int | None = None,
    tokenizer: str = DEFAULT_TOKENIZER,
) -> Windows:
    """Tiles contigs with windows of one length; what is left at a contig's end counts as one dropped window.

    Args:
        lengths: contig -> length of the contigs to tile.
        overlap_bp: bases that neighbouring windows share.
        max_n_fraction: share of N above which a window is dropped.
        max_tokens: the model's limit, special tokens included; not looked at where the tokenizer's vocabulary
            is needed to count.
        tokenizer: the model's.
    """
    check_length(length_bp, max_tokens, spacing(tokenizer))
    if not 0 <= overlap_bp < length_bp:
        raise UserError(
            "--overlap-bp",
            f"found {overlap_bp}, expected 0 to {length_bp - 1} (below the window length)",
            "Lower it.",
        )
    step = length_bp - overlap_bp
    sizes = np.fromiter(lengths.values(), np.int64, len(lengths))
    counts = np.maximum(-(-(sizes - overlap_bp) // step), 1)  # to reach every base; a short contig has one
    places = np.arange(counts.sum()) - np.repeat(counts.cumsum() - counts, counts)
    contigs = np.repeat(np.array(list(lengths), dtype=object), counts)
    tiles = pd.DataFrame({"contig": contigs, "start": places * step, "end": places * step + length_bp})
    tiles["name"] = _locations(tiles)
    tiles["strand"] = "+"
    return _keep(tiles, genome, max_n_fraction, max_tokens, tokenizer)


def make_tss(
    sites: pd.DataFrame,
    genome: Genome,
    upstream_bp: int,
    downstream_bp: int,
    max_n_fraction: float = 1.0,
    max_tokens: int | None = None,
    tokenizer: str = DEFAULT_TOKENIZER,
) -> Windows:
    """Makes one window per transcription start site, on the gene's strand, named by the gene.

    On the gene's strand, the window's base number `upstream_bp` (from 0) is the first transcribed base.

    Args:
        sites: table of gene_id, contig, strand, tss (`annotation.transcription_start_sites`).
    """
    check_length(upstream_bp + downstream_bp, max_tokens, spacing(tokenizer))
    forward = (sites["strand"] != "-").to_numpy()
    tss = sites["tss"].to_numpy()
    start = np.where(forward, tss - upstream_bp, tss + 1 - downstream_bp)
    windows = sites[["contig", "strand"]].assign(start=start, end=start + upstream_bp + downstream_bp)
    windows["name"] = sites["gene_id"]
    return _keep(windows.reset_index(drop=True), genome, max_n_fraction, max_tokens, tokenizer)


def make_regions(
    regions: pd.DataFrame,
    genome: Genome,
    max_n_fraction: float = 1.0,
    max_tokens: int | None = None,
    tokenizer: str = DEFAULT_TOKENIZER,
) -> Windows:
    """Takes the rows of a BED table (`genome.read_bed`) as windows; strand `.` becomes `+`."""
    windows = regions.assign(strand=regions["strand"].replace(".", "+"))
    return _keep(windows.reset_index(drop=True), genome, max_n_fraction, max_tokens, tokenizer)


def _locations(table: pd.DataFrame) -> pd.Series:
    return table["contig"] + ":" + table["start"].astype(str) + "-" + table["end"].astype(str)


def _keep(
    candidates: pd.DataFrame, genome: Genome, max_n_fraction: float, max_tokens: int | None, tokenizer: str
) -> Windows:
    """Judges every candidate; reads one contig at a time and keeps the candidates' order."""
    _check_names(candidates)
    tokens = spacing(tokenizer)
    n_fraction = np.full(len(candidates), np.nan)
    reason = np.full(len(candidates), "", dtype=object)
    starts, ends = candidates["start"].to_numpy(), candidates["end"].to_numpy()
    for contig, rows in candidates.groupby("contig", sort=False).indices.items():
        bases = genome.read(str(contig), table=TO_ACGTN)
        for row in rows:
            start, end = int(starts[row]), int(ends[row])
            if start < 0 or end > len(bases):
                reason[row] = "over_contig_end"
                continue
            n_count = bases.count(b"N", start, end)
            n_fraction[row] = n_count / (end - start)
            if n_fraction[row] > max_n_fraction:
                reason[row] = "n_fraction"
            elif max_tokens is not None and isinstance(tokens, Tokenizer):
                fast = tokens.tokens_of(end - start)
                count = int(tokens.counts([bases[start:end]])[0]) if n_count else fast
                reason[row] = "token_limit" if count > max_tokens else ""
    kept = candidates.assign(score=0, n_fraction=n_fraction.round(4))[reason == ""]
    dropped = {name: int((reason == name).sum()) for name in REASONS}
    return kept[list(WINDOW_COLUMNS)].reset_index(drop=True), dropped


def _check_names(windows: pd.DataFrame) -> None:
    repeated = windows["name"][windows["name"].duplicated()]
    if len(repeated):
        raise UserError(
            "windows",
            f"{len(repeated)} window names occur more than once ({', '.join(repeated.unique()[:3])})",
            "Give every window its own name.",
        )


def write_windows(windows: pd.DataFrame, path: str | Path) -> None:
    """Writes windows as BED6 and n_fraction, without a header."""
    with atomic_path(path) as temporary:
        windows[list(WINDOW_COLUMNS)].to_csv(
            temporary, sep="\t", header=False, index=False, float_format="%.4f", lineterminator="\n"
        )


def read_windows(path: str | Path) -> pd.DataFrame:
    """Reads what `write_windows` wrote; an empty file gives no windows.

    Raises:
        UserError: missing, or a line that is no window.
    """
    path = Path(path)
    types = {"start": "int64", "end": "int64", "score": "int64", "n_fraction": "float64"}
    if path.is_file() and path.stat().st_size == 0:
        return pd.DataFrame(columns=list(WINDOW_COLUMNS)).astype(types)
    with open_binary(path, "windows BED") as handle:
        lines = [line.rstrip("\r\n").split("\t") for line in handle.read().decode("utf-8").splitlines()]
    for number, fields in enumerate(lines, start=1):
        if len(fields) != len(WINDOW_COLUMNS):
            raise UserError(
                f"{path}:{number}",
                f"found {len(fields)} columns, expected {len(WINDOW_COLUMNS)}",
                "Use make_windows.py.",
            )
    table = pd.DataFrame(lines, columns=list(WINDOW_COLUMNS))
    try:
        table = table.astype(types)
    except ValueError as fault:
        raise UserError(path, f"is no windows file ({fault})", "Use make_windows.py.") from fault
    if len(wrong := table[(table["start"] < 0) | (table["start"] >= table["end"])]):
        raise UserError(f"{path}:{wrong.index[0] + 1}", "start is not below end", "Use make_windows.py.")
    _check_names(table)
    return table
