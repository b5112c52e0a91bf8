"""Fetches a genome and writes it as checked FASTA.

In: FASTA or GenBank, plain or gzip-compressed: a local file, a URL, a species of Ensembl or Ensembl
Plants, or an NCBI accession. Out: FASTA (case and IUPAC codes kept), its .fai index and a manifest.
"""

import sys

from dnalm import cli, download, files, genome


def parse_arguments(argv):
    parser = cli.make_parser(__doc__)
    download.add_source_arguments(parser, "--source", "genome")
    add = parser.add_argument
    add("--include", nargs="+", metavar="CONTIG", help="keep only these contigs")
    add("--exclude", nargs="+", default=[], metavar="CONTIG", help="leave these contigs out, such as MT Pt")
    add("--min-length-bp", type=int, default=0, help="leave shorter contigs out")
    add("--contig-names", help="map of contig names, two columns: in the source<TAB>wanted")
    add("--output", required=True, help="FASTA to write")
    return parser.parse_args(argv)


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    source = download.source_from(arguments)
    names = genome.read_contig_names(arguments.contig_names) if arguments.contig_names else None
    with download.obtained(source, "genome", arguments) as (path, about):
        contigs = genome.copy_fasta(
            path, arguments.output, arguments.include, arguments.exclude, arguments.min_length_bp, names
        )
        index = genome.write_index(arguments.output)
        details = {"contigs": len(contigs), "bases": sum(length for _, length in contigs)}
        files.write_manifest(
            arguments.output,
            "genome",
            {"source": path},
            details={**details, **download.provenance(source, about)},
            files=[arguments.output, index],
        )


if __name__ == "__main__":
    sys.exit(main())
