"""Faults of downloads: each ends fetch_genome.py with status 2 and one clear line."""

import gzip
import io
import json
import random
import shutil
import socket
import stat
import zipfile

import fetch_genome
import pytest
from file_server import CUT, HttpServer, ensembl_folder, names_in, ncbi_zip
from step_faults import assert_refused

FASTA = b">1\n" + bytes(random.Random(3).choices(b"ACGT", k=3_000)) + b"\n"
PACKED = gzip.compress(FASTA, mtime=0)
ACCESSION = "GCF_000001735.4"
NCBI = f"/v2/genome/accession/{ACCESSION}/download?include_annotation_type=GENOME_FASTA"
MEMBER = f"ncbi_dataset/data/{ACCESSION}/x_genomic.fna"
DNA = "/pub/release-111/fasta/homo_sapiens/dna"
SOFT = "Homo_sapiens.GRCh38.dna_sm.toplevel.fa.gz"


@pytest.fixture
def site(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with HttpServer() as site:
        yield site


def refused(tmp_path, capsys, pattern, *arguments):
    words = [*arguments, "--retry-pause-s", "0", "--lock-file", tmp_path / "lock.json"]
    assert_refused("fetch_genome", words, tmp_path / "out" / "genome.fa", pattern, capsys)


def fetched(tmp_path, *arguments):
    """Runs fetch_genome.py without a fault and returns the FASTA."""
    output = tmp_path / "out" / "genome.fa"
    words = [*arguments, "--retry-pause-s", "0", "--lock-file", tmp_path / "lock.json", "--output", output]
    assert fetch_genome.main([str(word) for word in words]) == 0
    return output.read_bytes()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_7_refusals_are_not_tried_again(site, tmp_path, capsys, status):
    site.answers["/x.fa"] = [status]
    refused(
        tmp_path, capsys, rf"/x\.fa: HTTP status {status} .*<html>a fault", "--source", f"{site.url}/x.fa"
    )
    assert len(site.asked("/x.fa")) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_7_lasting_faults_end_after_the_retries(site, tmp_path, capsys, status):
    site.answers["/x.fa"] = [status] * 9
    refused(
        tmp_path, capsys, rf"/x\.fa: HTTP status {status}, after 5 attempts", "--source", f"{site.url}/x.fa"
    )
    assert len(site.asked("/x.fa")) == 5


@pytest.mark.parametrize(
    "page", [b"<!DOCTYPE html><html>log in", b"\n <html>", b'<?xml version="1.0"?><Error/>']
)
def test_7_a_page_with_status_200_is_no_genome(site, tmp_path, capsys, page):
    site.files["/x.fa.gz"] = page
    refused(
        tmp_path, capsys, r"answers with an HTML or XML page \(status 200", "--source", f"{site.url}/x.fa.gz"
    )
    assert len(site.asked("/x.fa.gz")) == 1 and names_in(tmp_path / "out" / "genome.fa.download") == []


def test_nobody_answers(tmp_path, capsys):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    pattern = r"cannot be opened \(.*refused|no answer"
    refused(tmp_path, capsys, pattern, "--source", f"http://127.0.0.1:{port}/x.fa")


def test_a_file_url_of_nothing(tmp_path, capsys):
    refused(tmp_path, capsys, r"cannot be opened", "--source", (tmp_path / "absent.fa").as_uri())


def test_8_a_cut_download_is_finished_by_the_next_run(site, tmp_path, capsys):
    site.files["/x.fa.gz"], site.answers["/x.fa.gz"] = PACKED, [CUT, 503, 503, 503, 503]
    refused(tmp_path, capsys, r"HTTP status 503, after 5 attempts", "--source", f"{site.url}/x.fa.gz")
    parts = names_in(tmp_path / "out" / "genome.fa.download")
    assert len(parts) == 2 and parts[0].endswith("x.fa.gz.part")
    written = fetched(tmp_path, "--source", f"{site.url}/x.fa.gz")
    assert written.replace(b"\n", b"") == FASTA.replace(b"\n", b"")
    assert site.asked("/x.fa.gz")[-1]["Range"] == f"bytes={len(PACKED) * 6 // 10}-"


def test_11_a_download_that_differs_from_the_lock_is_kept_aside(site, tmp_path, capsys):
    site.files["/x.fa.gz"] = PACKED
    fetched(tmp_path, "--source", f"{site.url}/x.fa.gz")
    shutil.rmtree(tmp_path / "out")
    flipped = bytearray(PACKED)
    flipped[9] ^= 1  # the operating system's byte of the header: gzip itself does not notice
    site.files["/x.fa.gz"] = bytes(flipped)
    pattern = (
        rf"x\.fa\.gz: differs from .*lock\.json \(found {len(PACKED)} bytes, sha256 [0-9a-f]{{64}}, expected"
    )
    refused(tmp_path, capsys, pattern, "--source", f"{site.url}/x.fa.gz")
    assert names_in(tmp_path / "out" / "genome.fa.download")[0].endswith("x.fa.gz.bad")
    site.files["/x.fa.gz"] = PACKED
    fetched(tmp_path, "--source", f"{site.url}/x.fa.gz")


def test_26_a_damaged_gzip_is_fetched_again_and_never_recorded(site, tmp_path, capsys):
    site.files["/x.fa.gz"] = PACKED[:-40]
    refused(
        tmp_path,
        capsys,
        r"/x\.fa\.gz: arrived damaged \(the gzip stream ends early",
        "--source",
        f"{site.url}/x.fa.gz",
    )
    assert not (tmp_path / "lock.json").exists()
    site.files["/x.fa.gz"] = PACKED
    fetched(tmp_path, "--source", f"{site.url}/x.fa.gz")


def test_a_file_that_is_no_genome_is_not_recorded(site, tmp_path, capsys):
    site.files["/x.fa"] = b"@fastq\nACGT\n+\nIIII\n"
    refused(tmp_path, capsys, r"it looks like FASTQ", "--source", f"{site.url}/x.fa")
    assert not (tmp_path / "lock.json").exists()


def test_19_no_space(site, tmp_path, capsys, monkeypatch):
    from dnalm.download import transfer

    site.files["/x.fa.gz"] = PACKED
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(transfer.shutil, "disk_usage", lambda path: usage._replace(free=100))
    refused(tmp_path, capsys, rf"100 bytes free, {len(PACKED)} needed", "--source", f"{site.url}/x.fa.gz")


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("", r"lock\.json: file is empty"),
        ("{", r"lock\.json: is not JSON"),
        ("[]", r"lock\.json: is no lock file"),
    ],
)
def test_a_broken_lock_file_is_refused(tmp_path, capsys, text, pattern):
    (tmp_path / "lock.json").write_text(text)
    (tmp_path / "x.fa").write_bytes(FASTA)
    refused(tmp_path, capsys, pattern, "--source", tmp_path / "x.fa")


