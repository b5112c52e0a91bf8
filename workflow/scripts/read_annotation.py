"""Reads a gene annotation into the workflow's table and checks that it fits the genome.

In: GTF, GFF3 or GenBank (plain or gzip-compressed), local or to be downloaded, and a genome.
Out: Parquet, 0-based half-open, one row per gene, transcript, exon, CDS and UTR, and a manifest.
"""

import sys

from dnalm import annotation, cli, download, files
from dnalm.errors import UserError
from dnalm.genome import Genome, read_contig_names


def parse_arguments(argv):
    parser = cli.make_parser(__doc__)
    download.add_source_arguments(parser, "--annotation", "annotation")
    add = parser.add_argument
    add("--genome", required=True, help="FASTA whose contigs the annotation must fit")
    add("--contig-names", help="map of contig names, two columns: here<TAB>in the genome")
    add(
        "--cds-verified",
        metavar="KEY=VALUE",
        help="attribute of rows whose CDS may serve as truth, such as cds_source=FlyBase_protein_exact",
    )
    add("--output", required=True, help="annotation.parquet to write")
    return parser.parse_args(argv)


def key_and_value(text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    key, _, value = text.partition("=")
    if not (key and value):
        raise UserError(
            "--cds-verified", f"found {text!r}, expected KEY=VALUE", "Name an attribute and its value."
        )
    return key, value


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    verified = key_and_value(arguments.cds_verified)
    source = download.source_from(arguments)
    names = read_contig_names(arguments.contig_names) if arguments.contig_names else None
    with Genome(arguments.genome) as genome:
        lengths = genome.lengths
    with download.obtained(source, "annotation", arguments) as (path, about):
        table = annotation.read_annotation(path, verified)
        table = annotation.fit_to_genome(table, lengths, path, names)
        annotation.write_annotation(table, arguments.output)
        details = {"cds_verified": arguments.cds_verified, "rows": table["type"].value_counts().to_dict()}
        details |= download.provenance(source, about)
        inputs = {"annotation": path, "genome": arguments.genome}
        files.write_manifest(arguments.output, "annotation", inputs, details=details)


if __name__ == "__main__":
    sys.exit(main())
