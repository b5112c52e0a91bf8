"""Predicts gene expression from windows around transcription start sites: ridge regression, cross-validated.

In: an expression table, TSS windows named by gene, the masked genome, embeddings of the windows.
Out: scores per features, layer, value column, subset of genes and kind of folds (TSV), the predictions of
grouped folds (Parquet), and a manifest.

Grouped folds keep genes with overlapping or near-identical windows together; random folds are a comparison.
"""

import logging
import sys
from pathlib import Path

from dnalm import cli, files
from dnalm.errors import UserError

log = logging.getLogger("dnalm")


def parse_arguments(argv):
    parser = cli.make_parser(__doc__)
    add = parser.add_argument
    add("--table", required=True, help="expression table, TSV or CSV, gzip-compressed or not")
    add("--gene-column", help="column of gene names (default: the first)")
    add("--value-columns", nargs="+", default=[], help="columns to predict (default: every numeric one)")
    add("--count-columns", nargs="+", default=[], help="a gene is expressed where these sum to more than 0")
    add("--expressed-threshold", type=float, help="log2 value above which a gene is expressed")
    add("--unit", required=True, help="of the values: counts, cpm, tpm or log2")
    add("--mean", action="store_true", help="predict the mean of the value columns too")
    add("--windows", required=True, help="BED of TSS windows, named by gene")
    add("--genome", required=True, help="masked FASTA")
    add("--embeddings", nargs="+", default=[], metavar="NAME=FILE", help="embeddings of the windows")
    add("--baselines", nargs="*", default=["kmer"], choices=("kmer", "shuffled"),
        help="counts of the sequence's k-mers; the first features dealt anew among the genes")  # fmt: skip
    add("--baseline-k", type=int, default=4, help="length of the baseline's k-mers")
    add("--held-out", nargs="+", default=[], help="regions contig:start-end whose genes are scored apart")
    add("--folds", type=int, default=10, help="number of folds")
    add("--seed", type=int, default=0, help="of the folds")
    add("--output", required=True, help="TSV of scores")
    add("--predictions", required=True, help="Parquet of predictions")
    return parser.parse_args(argv)


def named_files(texts) -> dict[str, str]:
    pairs = dict(text.partition("=")[::2] for text in texts)
    if len(pairs) < len(texts) or not all(pairs) or not all(pairs.values()):
        raise UserError(
            "--embeddings", f"found {' '.join(texts)}, expected NAME=FILE, each name once", "Mend."
        )
    return pairs


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    embeddings = named_files(arguments.embeddings)
    if Path(arguments.predictions).parent != Path(arguments.output).parent:
        raise UserError("--predictions", "lies in another folder than --output", "One manifest covers both.")
    from dnalm.expression.run import predict

    scores, predictions, counts = predict(arguments)
    columns = ["features", "layer", "value_column", "subset", "folds", "n", "R2_pooled", "R2_mean", "R2_2sd"]
    log.info("%s", scores[columns].to_string(index=False, float_format="%.3f"))
    with files.atomic_path(arguments.predictions) as temporary:
        predictions.to_parquet(temporary, index=False)
    with files.atomic_path(arguments.output) as temporary:
        scores.to_csv(temporary, sep="\t", index=False, float_format="%.6g", lineterminator="\n")
    inputs = {"table": arguments.table, "windows": arguments.windows, "genome": arguments.genome}
    inputs |= {f"embeddings {name}": path for name, path in embeddings.items()}
    outputs = [arguments.output, arguments.predictions]
    files.write_manifest(arguments.output, "expression", inputs, counts, outputs)


if __name__ == "__main__":
    sys.exit(main())