# Ensembl


@pytest.mark.parametrize(
    ("options", "pattern"),
    [
        (["--sequence", "primary_assembly"], rf"has no dna_sm\.primary_assembly\.fa\.gz .*it has .*{SOFT}"),
        (["--assembly", "GRCh37"], r"of assembly GRCh37 \(it has"),
        (
            ["--contig", "99"],
            r"has no dna_sm\.chromosome\.99\.fa\.gz or dna_sm\.primary_assembly\.99\.fa\.gz",
        ),
    ],
)
def test_ensembl_does_not_have_it(site, tmp_path, capsys, options, pattern):
    ensembl_folder(site, DNA, {SOFT: PACKED})
    base = ["--ensembl", "homo_sapiens", "--release", "111", "--base-url", f"{site.url}/pub"]
    refused(tmp_path, capsys, pattern, *base, *options)


def test_ensembl_does_not_know_the_species(site, tmp_path, capsys):
    base = ["--release", "111", "--base-url", f"{site.url}/pub"]
    refused(
        tmp_path, capsys, r"no readable CHECKSUMS to find the assembly in", "--ensembl", "homo_sapien", *base
    )
    refused(tmp_path, capsys, r"is no Ensembl species name", "--ensembl", "Homo sapiens", *base)
    refused(tmp_path, capsys, r"HTTP status 404", "--ensembl", "homo_sapien", "--assembly", "GRCh38", *base)


