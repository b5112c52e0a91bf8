"""Gathers all tracks of a segmentation in one Zarr store, for programs.

In:  a folder of tracks (segment.py), the masked genome.
Out: a store with one group per contig, {contig}/levels (bases, tracks); its attribute `dnalm` names the
     tracks, the resolution (level x resolution is the probability) and the genome's sha256. 65535, the fill
     value, stands where nothing was predicted.
"""

import sys
from pathlib import Path

from dnalm import cli, files


def parse_arguments(argv):
    parser = cli.make_parser(__doc__)
    add = parser.add_argument
    add("--tracks", type=Path, required=True, help="folder of bigWigs with manifest.json")
    add("--genome", type=Path, required=True, help="masked genome that was segmented")
    add("--output", type=Path, required=True, help="store to write (a folder)")
    return parser.parse_args(argv)


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    from dnalm.elements import array_store
    from dnalm.elements.source import open_source
    from dnalm.genome import Genome

    with Genome(arguments.genome) as genome:
        source = open_source(arguments.tracks, genome)
    digests = array_store.write_array_store(source, arguments.output)
    details = {"tracks": source.track_sums, "values_sha256": digests}
    files.write_manifest(arguments.output, "elements", {"genome": arguments.genome}, details, files=[])


if __name__ == "__main__":
    sys.exit(main())
