"""Makes what genome browsers open: a UCSC track hub, a session of IGV, options of igv.js, gene models.

In:  a folder of tracks (segment.py) with its elements (call_elements.py), the masked genome.
Out: in the same folder: hub/ (hub.txt; an assembly hub, which brings the genome as 2bit, unless UCSC's name
     of the assembly is given), igv_session.xml, igvjs_tracks.json and, with an annotation, genes.bed. All
     name their files relative to where they lie: serve or copy the species' whole folder.
"""

import sys
from pathlib import Path

from dnalm import cli, files


def parse_arguments(argv):
    parser = cli.make_parser(__doc__)
    add = parser.add_argument
    add("--tracks", type=Path, required=True, help="folder of bigWigs with manifest.json and elements.bed")
    add("--genome", type=Path, required=True, help="masked genome that was segmented")
    add("--annotation", type=Path, help="annotation.parquet")
    add("--species", default="genome", help="its name in the hub")
    add("--model", default="", help="name of the model, for labels")
    add("--ucsc-db", help="UCSC's name of the assembly, such as hg38 (default: an assembly hub)")
    return parser.parse_args(argv)


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    from dnalm import annotation
    from dnalm.elements import genes, hub, sessions
    from dnalm.elements.source import open_source
    from dnalm.genome import Genome

    folder = arguments.tracks
    with Genome(arguments.genome) as genome:
        source = open_source(folder, genome)
        inputs = {"genome": arguments.genome, "elements": folder / "elements.bed"}
        files.read_manifest(inputs["elements"])  # proves that they are whole
        if arguments.annotation:
            table = annotation.load_annotation(arguments.annotation)
            files.write_text(folder / "genes.bed", genes.bed12(table, genome.lengths))
            inputs["annotation"] = arguments.annotation
            read = {role: inputs[role] for role in ("genome", "annotation")}
            files.write_manifest(folder / "genes.bed", "elements", read)
        files.write_text(folder / sessions.SESSION, sessions.igv_session(source, arguments.genome))
        files.write_json(folder / sessions.OPTIONS, sessions.igvjs_options(source, arguments.genome))
        paths = hub.write_hub(source, genome, arguments.species, arguments.model, arguments.ucsc_db)
    files.write_manifest(folder / "hub", "elements", inputs, {"tracks": source.track_sums}, files=paths)


if __name__ == "__main__":
    sys.exit(main())