# NCBI


def flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


def archive(*members: tuple[str, bytes], link: str = "") -> bytes:
    """Returns a zip with the given members, and a symbolic link named `link`."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content in members:
            zipped.writestr(name, content)
        if link:
            entry = zipfile.ZipInfo(link)
            entry.external_attr = (stat.S_IFLNK | 0o777) << 16
            zipped.writestr(entry, "/etc/passwd")
    return data.getvalue()


GOOD = ncbi_zip(ACCESSION, {"x_genomic.fna": FASTA})
ARCHIVES = [
    ("14 truncated", GOOD[:-100], r"damaged or truncated zip archive"),
    (
        "14 flipped bit",
        flip(GOOD, GOOD.index(b"x_genomic.fna") + 200),
        r"x_genomic\.fna' is damaged|damaged or trunc",
    ),
    ("14 no zip", b'{"error": "no such accession"}', r"damaged or truncated zip archive"),
    (
        "14 another md5",
        ncbi_zip(ACCESSION, {"x_genomic.fna": FASTA}, {MEMBER: "0" * 32}),
        r"md5sum\.txt says 0{32}",
    ),
    (
        "14 no FASTA",
        ncbi_zip(ACCESSION, {"x.txt": b"x"}),
        r"found 0 ncbi_dataset/data/GCF.* files, expected 1",
    ),
    (
        "14 two FASTA",
        ncbi_zip(ACCESSION, {"x_genomic.fna": FASTA, "y_genomic.fna": FASTA}),
        r"found 2 .* expected 1",
    ),
    (
        "15 parent folder",
        archive((MEMBER, FASTA), ("../evil", b"x")),
        r"member '\.\./evil' would leave its folder",
    ),
    (
        "15 absolute",
        archive((MEMBER, FASTA), ("/etc/evil", b"x")),
        r"member '/etc/evil' would leave its folder",
    ),
    ("15 backslashes", archive((MEMBER, FASTA), ("a\\..\\..\\evil", b"x")), r"would leave its folder"),
    ("15 drive", archive((MEMBER, FASTA), ("C:/evil", b"x")), r"would leave its folder"),
    ("15 link", archive((MEMBER, FASTA), link="ncbi_dataset/evil"), r"member 'ncbi_dataset/evil' is a link"),
    ("15 bomb", archive((MEMBER, b"N" * 250_000_000)), r"would grow from \d+ to 250000000 bytes"),
]


@pytest.mark.parametrize(("name", "content", "pattern"), ARCHIVES, ids=[case[0] for case in ARCHIVES])
def test_a_bad_archive_is_refused_and_the_next_run_fetches_it_anew(
    site, tmp_path, capsys, name, content, pattern
):
    arguments = ["--ncbi", ACCESSION, "--base-url", f"{site.url}/v2"]
    site.files[NCBI] = content
    refused(tmp_path, capsys, pattern, *arguments)
    assert not (tmp_path / "evil").exists() and not (tmp_path / "out" / "evil").exists()
    site.files[NCBI] = GOOD
    assert fetched(tmp_path, *arguments).replace(b"\n", b"") == FASTA.replace(b"\n", b"")


def test_another_genome_under_the_same_accession_is_refused(site, tmp_path, capsys):
    arguments = ["--ncbi", ACCESSION, "--base-url", f"{site.url}/v2"]
    site.files[NCBI] = GOOD
    fetched(tmp_path, *arguments)
    shutil.rmtree(tmp_path / "out")
    site.files[NCBI] = ncbi_zip(ACCESSION, {"x_genomic.fna": FASTA + b"A\n"})
    refused(tmp_path, capsys, rf"ncbi:{ACCESSION}/genome: differs from .*lock\.json", *arguments)
    assert list(json.loads((tmp_path / "lock.json").read_text())) == [f"ncbi:{ACCESSION}/genome"]
