"""Ensembl and Ensembl Plants: where files lie, and the CHECKSUMS beside them.

Source: https://ftp.ensembl.org/pub/release-111/README, https://ftp.ensemblgenomes.ebi.ac.uk/pub/plants/
"""

from __future__ import annotations

import logging
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from dnalm.download.transfer import local_name, read_text
from dnalm.errors import UserError
from dnalm.files import write_text

BASES = {
    "ensembl": "https://ftp.ensembl.org/pub",
    "ensembl_plants": "https://ftp.ensemblgenomes.ebi.ac.uk/pub/plants",
}
LAST_RELEASE_IN_NAMES = 75  # until then file names held the release: Homo_sapiens.GRCh37.75.dna_sm...
log = logging.getLogger("dnalm")


@dataclass(frozen=True)
class EnsemblFile:
    """A file on the server: its URL, its URL at the official site, its line of CHECKSUMS."""

    url: str
    key: str
    checksum: tuple[int, int] | None


@dataclass(frozen=True)
class EnsemblSpecies:
    """A species of a release; `base_url` may name a mirror."""

    division: str
    species: str
    release: int
    assembly: str | None = None
    base_url: str | None = None
    cache: Path | None = None  # folder where listings are kept, so that a later run needs no network

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9_]+", self.species):
            raise UserError(
                f"{self.division}: {self.species}",
                "is no Ensembl species name",
                "Write it like homo_sapiens.",
            )

    def genome_files(
        self, sequence: str, not_soft_masked: bool, contigs: tuple[str, ...]
    ) -> list[EnsemblFile]:
        """Returns the FASTA file of the whole assembly, or one per contig."""
        folder = f"release-{self.release}/fasta/{self.species}/dna"
        dna = "dna" if not_soft_masked else "dna_sm"
        wanted = [[f"{kind}.{contig}" for kind in ("chromosome", "primary_assembly")] for contig in contigs]
        return self._files(
            folder, [[f"{dna}.{name}.fa.gz" for name in names] for names in wanted or [[sequence]]]
        )

    def annotation_file(self) -> EnsemblFile:
        """Returns the GTF file of the whole assembly."""
        return self._files(f"release-{self.release}/gtf/{self.species}", [[f"{self.release}.gtf.gz"]])[0]

    def _files(self, folder: str, endings: list[list[str]]) -> list[EnsemblFile]:
        """Returns per list of possible endings the file that the folder has."""
        base = (self.base_url or BASES[self.division]).rstrip("/")
        sums = parse_checksums(self._listing(f"{base}/{folder}/CHECKSUMS"))
        if not sums:
            log.warning("%s/%s: no CHECKSUMS; the first download is checked by its length only", base, folder)
        names = [self._name(folder, ending, list(sums)) for ending in endings]
        official = BASES[self.division]
        return [
            EnsemblFile(f"{base}/{folder}/{name}", f"{official}/{folder}/{name}", sums.get(name))
            for name in names
        ]

    def _listing(self, url: str) -> str:
        kept = None if self.cache is None else self.cache / local_name(url)
        if kept and kept.exists():
            return kept.read_text(encoding="utf-8")
        text = read_text(url) or ""
        if kept and parse_checksums(text):
            write_text(kept, text)
        return text

    def _name(self, folder: str, endings: list[str], listed: list[str]) -> str:
        species = self.species.capitalize()
        release = rf"(?:\.{self.release})?"
        assembly = re.escape(self.assembly) if self.assembly else r"[^/]+?"
        for ending in endings:
            pattern = re.compile(rf"{species}\.{assembly}{release}\.{re.escape(ending)}")
            if found := [name for name in listed if pattern.fullmatch(name)]:
                return found[0]
        if listed:
            raise UserError(
                f"{self.division}: {self.species} release {self.release}",
                f"{folder} has no {' or '.join(endings)} of assembly {self.assembly or 'any'} "
                f"(it has {', '.join(listed[:8])})",
                "Mend assembly, sequence (primary_assembly or toplevel) or contigs.",
            )
        if self.assembly is None:
            raise UserError(
                f"{self.division}: {self.species} release {self.release}",
                f"{folder} has no readable CHECKSUMS to find the assembly in",
                "Check species and release, or give the assembly.",
            )
        old = self.division == "ensembl" and self.release <= LAST_RELEASE_IN_NAMES and "/fasta/" in folder
        return f"{species}.{self.assembly}{f'.{self.release}' if old else ''}.{endings[0]}"


def parse_checksums(text: str) -> dict[str, tuple[int, int]]:
    """Returns file name -> (sum, blocks of 1 KiB) from what BSD `sum` printed, with tabs or spaces."""
    sums = {}
    for line in text.splitlines():
        fields = line.split()
        if len(fields) == 3 and fields[0].isdecimal() and fields[1].isdecimal():
            sums[fields[2].rsplit("/", 1)[-1]] = (int(fields[0]), int(fields[1]))
    return sums


def bsd_sum(path: str | Path) -> tuple[int, int]:
    """Returns what `sum` prints for a file: a 16-bit rotating sum and the blocks of 1 KiB."""
    path = Path(path)
    program = shutil.which("sum")
    if program:
        with open(path, "rb") as handle:
            answer = subprocess.run([program], stdin=handle, capture_output=True, text=True, check=True)
        fields = answer.stdout.split()
        return int(fields[0]), int(fields[1])
    return slow_bsd_sum(path)


def slow_bsd_sum(path: Path) -> tuple[int, int]:
    """Computes the same in Python, about ten seconds for 100 MB."""
    total = 0
    with open(path, "rb") as handle:
        while chunk := handle.read(1 << 20):
            for byte in chunk:
                total = ((total >> 1) + ((total & 1) << 15) + byte) & 0xFFFF
    return total, -(-path.stat().st_size // 1024)


def warn_of_checksum(path: Path, file: EnsemblFile) -> None:
    """Compares a file with its line of CHECKSUMS.

    Only warns: published lists are at times stale, and 16 bits miss what gzip's own CRC finds.
    """
    if file.checksum is None:
        return
    found = bsd_sum(path)
    if found != file.checksum:
        log.warning("%s: sum %s, CHECKSUMS says %s; the list may be stale", file.url, found, file.checksum)
