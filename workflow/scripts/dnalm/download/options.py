"""The options of a command line that name a source, and the life of its download."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dnalm.download.lock import record
from dnalm.download.sources import Source, What, obtain
from dnalm.download.transfer import PAUSE_S, is_url
from dnalm.errors import UserError


def add_source_arguments(parser: argparse.ArgumentParser, flag: str, what: What) -> None:
    """Adds the options that name a source; `flag` takes a path or URL."""
    add = parser.add_argument_group("source (exactly one of the first four)").add_argument
    add(flag, dest="source", metavar="PATH_OR_URL", help="file, or http, https, ftp or file URL")
    add("--ensembl", metavar="SPECIES", help="species at Ensembl, such as homo_sapiens")
    add("--ensembl-plants", metavar="SPECIES", help="species at Ensembl Plants, such as zea_mays")
    add("--ncbi", metavar="ACCESSION", help="assembly at NCBI, such as GCF_000001735.4")
    add("--release", type=int, help="Ensembl release, such as 111")
    add("--assembly", help="Ensembl assembly, such as GRCh38; found by itself where the release has one")
    if what == "genome":
        sequences = ("primary_assembly", "toplevel")
        add("--sequence", choices=sequences, default="toplevel", help="Ensembl: which set of contigs")
        add("--not-soft-masked", action="store_true", help="Ensembl: the sequence without soft-masking")
        add("--contig", action="append", default=[], help="Ensembl: fetch only this contig (repeatable)")
    add("--base-url", help="mirror of Ensembl, Ensembl Plants or NCBI datasets")
    add("--lock-file", help="JSON with every source's bytes and sha256: written at first use, enforced later")
    add(
        "--download-dir",
        help="folder where downloads are kept; default: beside the output, removed at the end",
    )
    add("--retry-pause-s", type=float, default=PAUSE_S, help="seconds before the first retry, then doubled")


def source_from(arguments: argparse.Namespace) -> Source:
    """Returns the source that the options name.

    Raises:
        UserError: none or several, or Ensembl without a release.
    """
    kinds = {"source": arguments.source, "ensembl": arguments.ensembl}
    kinds |= {"ensembl_plants": arguments.ensembl_plants, "ncbi": arguments.ncbi}
    given = {kind: name for kind, name in kinds.items() if name}
    if len(given) != 1:
        raise UserError(
            "source", f"found {len(given)} sources, expected 1", "Name one path, URL, species or accession."
        )
    kind, name = next(iter(given.items()))
    if kind == "source":
        return Source("url" if is_url(name) else "path", name)
    if kind == "ncbi":
        return Source(kind, name, base_url=arguments.base_url)
    if arguments.release is None:
        raise UserError(f"{kind}: {name}", "needs a release", "Add --release, such as --release 111.")
    options = {
        name: getattr(arguments, name) for name in ("sequence", "not_soft_masked") if hasattr(arguments, name)
    }
    contigs = tuple(getattr(arguments, "contig", ()))
    return Source(
        kind,
        name,
        arguments.release,
        arguments.assembly,
        contigs=contigs,
        base_url=arguments.base_url,
        **options,
    )


@contextmanager
def obtained(
    source: Source, what: What, arguments: argparse.Namespace
) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yields a source's local file and what the lock file will say of it.

    When the block ends well, the source is recorded in the lock file, and a download that nobody
    asked to keep is removed; after a fault it stays for the next run.
    """
    folder = Path(arguments.download_dir or f"{arguments.output}.download")
    path, about = obtain(source, what, folder, arguments.lock_file, arguments.retry_pause_s)
    yield path, about
    record(about, arguments.lock_file)
    if source.kind != "path" and not arguments.download_dir:
        shutil.rmtree(folder, ignore_errors=True)


def provenance(source: Source, about: dict[str, Any]) -> dict[str, Any]:
    """Returns what a manifest says of a source: where a download came from, nothing of a local path."""
    return {} if source.kind == "path" else {"source": about}
