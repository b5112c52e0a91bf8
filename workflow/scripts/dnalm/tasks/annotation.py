"""Tasks from an annotation: splice donors, acceptors and promoters against decoys of the same regions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dnalm import folds
from dnalm.errors import UserError
from dnalm.genome import Genome, reverse_complement_text
from dnalm.genome.regions import read_regions
from dnalm.tasks import context
from dnalm.tasks.candidates import balance, promoter_candidates, splice_candidates
from dnalm.tasks.form import NO_SPLIT
from dnalm.tasks.sites import Shape

# The form of `form`. contig, start, end: on the forward strand. sequence: as read on `strand`. split: empty.
# label: 1 true, 0 decoy. group: windows that overlap, touch or nearly agree; a group lies in one fold.
TASK_COLUMNS = ("name", "contig", "start", "end", "strand", "sequence", "split", "label", "group", "fold")
BASES_AFTER_TSS = 50


def make_annotation_task(
    kind: str,
    genome: Genome,
    annotation: pd.DataFrame,
    regions: Sequence[str] = (),
    length_bp: int = 600,
    fold_count: int = 10,
    max_examples: int = 4000,
    seed: int = 0,
    context_bp: int | None = None,
) -> pd.DataFrame:
    """Returns a balanced task as TASK_COLUMNS, in the genome's order.

    A window of a splice site has its first letter (G of GT, A of AG) at index length_bp // 2; a promoter
    window holds 50 bases after the first transcribed base and, at 300 bp, 249 before it. Windows lie
    wholly in a region and hold no N; those on the minus strand are reverse-complemented.

    Args:
        kind: splice_donor, splice_acceptor or promoter.
        regions: contig:start-end, or contigs; none: the whole genome.
        context_bp: bases that are kept in the middle of each window, of the same windows and folds.

    Raises:
        UserError: a class with fewer examples than folds, or too few groups of related windows.

    Source: promoter windows: -249 to +50, Oubounyt et al. 2019 (DeePromoter).
    """
    context.check_context(context_bp)
    if length_bp < 6 or length_bp % 6:
        raise UserError("--length-bp", f"found {length_bp}, expected a multiple of 6", "Change it.")
    if fold_count < 2:
        raise UserError("--folds", f"found {fold_count}, expected at least 2", "Raise it.")
    if max_examples < 2 * fold_count:
        least = f"{2 * fold_count} (two classes in {fold_count} folds)"
        raise UserError("--max-examples", f"found {max_examples}, expected at least {least}", "Raise it.")
    spans, wanted = read_regions(regions, genome.lengths), max_examples // 2
    if kind == "promoter":
        shape = Shape(length_bp - 1 - BASES_AFTER_TSS, length_bp)
        found = promoter_candidates(genome, annotation, spans, shape, wanted, seed)
    else:
        shape = Shape(length_bp // 2, length_bp)
        found = splice_candidates(kind, genome, annotation, spans, shape, wanted, seed)
    counts = {"true": int((found["pool"] == "true").sum()), "decoy": int((found["pool"] != "true").sum())}
    if min(counts.values()) < fold_count:
        raise UserError(
            f"task {kind}",
            f"too few examples for {fold_count} folds (found {counts['true']} true sites and "
            f"{counts['decoy']} decoys, expected at least {fold_count} of each)",
            "Give more regions, or fewer folds.",
        )
    task = _windows(balance(found, wanted), genome, length_bp)
    return add_folds(task, fold_count, seed, f"task {kind}", context_bp)


def add_folds(
    task: pd.DataFrame, fold_count: int, seed: int, where: str, context_bp: int | None = None
) -> pd.DataFrame:
    """Adds `group` and `fold`, proves that no group is parted, and cuts the windows to their middles.

    Raises:
        UserError: too few groups, or a leak.
    """
    sequences = task["sequence"].tolist()
    group = context.join_alike(folds.group_windows(task, sequences), sequences, context_bp)
    labels = task["label"].to_numpy()
    fold = folds.grouped_folds(group, labels, fold_count, seed)
    folds.check_leaks(task, fold, sequences, where)
    folds.check_classes(labels, fold, where, minimum=fold_count)
    task = task.assign(split=NO_SPLIT, group=group, fold=fold)[list(TASK_COLUMNS)]
    return context.keep_centre(task, context_bp)


def _windows(examples: pd.DataFrame, genome: Genome, length_bp: int) -> pd.DataFrame:
    """Adds name, end and sequence; sorts by contig in the genome's order, start and strand."""
    place = {contig: number for number, contig in enumerate(genome.lengths)}
    order = np.lexsort((examples["strand"], examples["start"], examples["contig"].map(place)))
    task = examples.iloc[order].reset_index(drop=True)
    task["end"] = task["start"] + length_bp
    task["name"] = [f"{row.contig}:{row.start}-{row.end}({row.strand})" for row in task.itertuples()]
    texts = [genome.fetch(row.contig, row.start, row.end).upper() for row in task.itertuples()]
    reverse = (task["strand"] == "-").tolist()
    task["sequence"] = [
        reverse_complement_text(text) if minus else text for text, minus in zip(texts, reverse, strict=True)
    ]
    return task
