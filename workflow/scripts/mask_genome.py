"""Masks a genome for the models: upper case, everything but A C G T to N, counted.

In: a FASTA file. Out: FASTA of A, C, G, T and N with the same contigs, its index, a table of the letters seen
(contig, letter, count) and a manifest.
"""

import sys

from dnalm import cli, files, genome, mask


def parse_arguments(argv):
    parser = cli.make_parser(__doc__)
    parser.add_argument("--genome", required=True, help="FASTA file, not compressed")
    parser.add_argument(
        "--soft-masked",
        choices=("keep", "mask"),
        default="keep",
        help="lower-case bases: keep them, or mask them to N",
    )
    parser.add_argument(
        "--iupac",
        choices=("mask", "error"),
        default="mask",
        help="ambiguity codes: mask them to N, or refuse them",
    )
    parser.add_argument("--bed", help="further intervals to mask to N (BED, 0-based half-open)")
    parser.add_argument(
        "--output", required=True, help="masked FASTA to write, with .fai and manifest beside it"
    )
    parser.add_argument("--report", required=True, help="TSV to write: contig, letter, count")
    return parser.parse_args(argv)


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    report = mask.mask_genome(
        arguments.genome, arguments.output, arguments.soft_masked, arguments.iupac, arguments.bed
    )
    index = genome.write_index(arguments.output)
    with files.atomic_path(arguments.report) as temporary:
        report.to_csv(temporary, sep="\t", index=False, lineterminator="\n")
    total = report.groupby("letter", sort=False)["count"].sum()
    inputs = {"genome": arguments.genome} | ({"bed": arguments.bed} if arguments.bed else {})
    files.write_manifest(
        arguments.output,
        "mask",
        inputs,
        details={
            "soft_masked": arguments.soft_masked,
            "iupac": arguments.iupac,
            "letters": {letter: int(count) for letter, count in total.items()},
        },
        files=[arguments.output, index],
    )


if __name__ == "__main__":
    sys.exit(main())
