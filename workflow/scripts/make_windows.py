"""Makes the windows of a genome that a model will see.

In: a masked genome, and for --kind tss an annotation table, for --kind regions a BED file.
Out: BED6 and the share of N (contig, start, end, name, score, strand, n_fraction), 0-based half-open, and a
manifest with the windows dropped by reason: over_contig_end, n_fraction, token_limit.
"""

import logging
import sys

from dnalm import annotation, cli, files, tokens, windows
from dnalm.errors import UserError
from dnalm.genome import Genome, read_bed

SETTINGS = (
    "kind",
    "length_bp",
    "overlap_bp",
    "upstream_bp",
    "downstream_bp",
    "max_n_fraction",
    "max_tokens",
    "tokenizer",
)
log = logging.getLogger("dnalm")


def parse_arguments(argv):
    parser = cli.make_parser(__doc__)
    add = parser.add_argument
    add("--genome", required=True, help="masked FASTA")
    add(
        "--kind", required=True, choices=("tiles", "tss", "regions"), help="tiles, around TSS, or BED regions"
    )
    add("--annotation", help="annotation.parquet, for --kind tss")
    add("--bed", help="regions, for --kind regions")
    add(
        "--length-bp",
        default="auto",
        help="tiles: window length; auto: the longest that fits, at most 6,000 bp",
    )
    add("--overlap-bp", type=int, default=0, help="tiles: bases shared by neighbours")
    add("--upstream-bp", type=int, default=3000, help="tss: bases before the first transcribed base")
    add("--downstream-bp", type=int, default=3000, help="tss: bases from the first transcribed base on")
    add("--max-n-fraction", type=float, default=0.05, help="drop windows with a larger share of N")
    add("--max-tokens", type=int, help="the model's token limit with CLS; none: no limit")
    add("--tokenizer", choices=tokens.NAMES, default=windows.DEFAULT_TOKENIZER, help="of the model")
    add("--output", required=True, help="BED file to write")
    return parser.parse_args(argv)


def make(arguments, genome) -> windows.Windows:
    limits = (arguments.max_n_fraction, arguments.max_tokens, arguments.tokenizer)
    if arguments.kind == "tss":
        sites = annotation.transcription_start_sites(annotation.load_annotation(arguments.annotation))
        return windows.make_tss(sites, genome, arguments.upstream_bp, arguments.downstream_bp, *limits)
    if arguments.kind == "regions":
        return windows.make_regions(read_bed(arguments.bed, genome.lengths), genome, *limits)
    spacing = tokens.spacing(arguments.tokenizer)
    length_bp = windows.parse_length(arguments.length_bp, arguments.max_tokens, spacing)
    return windows.make_tiles(genome.lengths, genome, length_bp, arguments.overlap_bp, *limits)


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    needed = {"tss": "annotation", "regions": "bed"}.get(arguments.kind)
    if needed and not getattr(arguments, needed):
        raise UserError(f"--{needed}", f"is needed by --kind {arguments.kind}", f"Add --{needed} FILE.")
    with Genome(arguments.genome) as genome:
        table, dropped = make(arguments, genome)
    windows.write_windows(table, arguments.output)
    counts = {"windows": len(table), "dropped": dropped}
    log.info("%s: %s%s", arguments.output, counts, "" if len(table) else "; no window is left")
    inputs = {"genome": arguments.genome} | ({needed: getattr(arguments, needed)} if needed else {})
    settings = {name: getattr(arguments, name) for name in SETTINGS}
    files.write_manifest(arguments.output, "windows", inputs, details={"settings": settings, **counts})


if __name__ == "__main__":
    sys.exit(main())
