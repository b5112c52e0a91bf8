"""NCBI genomes by accession, from the datasets service (version 2): a zip archive with md5sum.txt.

Source: https://www.ncbi.nlm.nih.gov/datasets/docs/v2/api/rest-api/ (genome/accession/{accessions}/download)
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path

from dnalm.download.archive import extract_member, read_member
from dnalm.download.transfer import fetch
from dnalm.errors import UserError

BASE = "https://api.ncbi.nlm.nih.gov/datasets/v2"
# what -> (the service's name, the member's ending)
KINDS = {"genome": ("GENOME_FASTA", "_genomic.fna"), "annotation": ("GENOME_GTF", "genomic.gtf")}
log = logging.getLogger("dnalm")


def download_url(accession: str, what: str, base_url: str | None = None) -> str:
    """Returns the address of the archive with an assembly's genome or annotation."""
    if not re.fullmatch(r"GC[AF]_\d{9}\.\d+", accession):
        raise UserError(
            f"NCBI: {accession}", "is no assembly accession with version", "Write it like GCF_000001735.4."
        )
    base = (base_url or BASE).rstrip("/")
    return f"{base}/genome/accession/{accession}/download?include_annotation_type={KINDS[what][0]}"


def fetch_member(
    accession: str, what: str, target: Path, base_url: str | None, pause_s: float, retries: int
) -> None:
    """Downloads the archive and writes its FASTA or GTF, checked against md5sum.txt, to `target`.

    A damaged archive is deleted, so that the next run fetches it again.

    Raises:
        UserError: no such file in it, damaged, or another md5.
    """
    archive = target.with_name(target.name + ".zip")
    fetch(download_url(accession, what, base_url), archive, retries, pause_s)
    folder, ending = f"ncbi_dataset/data/{accession}/", KINDS[what][1]

    def wanted(name: str) -> bool:
        return name.startswith(folder) and name.endswith(ending)

    try:
        found = extract_member(archive, wanted, f"{folder}*{ending}", target)
        expected = _md5_of(read_member(archive, "md5sum.txt") or "", wanted)
        if expected is None:
            log.warning("%s: md5sum.txt does not list %s*%s", accession, folder, ending)
        elif expected != found:
            target.unlink()
            raise UserError(
                f"NCBI: {accession}",
                f"{ending} has md5 {found}, md5sum.txt says {expected}",
                "Fetch it again.",
            )
    finally:
        archive.unlink(missing_ok=True)


def _md5_of(listing: str, wanted: Callable[[str], bool]) -> str | None:
    for line in listing.splitlines():
        fields = line.split(maxsplit=1)
        if len(fields) == 2 and wanted(fields[1].strip().lstrip("*")):
            return fields[0].lower()
    return None
