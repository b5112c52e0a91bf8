"""Calls elements: stretches of bases whose probability reaches a threshold.

In:  a folder of tracks (segment.py), the masked genome.
Out: BED (9 columns: name the feature, score 1000 x mean probability, colour) and, beside it, GFF3 with
     Sequence Ontology types. A base without prediction ends an element. Splice sites, one base each, are
     neither smoothed, joined nor left out for their length.
"""

import logging
import sys
from contextlib import ExitStack
from pathlib import Path

from dnalm import cli, files
from dnalm.errors import UserError

log = logging.getLogger("dnalm")


def parse_arguments(argv):
    parser = cli.make_parser(__doc__)
    add = parser.add_argument
    add("--tracks", type=Path, required=True, help="folder of bigWigs with manifest.json")
    add("--genome", type=Path, required=True, help="masked genome that was segmented")
    add("--threshold", type=float, default=0.5, help="lowest probability of an element's base")
    add("--thresholds", nargs="+", default=[], help="FEATURE=THRESHOLD, for single features")
    add("--smoothing-bp", type=int, default=1, help="odd width of a moving average before the threshold")
    add("--min-length-bp", type=int, default=1, help="shorter elements are left out")
    add("--merge-gap-bp", type=int, default=0, help="elements with at most so many bases between are joined")
    add("--output", type=Path, required=True, help="BED to write; the GFF3 gets the suffix .gff3")
    return parser.parse_args(argv)


def read_thresholds(texts):
    """Returns feature -> threshold of FEATURE=THRESHOLD texts."""
    try:
        return {feature: float(value) for feature, _, value in (text.rpartition("=") for text in texts)}
    except ValueError as fault:
        raise UserError("--thresholds", f"{fault}", "Give FEATURE=THRESHOLD, such as exon=0.4.") from fault


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    from dnalm.elements import calling, formats
    from dnalm.elements.source import open_source
    from dnalm.genome import Genome

    names = ("threshold", "smoothing_bp", "min_length_bp", "merge_gap_bp")
    settings = {name: getattr(arguments, name) for name in names}
    settings["thresholds"] = read_thresholds(arguments.thresholds)
    how = calling.Calling(**settings)
    with Genome(arguments.genome) as genome:
        source = open_source(arguments.tracks, genome)
    paths = [arguments.output, arguments.output.with_suffix(".gff3")]
    with ExitStack() as stack:
        temporary = [stack.enter_context(files.atomic_path(path)) for path in paths]
        bed, gff3 = (stack.enter_context(open(path, "w", encoding="utf-8")) for path in temporary)
        counts = formats.write_elements(calling.call_elements(source, how), source.lengths, gff3, bed)
    log.info(
        "%s",
        ", ".join(f"{count} {name}" for name, count in counts.items()) or "no base reaches its threshold",
    )
    details = {**settings, "tracks": source.track_sums, "counts": counts}
    files.write_manifest(paths[0], "elements", {"genome": arguments.genome}, details, paths)


if __name__ == "__main__":
    sys.exit(main())
