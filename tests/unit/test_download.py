"""Downloads from servers on 127.0.0.1 with the real layouts."""

import gzip
import hashlib
import json
import random
import subprocess
import sys
import time
from pathlib import Path

import fetch_genome
import pytest
import read_annotation
from file_server import CUT, STALL, FtpServer, HttpServer, bsd_sum, ensembl_folder, names_in, ncbi_zip

from dnalm.download import Source, ensembl, fetch, lock, obtain, transfer
from dnalm.download.part import Part
from dnalm.download.transfer import local_name
from dnalm.errors import UserError

CONTENT = random.Random(5).randbytes(5_000_000)
FASTA = b">1 dna_sm:chromosome\nACGTacgtNN\n>2 dna_sm:chromosome\nGGGG\n>MT\nCCCC\n"
PACKED = gzip.compress(FASTA, mtime=0)


@pytest.fixture
def site(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with HttpServer() as site:
        yield site


def get(site, path, target, **options):
    return fetch(f"{site.url}{path}", target, pause_s=0.0, **options)


def test_a_download_is_complete(site, tmp_path):
    site.files["/x.bin"] = CONTENT
    get(site, "/x.bin", tmp_path / "new" / "x.bin")
    assert (tmp_path / "new" / "x.bin").read_bytes() == CONTENT
    assert names_in(tmp_path / "new") == ["x.bin"]


def test_18_what_is_there_is_not_asked_for(site, tmp_path):
    (tmp_path / "x.bin").write_bytes(b"there")
    get(site, "/x.bin", tmp_path / "x.bin")
    assert site.requests == [] and (tmp_path / "x.bin").read_bytes() == b"there"


def test_8_a_cut_download_resumes_within_a_run(site, tmp_path):
    site.files["/x.bin"], site.answers["/x.bin"] = CONTENT, [CUT, CUT]
    get(site, "/x.bin", tmp_path / "x.bin")
    assert (tmp_path / "x.bin").read_bytes() == CONTENT
    first, second, third = site.asked("/x.bin")
    assert "Range" not in first
    assert second["Range"] == "bytes=3000000-" and third["Range"] == "bytes=4200000-"
    assert second["If-Range"] == third["If-Range"] == site.etag("/x.bin")
    assert names_in(tmp_path) == ["x.bin"]


def cut_once(site, tmp_path, path="/x.bin"):
    """Leaves 60 % of a file as its part, as a killed or failing run does."""
    site.answers[path] = [CUT]
    with pytest.raises(UserError, match="cut after 3000000 of 5000000 bytes, after 1 attempts"):
        get(site, path, tmp_path / "x.bin", retries=0)
    assert names_in(tmp_path) == ["x.bin.part", "x.bin.part.json"]


def test_8_a_cut_download_resumes_in_the_next_run(site, tmp_path):
    site.files["/x.bin"] = CONTENT
    cut_once(site, tmp_path)
    get(site, "/x.bin", tmp_path / "x.bin")
    assert (tmp_path / "x.bin").read_bytes() == CONTENT and names_in(tmp_path) == ["x.bin"]
    assert site.asked("/x.bin")[1]["Range"] == "bytes=3000000-"


def test_8_a_killed_download_resumes_in_the_next_run(site, tmp_path):
    site.files["/x.bin"], site.answers["/x.bin"] = CONTENT, [STALL]
    script = "import sys; from dnalm.download import fetch; fetch(sys.argv[1], sys.argv[2])"
    environment = {"PYTHONPATH": str(Path(fetch_genome.__file__).parent), "no_proxy": "*"}
    command = [sys.executable, "-c", script, f"{site.url}/x.bin", tmp_path / "x.bin"]
    with subprocess.Popen(command, env=environment) as process:
        while sum(path.stat().st_size for path in tmp_path.glob("*.part")) < 2_000_000:
            assert process.poll() is None
            time.sleep(0.02)
        process.kill()
    assert not (tmp_path / "x.bin").exists()
    get(site, "/x.bin", tmp_path / "x.bin")
    assert (tmp_path / "x.bin").read_bytes() == CONTENT and names_in(tmp_path) == ["x.bin"]
    assert int(site.asked("/x.bin")[1]["Range"].removeprefix("bytes=").rstrip("-")) >= 2_000_000


def test_9_a_server_without_ranges_sends_all_again(site, tmp_path, caplog):
    site.files["/x.bin"], site.ranges = CONTENT, False
    cut_once(site, tmp_path)
    get(site, "/x.bin", tmp_path / "x.bin")
    assert (tmp_path / "x.bin").read_bytes() == CONTENT
    assert "starting again" in caplog.text


def test_10_a_changed_file_starts_again(site, tmp_path, caplog):
    site.files["/x.bin"] = CONTENT
    cut_once(site, tmp_path)
    site.files["/x.bin"] = CONTENT[::-1]
    get(site, "/x.bin", tmp_path / "x.bin")
    assert (tmp_path / "x.bin").read_bytes() == CONTENT[::-1]
    assert "starting again" in caplog.text


def test_10_a_changed_file_that_the_server_resumes_all_the_same(site, tmp_path, caplog):
    site.files["/x.bin"], site.minds_if_range = CONTENT, False
    cut_once(site, tmp_path)
    site.files["/x.bin"] = CONTENT[::-1]
    get(site, "/x.bin", tmp_path / "x.bin")
    assert (tmp_path / "x.bin").read_bytes() == CONTENT[::-1]
    assert "the file on the server changed; starting again" in caplog.text


def test_without_a_validator_nothing_is_resumed(site, tmp_path):
    site.files["/x.bin"], site.etags = CONTENT, False
    cut_once(site, tmp_path)
    get(site, "/x.bin", tmp_path / "x.bin")
    assert "Range" not in site.asked("/x.bin")[1]
    assert (tmp_path / "x.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("extra", [0, 10])
def test_a_part_as_long_as_the_file_or_longer_starts_again(site, tmp_path, extra):
    site.files["/x.bin"] = CONTENT
    (tmp_path / "x.bin.part").write_bytes(CONTENT[::-1] + b"0" * extra)
    about = {"url": f"{site.url}/x.bin", "validator": site.etag("/x.bin"), "bytes": len(CONTENT)}
    (tmp_path / "x.bin.part.json").write_text(json.dumps(about))
    get(site, "/x.bin", tmp_path / "x.bin")
    assert (tmp_path / "x.bin").read_bytes() == CONTENT and names_in(tmp_path) == ["x.bin"]


def test_a_part_of_another_url_is_not_used(site, tmp_path):
    site.files["/x.bin"] = CONTENT
    (tmp_path / "x.bin.part").write_bytes(b"0" * 100)
    about = {"url": "http://other/x.bin", "validator": site.etag("/x.bin"), "bytes": len(CONTENT)}
    (tmp_path / "x.bin.part.json").write_text(json.dumps(about))
    get(site, "/x.bin", tmp_path / "x.bin")
    assert (tmp_path / "x.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("statuses", [[503], [500, 502], [429, 429, 503]])
def test_7_passing_faults_are_tried_again(site, tmp_path, statuses):
    site.files["/x.bin"], site.answers["/x.bin"] = b"good", list(statuses)
    get(site, "/x.bin", tmp_path / "x.bin")
    assert len(site.asked("/x.bin")) == len(statuses) + 1 and (tmp_path / "x.bin").read_bytes() == b"good"


def test_a_timeout_is_tried_again(site, tmp_path, monkeypatch):
    site.files["/x.bin"] = b"good"
    calls = []
    original = transfer.urllib.request.urlopen

    def slow_at_first(*arguments, **options):
        calls.append(1)
        if len(calls) == 1:
            raise TimeoutError("timed out")
        return original(*arguments, **options)

    monkeypatch.setattr(transfer.urllib.request, "urlopen", slow_at_first)
    get(site, "/x.bin", tmp_path / "x.bin")
    assert (tmp_path / "x.bin").read_bytes() == b"good" and len(calls) == 2


def test_ftp_and_file_urls(tmp_path):
    with FtpServer("/pub/genomes/x.fa.gz", CONTENT) as server:
        fetch(server.url, tmp_path / "ftp.bin", pause_s=0.0)
    assert (tmp_path / "ftp.bin").read_bytes() == CONTENT
    fetch((tmp_path / "ftp.bin").as_uri(), tmp_path / "file.bin")
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


def test_16_two_downloads_at_once_end_with_the_same_file(site, tmp_path):
    first, second = Part(tmp_path / "x.bin"), Part(tmp_path / "x.bin")
    first.path.write_bytes(b"whole")
    second.path.write_bytes(b"who")
    assert first.path != second.path
    second.path.write_bytes(b"whole")
    first.publish()
    second.publish()
    assert (tmp_path / "x.bin").read_bytes() == b"whole" and names_in(tmp_path) == ["x.bin"]


def test_17_the_part_of_a_dead_process_is_taken_up_and_that_of_a_living_one_is_not(tmp_path):
    script = """if True:
        import pathlib, sys
        from dnalm.download.part import Part
        part = Part(pathlib.Path(sys.argv[1]))
        part.path.write_bytes(b"12345")
        part.describe({"url": "u"})
    """
    folder = str(Path(fetch_genome.__file__).parent)
    subprocess.run([sys.executable, "-c", script, tmp_path / "x.bin"], check=True, env={"PYTHONPATH": folder})
    taken = Part(tmp_path / "x.bin")
    assert taken.size == 5 and taken.about == {"url": "u"}
    (tmp_path / "x.bin.old.part").write_bytes(b"of x.bin.old")
    other = Part(tmp_path / "x.bin")  # while `taken` is in use
    assert other.size == 0 and taken.size == 5 and (tmp_path / "x.bin.old.part").exists()


def test_the_lock_records_at_first_use_and_enforces_afterwards(tmp_path):
    path, pins = tmp_path / "x.fa", tmp_path / "lock.json"
    path.write_bytes(b"content")
    found = {"bytes": 7, "sha256": hashlib.sha256(b"content").hexdigest()}
    assert lock.verify(path, "key", pins) == found and not pins.exists()
    lock.record({"key": found}, pins)
    lock.record({"another": {"bytes": 1, "sha256": "0"}, "key": {"bytes": 0, "sha256": "other"}}, pins)
    assert json.loads(pins.read_text()) == {"another": {"bytes": 1, "sha256": "0"}, "key": found}
    assert lock.verify(path, "key", pins) == found
    path.write_bytes(b"contenT")
    with pytest.raises(
        UserError, match=r"key: differs from .*found 7 bytes, sha256 [0-9a-f]{64}, expected 7 bytes"
    ):
        lock.verify(path, "key", pins)


# Ensembl -----------------------------------------------------------------------------------------

DNA = "/pub/release-111/fasta/homo_sapiens/dna"
PLANT_DNA = "/pub/plants/release-60/fasta/zea_mays/dna"
HUMAN = {
    "Homo_sapiens.GRCh38.dna.primary_assembly.fa.gz": gzip.compress(FASTA.upper(), mtime=0),
    "Homo_sapiens.GRCh38.dna.toplevel.fa.gz": gzip.compress(FASTA.upper() + b">alt\nA\n", mtime=0),
    "Homo_sapiens.GRCh38.dna_rm.primary_assembly.fa.gz": b"not wanted",
    "Homo_sapiens.GRCh38.dna_sm.chromosome.1.fa.gz": gzip.compress(b">1 dna_sm\nACgt\n", mtime=0),
    "Homo_sapiens.GRCh38.dna_sm.chromosome.20.fa.gz": gzip.compress(b">20 dna_sm\nGGtt\n", mtime=0),
    "Homo_sapiens.GRCh38.dna_sm.primary_assembly.fa.gz": PACKED,
    "Homo_sapiens.GRCh38.dna_sm.toplevel.fa.gz": gzip.compress(FASTA + b">alt\na\n", mtime=0),
}
MAIZE = "Zea_mays.Zm-B73-REFERENCE-NAM-5.0.dna_sm.toplevel.fa.gz"


def fetched(tmp_path, *arguments) -> list[str]:
    """Runs fetch_genome.py and returns the FASTA's lines."""
    output = tmp_path / "out" / "genome.fa"
    words = [*arguments, "--output", output, "--retry-pause-s", "0", "--lock-file", tmp_path / "lock.json"]
    assert fetch_genome.main([str(word) for word in words]) == 0
    assert names_in(tmp_path / "out") == ["genome.fa", "genome.fa.fai", "genome.fa.manifest.json"]
    return output.read_text().splitlines()


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        (["--sequence", "primary_assembly"], [">1", "ACGTacgtNN", ">2", "GGGG", ">MT", "CCCC"]),
        (["--sequence", "primary_assembly", "--not-soft-masked", "--include", "1"], [">1", "ACGTACGTNN"]),
        (["--exclude", "MT", "1", "2"], [">alt", "a"]),
        (["--contig", "20"], [">20", "GGtt"]),
        (["--contig", "20", "--contig", "1"], [">20", "GGtt", ">1", "ACgt"]),
        (["--assembly", "GRCh38", "--contig", "1"], [">1", "ACgt"]),
    ],
    ids=lambda value: " ".join(value) if str(value[0]).startswith("--") else "",
)
def test_ensembl_by_name_and_release(site, tmp_path, capsys, options, lines):
    ensembl_folder(site, DNA, HUMAN)
    arguments = ["--ensembl", "homo_sapiens", "--release", "111", "--base-url", f"{site.url}/pub"]
    assert fetched(tmp_path, *arguments, *options) == lines
    assert "CHECKSUMS" not in capsys.readouterr().err
    pins = json.loads((tmp_path / "lock.json").read_text())
    assert all(
        key.startswith("https://ftp.ensembl.org/pub/release-111/fasta/homo_sapiens/dna/Homo") for key in pins
    )
    manifest = json.loads((tmp_path / "out" / "genome.fa.manifest.json").read_text())["content"]
    assert manifest["source"] == pins and site.url not in json.dumps(manifest)


def test_ensembl_plants_with_tabs_in_checksums(site, tmp_path, capsys):
    ensembl_folder(site, PLANT_DNA, {MAIZE: PACKED, "README": b"x"}, separator="\t")
    arguments = ["--ensembl-plants", "zea_mays", "--release", "60", "--assembly", "Zm-B73-REFERENCE-NAM-5.0"]
    assert fetched(tmp_path, *arguments, "--base-url", f"{site.url}/pub/plants")[:2] == [">1", "ACGTacgtNN"]
    key = f"https://ftp.ensemblgenomes.ebi.ac.uk{PLANT_DNA}/{MAIZE}"
    assert list(json.loads((tmp_path / "lock.json").read_text())) == [key]
    assert "CHECKSUMS" not in capsys.readouterr().err


def test_13_ensembl_without_checksums_or_with_stale_ones_only_warns(site, tmp_path, capsys):
    site.files[f"{PLANT_DNA}/{MAIZE}"] = PACKED
    arguments = ["--ensembl-plants", "zea_mays", "--release", "60", "--assembly", "Zm-B73-REFERENCE-NAM-5.0"]
    arguments += ["--base-url", f"{site.url}/pub/plants"]
    fetched(tmp_path, *arguments)
    assert "no CHECKSUMS" in capsys.readouterr().err
    site.files[f"{PLANT_DNA}/CHECKSUMS"] = f"12345 1 {MAIZE}\n".encode()
    (tmp_path / "lock.json").unlink()
    fetched(tmp_path, *arguments)
    assert "CHECKSUMS says (12345, 1); the list may be stale" in capsys.readouterr().err


def test_old_releases_have_the_release_in_the_name(site, tmp_path):
    folder = "/pub/release-75/fasta/homo_sapiens/dna"
    name = "Homo_sapiens.GRCh37.75.dna_sm.primary_assembly.fa.gz"
    arguments = ["--ensembl", "homo_sapiens", "--release", "75", "--sequence", "primary_assembly"]
    arguments += ["--base-url", f"{site.url}/pub"]
    site.files[f"{folder}/{name}"] = PACKED
    fetched(tmp_path, *arguments, "--assembly", "GRCh37")  # without a list
    ensembl_folder(site, folder, {name: PACKED})
    fetched(tmp_path, *arguments)  # from the list


def test_18_downloads_that_were_kept_need_no_network(site, tmp_path):
    ensembl_folder(site, DNA, HUMAN)
    source = Source("ensembl", "homo_sapiens", 111, sequence="primary_assembly", base_url=f"{site.url}/pub")
    path, about = obtain(source, "genome", tmp_path, pause_s=0.0)
    assert path.read_bytes() == PACKED and len(site.requests) == 2
    assert obtain(source, "genome", tmp_path, pause_s=0.0) == (path, about) and len(site.requests) == 2


def test_the_rotating_sum(tmp_path):
    for size in (0, 1, 1024, 1025, 70_000):
        content = random.Random(size).randbytes(size)
        (tmp_path / "x").write_bytes(content)
        expected = tuple(map(int, bsd_sum(content).split()))
        assert ensembl.bsd_sum(tmp_path / "x") == ensembl.slow_bsd_sum(tmp_path / "x") == expected
    listed = (
        "05387 861249 Homo_sapiens.GRCh38.dna.alt.fa.gz\n1\t2\t./folder/x.gz\n\nnot a line\nCHECKSUMS 1 2\n"
    )
    assert ensembl.parse_checksums(listed) == {
        "Homo_sapiens.GRCh38.dna.alt.fa.gz": (5387, 861249),
        "x.gz": (1, 2),
    }


# NCBI --------------------------------------------------------------------------------------------

ACCESSION = "GCF_000001735.4"
DOWNLOAD = f"/datasets/v2/genome/accession/{ACCESSION}/download?include_annotation_type="


def test_ncbi_by_accession(site, tmp_path):
    name = f"{ACCESSION}_TAIR10.1_genomic.fna"
    site.files[f"{DOWNLOAD}GENOME_FASTA"] = ncbi_zip(ACCESSION, {name: FASTA})
    arguments = ["--ncbi", ACCESSION, "--base-url", f"{site.url}/datasets/v2"]
    assert fetched(tmp_path, *arguments)[:2] == [">1", "ACGTacgtNN"]
    pins = {f"ncbi:{ACCESSION}/genome": {"bytes": len(FASTA), "sha256": hashlib.sha256(FASTA).hexdigest()}}
    assert json.loads((tmp_path / "lock.json").read_text()) == pins
    # the archive is made anew for every download; its content is what counts
    site.files[f"{DOWNLOAD}GENOME_FASTA"] = ncbi_zip(ACCESSION, {"extra.txt": b"x", name: FASTA})
    assert fetched(tmp_path, *arguments)[:2] == [">1", "ACGTacgtNN"]


# Annotations -------------------------------------------------------------------------------------

GTF = b'1\ts\texon\t1\t4\t.\t+\t.\tgene_id "g"; transcript_id "t";\n'


def test_annotations_by_ensembl_ncbi_and_url(site, tmp_path):
    (tmp_path / "genome.fa").write_text(">1\nACGT\n")
    packed = gzip.compress(GTF, mtime=0)
    names = ["Homo_sapiens.GRCh38.111.abinitio.gtf.gz", "Homo_sapiens.GRCh38.111.chr.gtf.gz"]
    files = dict.fromkeys(names, b"not wanted") | {"Homo_sapiens.GRCh38.111.gtf.gz": packed}
    ensembl_folder(site, "/pub/release-111/gtf/homo_sapiens", files)
    site.files[f"{DOWNLOAD}GENOME_GTF"] = ncbi_zip(ACCESSION, {"genomic.gtf": GTF})
    sources = [
        ["--annotation", f"{site.url}/pub/release-111/gtf/homo_sapiens/Homo_sapiens.GRCh38.111.gtf.gz"],
        ["--ensembl", "homo_sapiens", "--release", "111", "--base-url", f"{site.url}/pub"],
        ["--ncbi", ACCESSION, "--base-url", f"{site.url}/datasets/v2"],
    ]
    tables = set()
    for number, source in enumerate(sources):
        output = tmp_path / str(number) / "annotation.parquet"
        arguments = [*source, "--genome", str(tmp_path / "genome.fa"), "--output", str(output)]
        assert read_annotation.main(arguments) == 0
        tables.add(output.read_bytes())
        assert names_in(output.parent) == ["annotation.parquet", "annotation.parquet.manifest.json"]
    assert len(tables) == 1


def test_local_names_are_safe_and_distinct():
    keys = [
        "http://x/../../etc/passwd",
        "http://x/a b;c$(d).fa",
        "http://x/",
        "http://y/",
        "http://x/" + "a" * 300,
    ]
    names = [local_name(key) for key in keys]
    assert len(set(names)) == len(keys)
    assert all(len(name) < 120 and "/" not in name and not set(" ;$()") & set(name) for name in names)
