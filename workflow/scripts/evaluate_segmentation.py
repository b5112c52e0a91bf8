"""Scores predicted tracks against an annotation, base by base.

In:  a folder of tracks (segment.py), an annotation table, the masked genome.
Out: TSV with one row per feature: bases, positives and base rate; auPRC, AUROC, MCC at 0.5, and the best
     MCC with its threshold, which is optimistic. Tracks of one strand are scored against that strand's
     labels, all positions pooled; CDS and UTRs only where the annotation's CDS is verified.
"""

import sys
from pathlib import Path

from dnalm import cli, files
from dnalm.errors import UserError


def parse_arguments(argv):
    parser = cli.make_parser(__doc__)
    add = parser.add_argument
    add("--tracks", type=Path, required=True, help="folder of bigWigs with manifest.json")
    add("--annotation", type=Path, required=True, help="annotation.parquet")
    add("--genome", type=Path, required=True, help="masked genome that was segmented")
    add(
        "--regions", nargs="+", default=[], help="contig:start-end (0-based) or contig (default: the tracks')"
    )
    add("--output", type=Path, required=True, help="TSV to write")
    return parser.parse_args(argv)


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    from dnalm import annotation
    from dnalm.genome import Genome, regions
    from dnalm.segmentation import evaluation

    about = evaluation.read_tracks(arguments.tracks)
    if about["inputs"]["genome"] != files.fingerprint(arguments.genome):
        raise UserError(arguments.genome, "is not the genome of these tracks", "Run segment.py on it.")
    table = annotation.load_annotation(arguments.annotation)
    with Genome(arguments.genome) as genome:
        spans = regions.read_regions(arguments.regions or about["regions"], genome.lengths)
    metrics = evaluation.evaluate_tracks(arguments.tracks, about, table, spans)
    with files.atomic_path(arguments.output) as temporary:
        metrics.to_csv(
            temporary, sep="\t", index=False, float_format="%.6g", na_rep="NA", lineterminator="\n"
        )
    inputs = {name: arguments.tracks / name for name in about["tracks"]}
    inputs |= {"annotation": arguments.annotation, "genome": arguments.genome}
    named = [f"{contig}:{start}-{end}" for contig, pairs in spans.items() for start, end in pairs]
    files.write_manifest(arguments.output, "evaluate", inputs, {"regions": named})


if __name__ == "__main__":
    sys.exit(main())
