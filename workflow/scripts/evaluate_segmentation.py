"""Scores predicted tracks against an annotation, base by base and segment by segment.

In:  a folder of tracks (segment.py), an annotation table, the masked genome.
Out: R.metrics.tsv with one row per feature: bases, positives and base rate; auPRC and AUROC; MCC, precision,
     recall, F1 and Jaccard of bases called from the threshold on, and at the threshold of the best MCC, which
     is optimistic; segment overlap (SOV_refine); mean and SD over ten shifted samplings of the bases.
     R.metrics_by_contig.tsv, R.metrics_by_gene_type.tsv and R.metrics_by_sampling.tsv: the same scores apart.
     R.beside_published.tsv: the SegmentNT paper's MCC for the same model, and whether it can be compared.
     Tracks of one strand are scored against that strand's labels, all positions pooled; CDS and UTRs only
     where the annotation's CDS is verified.
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
    add("--threshold", type=float, default=0.5, help="probability from which a base is called")
    add("--window-bp", type=int, help="window of the samplings (default: the tracks', where one fits)")
    add("--model", help="name of the tracks' model in resources/models.tsv, for the published scores")
    add("--output", type=Path, required=True, help="R.metrics.tsv; the other tables lie beside it")
    return parser.parse_args(argv)


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    from dnalm import annotation
    from dnalm.genome import Genome, regions
    from dnalm.segmentation import evaluation, published, samplings

    about = evaluation.read_tracks(arguments.tracks)
    evaluation.check_threshold(arguments.threshold)
    if about["inputs"]["genome"] != files.fingerprint(arguments.genome):
        raise UserError(arguments.genome, "is not the genome of these tracks", "Run segment.py on it.")
    table = annotation.load_annotation(arguments.annotation)
    with Genome(arguments.genome) as genome:
        lengths = dict(genome.lengths)
    spans = regions.read_regions(arguments.regions or about["regions"], lengths)
    window_bp = samplings.choose_window(arguments.window_bp, about.get("window_bp"), spans)
    found = evaluation.evaluate_tracks(arguments.tracks, about, table, spans, arguments.threshold, window_bp)
    stem = arguments.output.name.removesuffix(".tsv")
    tables = {
        f"{stem}_by_contig.tsv": found.by_contig,
        f"{stem}_by_gene_type.tsv": found.by_gene_type,
        f"{stem}_by_sampling.tsv": found.by_sampling,
        f"{stem.removesuffix('metrics')}beside_published.tsv": published.beside_published(
            found.whole, arguments.model, spans, lengths
        ),
        arguments.output.name: found.whole,
    }
    files.manifest_path(arguments.output).unlink(missing_ok=True)  # of earlier tables, replaced now
    evaluation.write_tables(arguments.output.parent, tables)
    inputs = {name: arguments.tracks / name for name in about["tracks"]}
    inputs |= {"annotation": arguments.annotation, "genome": arguments.genome}
    named = [f"{contig}:{start}-{end}" for contig, pairs in spans.items() for start, end in pairs]
    details = {"regions": named, "threshold": arguments.threshold, "window_bp": window_bp}
    paths = [arguments.output.with_name(name) for name in tables]
    files.write_manifest(arguments.output, "evaluate", inputs, details, files=paths)


if __name__ == "__main__":
    sys.exit(main())
