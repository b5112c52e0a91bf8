"""Files for browsers follow their formats: 2bit, UCSC hub, IGV, igv.js, gene models; and the Zarr store."""

import json
import struct
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import toy_models
from toy_elements import OWN_STRAND, RESOLUTION, step_arguments, values, write_run

from dnalm import files, tracks
from dnalm.annotation import ANNOTATION_COLUMNS, write_annotation
from dnalm.elements import array_store, features, genes, two_bit, views
from dnalm.errors import UserError
from dnalm.genome import Genome

SEQUENCES = {
    "1": "NNACGTacgtNnACGTRYAC",
    "MT": "T",
    "all_n": "NNNNN",
    "soft": "acgtn",
    "long.1": toy_models.random_bases(1001).tobytes().decode() + "N" * 7 + "ACG",
}


def read_two_bit(path):
    """Reads 2bit independently of the writer: contig -> sequence, unknown as N, masked in lower case."""
    data = path.read_bytes()
    signature, version, count, reserved = struct.unpack_from("<4I", data)
    assert (signature, reserved) == (0x1A412743, 0) and version in (0, 1)
    place, sequences = 16, {}
    for _ in range(count):
        name = data[place + 1 : place + 1 + data[place]].decode()
        place += 1 + data[place]
        (offset,) = struct.unpack_from("<Q" if version else "<I", data, place)
        place += 8 if version else 4
        (length,), at = struct.unpack_from("<I", data, offset), offset + 4
        blocks = []
        for _ in range(2):
            (number,) = struct.unpack_from("<I", data, at)
            numbers = struct.unpack_from(f"<{2 * number}I", data, at + 4)
            blocks.append(list(zip(numbers[:number], numbers[number:], strict=True)))
            at += 4 + 8 * number
        packed = data[at + 4 : at + 4 + -(-length // 4)]
        letters = ["TCAG"[byte >> shift & 3] for byte in packed for shift in (6, 4, 2, 0)][:length]
        for start, size in blocks[0]:
            letters[start : start + size] = "N" * size
        for start, size in blocks[1]:
            letters[start : start + size] = [letter.lower() for letter in letters[start : start + size]]
        sequences[name] = "".join(letters)
    return sequences


@pytest.mark.parametrize("scan_bp", [4, 8, 1 << 22])
@pytest.mark.parametrize("long_bp", [0, 10**10], ids=["64 bits", "32 bits"])
def test_a_two_bit_gives_back_the_genome(tmp_path, monkeypatch, scan_bp, long_bp):
    monkeypatch.setattr(two_bit, "SCAN_BP", scan_bp)
    monkeypatch.setattr(two_bit, "LONG_BP", long_bp)
    with Genome(toy_models.write_fasta(tmp_path / "genome.fa", SEQUENCES)) as genome:
        two_bit.write_two_bit(genome, tmp_path / "genome.2bit")
    expected = {name: text.replace("R", "N").replace("Y", "N") for name, text in SEQUENCES.items()}
    assert read_two_bit(tmp_path / "genome.2bit") == expected


def test_a_name_too_long_for_two_bit_is_refused(tmp_path):
    fasta = toy_models.write_fasta(tmp_path / "genome.fa", {"x" * 256: "ACGT"})
    with Genome(fasta) as genome, pytest.raises(UserError, match="has a name of over 255 letters"):
        two_bit.write_two_bit(genome, tmp_path / "genome.2bit")
    assert not (tmp_path / "genome.2bit").exists()


def annotated(folder):
    """An annotation of a coding transcript with two exons, one of which is given in two pieces."""
    parts = [("exon", 10, 20), ("exon", 20, 25), ("exon", 40, 60), ("CDS", 15, 45), ("gene", 10, 60)]
    rows = [
        {"contig": "1", "start": start, "end": end, "strand": "-", "type": kind, "gene_name": "abc"}
        for kind, start, end in parts
    ]
    table = pd.DataFrame(rows).assign(gene_id="g", transcript_id="t", biotype="", cds_verified=True)
    table.loc[table["type"] == "gene", "transcript_id"] = ""
    write_annotation(table[list(ANNOTATION_COLUMNS)], folder / "annotation.parquet")
    return folder / "annotation.parquet"


TRACKS = OWN_STRAND | {
    "five_prime_utr.plus.bw": ("5UTR", "+"),
    "five_prime_utr.minus.bw": ("5UTR", "-"),
    "splice_donor.plus.bw": ("splice_donor", "+"),
    "splice_donor.minus.bw": ("splice_donor", "-"),
}


def make(folder, *more, tracks=TRACKS, annotation=True):
    import call_elements
    import make_hub

    columns = {name: values("0.90" * 25) for name in tracks}
    run, genome = write_run(folder, {"1": columns, "2": columns}, tracks)
    arguments = step_arguments(run, genome)
    assert call_elements.main([*arguments, "--output", str(run / "elements.bed")]) == 0
    table = ["--annotation", str(annotated(folder))] if annotation else []
    labels = ["--species", "homo_sapiens", "--model", "a_model"]
    assert make_hub.main([*arguments, *table, *labels, *more]) == 0
    return run, genome


def stanzas(path):
    """Reads a hub's file as UCSC does: settings by line, stanzas parted by empty lines."""
    found = []
    for block in path.read_text().rstrip("\n").split("\n\n"):
        lines = [line.split(" ", 1) for line in block.split("\n")]
        assert all(len(line) == 2 and line[1].strip() for line in lines), block
        assert len({key for key, _ in lines}) == len(lines)
        found.append(dict(lines))
    return found


def check_tracks(found, hub, either=False):
    """Checks track stanzas against UCSC's rules; returns the containers and their children."""
    names = [track["track"] for track in found]
    assert len(set(names)) == len(names)
    parents = {track["track"]: track for track in found if "container" in track}
    for track in found:
        assert track["track"][0].isalpha() and track["track"].replace("_", "").isalnum()
        assert track["type"] == "bigWig 0 1"
        assert len(track["shortLabel"]) <= 17 and len(track["longLabel"]) <= 76
        assert track["longLabel"].isascii() and track["shortLabel"].isascii()
        if "container" in track:
            assert track["container"] == "multiWig" and "bigDataUrl" not in track
            assert track["viewLimits"] == "0:1" and track["autoScale"] == "off"
        else:
            assert either or track["parent"] in parents
            assert (hub / track["bigDataUrl"]).resolve().exists()
            assert all(0 <= int(part) <= 255 for part in track["color"].split(","))
            assert len(track["color"].split(",")) == 3
    return parents


def test_an_assembly_hub(tmp_path):
    run, genome = make(tmp_path)
    hub = run / "hub"
    head, place, *found = stanzas(hub / "hub.txt")
    assert {"hub", "shortLabel", "longLabel", "email"} <= set(head) and head["useOneFile"] == "on"
    assert head["hub"] == "dnalm_homo_sapiens_run" and len(head["shortLabel"]) <= 17
    for key in ("twoBitPath", "chromSizes", "groups", "htmlPath"):
        assert (hub / place[key]).exists()
    assert place["genome"] == "dnalm_homo_sapiens" and place["defaultPos"] == "1:1-100"
    assert place["scientificName"] == "Homo sapiens"
    assert (hub / "chrom.sizes").read_text() == "1\t100\n2\t100\n"
    with Genome(genome) as opened:
        assert read_two_bit(hub / "genome.2bit") == {c: opened.fetch(c, 0, 100) for c in opened.lengths}
    (group,) = stanzas(hub / "groups.txt")
    assert set(group) == {"name", "label", "priority", "defaultIsClosed"}
    parents = check_tracks(found, hub)
    assert len(parents) == 3 and {track.get("group", group["name"]) for track in found} == {group["name"]}
    assert [track["track"] for track in found if track.get("parent") == "exon_strands"] == [
        "exon_plus",
        "exon_minus",
    ]
    assert parents["splice_donor_strands"]["windowingFunction"] == "maximum"
    assert "n_5utr_strands" in parents
    content = files.read_manifest(hub)["content"]
    assert set(content["files"]) == {path.name for path in hub.iterdir()} - {"manifest.json"}


def test_a_hub_on_an_assembly_of_ucsc(tmp_path):
    run, _ = make(tmp_path, "--ucsc-db", "hg38")
    _, place, *found = stanzas(run / "hub" / "hub.txt")
    assert place == {"genome": "hg38"} and not any("group" in track for track in found)
    assert {path.name for path in (run / "hub").iterdir()} == {"hub.txt", "description.html", "manifest.json"}


def test_tracks_of_either_strand_stand_alone(tmp_path):
    run, _ = make(tmp_path, tracks={"exon.bw": ("exon", "either"), "enhancer.bw": ("enhancer_x", "either")})
    found = stanzas(run / "hub" / "hub.txt")[2:]
    assert check_tracks(found, run / "hub", either=True) == {}
    assert [track["bigDataUrl"] for track in found] == ["../exon.bw", "../enhancer.bw"]
    assert all(track["viewLimits"] == "0:1" for track in found)


def test_the_session_of_igv(tmp_path):
    run, genome = make(tmp_path)
    root = ElementTree.parse(run / "igv_session.xml").getroot()  # noqa: S314 - our own file
    assert root.tag == "Session" and (run / root.get("genome")).resolve() == genome.resolve()
    assert root.get("genome") == "../../masked.fa" and root.get("locus") == "1:1-100"
    resources = [resource.get("path") for resource in root.iter("Resource")]
    assert resources == [*TRACKS, "genes.bed", "elements.bed"]
    assert all((run / name).exists() for name in resources)
    assert [track.get("id") for track in root.iter("Track")] == resources
    for track in root.iter("Track"):
        if track.get("id").endswith(".bw"):
            scale = track.find("DataRange")
            assert (scale.get("minimum"), scale.get("maximum"), track.get("autoScale")) == (
                "0.0",
                "1.0",
                "false",
            )


@pytest.mark.parametrize("annotation", [True, False])
def test_the_options_of_igvjs(tmp_path, annotation):
    run, _ = make(tmp_path, annotation=annotation)
    options = json.loads((run / "igvjs_tracks.json").read_text())
    reference = options["reference"]
    assert reference["fastaURL"] == "../../masked.fa" and (run / reference["indexURL"]).exists()
    beds = ["genes.bed"] * annotation + ["elements.bed"]
    assert [track["url"] for track in options["tracks"]] == [*TRACKS, *beds]
    wigs = [track for track in options["tracks"] if track["format"] == "bigwig"]
    assert all((track["min"], track["max"], track["autoscale"]) == (0, 1, False) for track in wigs)
    assert wigs[4]["windowFunction"] == "max" and wigs[0]["windowFunction"] == "mean"


def test_genes_as_bed12(tmp_path):
    run, _ = make(tmp_path)
    line = "1\t10\t60\tabc\t0\t-\t15\t45\t34,34,34\t2\t15,20\t0,30\n"
    assert (run / "genes.bed").read_text() == line
    assert genes.bed12(pd.DataFrame(columns=list(ANNOTATION_COLUMNS)), {"1": 100}) == ""


@pytest.mark.parametrize(
    "text, name",
    [("exon.plus", "exon_plus"), ("5utr", "n_5utr"), ("CTCF-bound", "CTCF_bound"), ("_x", "n__x")],
)
def test_names_for_ucsc(text, name):
    assert views.safe_name(text) == name


@pytest.mark.parametrize(
    "strand, colour", [("+", "0,114,178"), ("either", "0,114,178"), ("-", "115,177,213")]
)
def test_colours(strand, colour):
    assert features.rgb("exon", strand) == colour


LENGTHS = {"one": 700, "2": 40, "three": 260}


@pytest.mark.parametrize("resolution", [RESOLUTION, None])
@pytest.mark.parametrize("chunk_bp, read_bp", [(1 << 17, 1 << 20), (64, 128)])
def test_the_store_holds_what_the_bigwigs_hold(tmp_path, monkeypatch, chunk_bp, read_bp, resolution):
    import export_zarr
    import zarr

    monkeypatch.setattr(array_store, "CHUNK_BP", chunk_bp)
    monkeypatch.setattr(array_store, "READ_BP", read_bp)
    generator = np.random.default_rng(2)
    contigs = {}
    for contig, length in LENGTHS.items():
        contigs[contig] = {name: generator.random(length) for name in OWN_STRAND}
        contigs[contig]["exon.plus.bw"][length // 3 : length // 2] = np.nan
    contigs["2"] = dict.fromkeys(OWN_STRAND, np.full(40, np.nan))
    run, genome = write_run(tmp_path, contigs, OWN_STRAND, ["one:0-700", "three:0-260"], resolution)
    store = run / "probabilities.zarr"
    for _ in range(2):  # the second replaces the first
        assert export_zarr.main([*step_arguments(run, genome), "--output", str(store)]) == 0
    root = zarr.open_group(store, mode="r")
    about = root.attrs["dnalm"]
    assert [track["file"] for track in about["tracks"]] == list(OWN_STRAND)
    assert about["resolution"] == (resolution or "float32")
    assert about["missing"] == (tracks.MISSING_LEVEL if resolution else None)
    assert about["genome_sha256"] == files.sha256_of(genome)
    for contig, length in LENGTHS.items():
        array = root[contig]["levels"]
        assert array.shape == (length, 2) and array.dtype == (np.uint16 if resolution else np.float32)
        for column, name in enumerate(OWN_STRAND):
            with tracks.open_track(run / name) as track:
                expected = tracks.read_values(track, contig, 0, length)
            if resolution:
                expected = tracks.to_levels(expected, resolution)
            np.testing.assert_array_equal(array[:, column], expected)
    assert {path.name for path in run.iterdir()} >= {"probabilities.zarr"}
    assert not [path for path in run.iterdir() if path.name.endswith(".tmp")]
    assert set(files.read_manifest(store)["content"]["values_sha256"]) == set(LENGTHS)


def test_paths_are_those_of_the_documentation():
    text = (Path(__file__).parents[2] / "config" / "README.md").read_text()
    for name in ("elements.gff3", "elements.bed", "hub/hub.txt", "igv_session.xml", "igvjs_tracks.json"):
        assert name in text
