"""Reads a gene annotation into the workflow's table and checks that it fits the genome.

In: GTF, GFF3 or GenBank (plain or gzip-compressed), a genome.
Out: Parquet, 0-based half-open, one row per gene, transcript, exon, CDS and UTR, and a manifest.
"""

import sys

from dnalm import annotation, cli, files
from dnalm.errors import UserError
from dnalm.genome import Genome, read_contig_names


def parse_arguments(argv):
    parser = cli.make_parser(__doc__)
    parser.add_argument("--annotation", required=True, help="GTF, GFF3 or GenBank: a path or URL")
    parser.add_argument("--genome", required=True, help="FASTA whose contigs the annotation must fit")
    parser.add_argument("--contig-names", help="map of contig names, two columns: here<TAB>in the genome")
    parser.add_argument(
        "--cds-verified",
        metavar="KEY=VALUE",
        help="attribute of rows whose CDS may serve as truth, such as cds_source=FlyBase_protein_exact",
    )
    parser.add_argument("--output", required=True, help="annotation.parquet to write")
    return parser.parse_args(argv)


def key_and_value(text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    key, equals, value = text.partition("=")
    if not (key and equals and value):
        raise UserError(
            "--cds-verified", f"found {text!r}, expected KEY=VALUE", "Name an attribute and its value."
        )
    return key, value


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    verified = key_and_value(arguments.cds_verified)
    names = read_contig_names(arguments.contig_names) if arguments.contig_names else None
    with Genome(arguments.genome) as genome:
        lengths = genome.lengths
    table = annotation.read_annotation(arguments.annotation, verified)
    table = annotation.fit_to_genome(table, lengths, arguments.annotation, names)
    annotation.write_annotation(table, arguments.output)
    details = {"cds_verified": arguments.cds_verified, "rows": table["type"].value_counts().to_dict()}
    inputs = {"annotation": arguments.annotation, "genome": arguments.genome}
    files.write_manifest(arguments.output, "annotation", inputs, details=details)


if __name__ == "__main__":
    sys.exit(main())
