"""Annotation: every position worked out by hand, GTF and GFF3 saying the same, Biopython for GenBank."""

import gzip
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
from Bio import SeqIO

from dnalm import annotation
from dnalm.errors import UserError

ARABIDOPSIS = Path(__file__).parents[1] / "data" / "arabidopsis_bac_T25K16" / "arab1.gb"


def gtf(*rows: tuple) -> str:
    """Writes GTF from (type, start, end, strand, gene, transcript or "", further attributes)."""
    lines = []
    for kind, start, end, strand, gene, transcript, *more in rows:
        attributes = f'gene_id "{gene}";' + (f' transcript_id "{transcript}";' if transcript else "")
        lines.append(
            "\t".join(["c", "s", kind, str(start), str(end), ".", strand, ".", attributes + "".join(more)])
        )
    return "\n".join(lines) + "\n"


def read(folder: Path, text: str | bytes, **options) -> pd.DataFrame:
    path = folder / "in.gtf"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return annotation.read_annotation(path, **options)


def rows_of(table: pd.DataFrame, *types: str) -> list[list]:
    """Returns [type, start, end, strand, gene, transcript] of the types named, all without any."""
    chosen = table[table["type"].isin(types)] if types else table
    return chosen[["type", "start", "end", "strand", "gene_id", "transcript_id"]].to_numpy().tolist()


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(1, 1, (0, 1)), (1, 100, (0, 100)), (100, 100, (99, 100)), (31, 90, (30, 90))],
    ids=["first base", "whole contig", "last base", "middle"],
)
@pytest.mark.parametrize("strand", ["+", "-"])
def test_positions_become_0_based_half_open(tmp_path, start, end, expected, strand):
    table = read(tmp_path, gtf(("exon", start, end, strand, "g", "t")))
    assert rows_of(table) == [
        ["gene", *expected, strand, "g", ""],
        ["transcript", *expected, strand, "g", "t"],
        ["exon", *expected, strand, "g", "t"],
    ]
    assert len(annotation.fit_to_genome(table, {"c": 100}, "x.gtf")) == 3
    site = annotation.transcription_start_sites(table).iloc[0]
    assert site["tss"] == (expected[0] if strand == "+" else expected[1] - 1)


# One gene of two transcripts, on either strand; CDS without stop codon in GTF, with it in GFF3.
GTF_GENE = gtf(
    ("exon", 11, 30, "{s}", "g", "t1"),
    ("exon", 41, 60, "{s}", "g", "t1"),
    ("exon", 71, 90, "{s}", "g", "t1"),
    ("CDS", 45, 60, "{s}", "g", "t1"),
    ("CDS", 71, 74, "{s}", "g", "t1"),
    ("{stop}", 75, 77, "{s}", "g", "t1"),
    ("exon", 5, 90, "{s}", "g", "t2"),
)


def test_missing_utrs_are_exons_outside_cds_and_stop_codon(tmp_path):
    table = read(tmp_path, GTF_GENE.replace("{s}", "+").replace("{stop}", "stop_codon"))
    assert rows_of(table, "five_prime_utr", "three_prime_utr") == [
        ["five_prime_utr", 10, 30, "+", "g", "t1"],
        ["five_prime_utr", 40, 44, "+", "g", "t1"],
        ["three_prime_utr", 77, 90, "+", "g", "t1"],
    ]
    assert rows_of(table, "CDS") == [["CDS", 44, 60, "+", "g", "t1"], ["CDS", 70, 74, "+", "g", "t1"]]


def test_utrs_of_the_reverse_strand(tmp_path):
    table = read(tmp_path, GTF_GENE.replace("{s}", "-").replace("{stop}", "start_codon"))
    assert rows_of(table, "five_prime_utr", "three_prime_utr") == [
        ["three_prime_utr", 10, 30, "-", "g", "t1"],
        ["three_prime_utr", 40, 44, "-", "g", "t1"],
        ["five_prime_utr", 74, 90, "-", "g", "t1"],
    ]


def test_utrs_of_the_file_are_kept_as_they_are(tmp_path):
    table = read(tmp_path, (GTF_GENE + gtf(("five_prime_UTR", 11, 12, "+", "g", "t1"))).replace("{s}", "+"))
    assert rows_of(table, "five_prime_utr", "three_prime_utr") == [["five_prime_utr", 10, 12, "+", "g", "t1"]]


def test_genes_and_transcripts_are_derived(tmp_path):
    table = read(tmp_path, GTF_GENE.replace("{s}", "+"))
    assert rows_of(table, "gene", "transcript") == [
        ["gene", 4, 90, "+", "g", ""],
        ["transcript", 4, 90, "+", "g", "t2"],
        ["transcript", 10, 90, "+", "g", "t1"],
    ]


def test_a_transcript_with_cds_only_gets_exons(tmp_path):
    table = read(
        tmp_path,
        gtf(
            ("CDS", 11, 20, "+", "g", "t"),
            ("stop_codon", 21, 23, "+", "g", "t"),
            ("CDS", 31, 40, "+", "g", "t"),
        ),
    )
    assert rows_of(table, "exon") == [["exon", 10, 23, "+", "g", "t"], ["exon", 30, 40, "+", "g", "t"]]
    assert rows_of(table, "five_prime_utr", "three_prime_utr") == []


@pytest.mark.parametrize("name", ["NA", "nan", "1", "007", "a;b", "1e3", "None"])
def test_identifiers_stay_text(tmp_path, name):
    table = read(tmp_path, gtf(("exon", 1, 9, "+", name, name, " note \"gene_id x; gene_id 'y'\";")))
    assert set(table["gene_id"]) == {name} and set(table["transcript_id"]) == {"", name}
    annotation.write_annotation(table, tmp_path / "t.parquet")
    assert annotation.load_annotation(tmp_path / "t.parquet").equals(table)


def test_names_biotypes_and_unquoted_values(tmp_path):
    text = gtf(("exon", 1, 9, "+", "g", "t", ' gene_type "lncRNA"; gene "n"; exon_number 1')).replace(
        'gene_id "g"', "gene_id g"
    )
    assert set(read(tmp_path, text)["gene_name"]) == {"n"}
    assert set(read(tmp_path, text)["biotype"]) == {"lncRNA"} and set(read(tmp_path, text)["gene_id"]) == {
        "g"
    }


def test_verified_cds_by_attribute(tmp_path):
    text = gtf(
        ("exon", 1, 9, "+", "g", "t1", ' cds_source "exact";'),
        ("CDS", 2, 5, "+", "g", "t1", ' cds_source "exact";'),
        ("exon", 1, 9, "+", "g", "t2", ' cds_source "guess";'),
        ("CDS", 2, 5, "+", "g", "t2", ' cds_source "guess";'),
    )
    assert read(tmp_path, text)["cds_verified"].all()
    table = read(tmp_path, text, cds_verified=("cds_source", "exact"))
    verified = table[table["type"] != "gene"].groupby("transcript_id")["cds_verified"]
    assert verified.all().to_dict() == {"t1": True, "t2": False} and not verified.any()["t2"]


def test_comments_blank_lines_line_ends_and_fasta_section(tmp_path):
    plain = gtf(("exon", 1, 9, "+", "g", "t"), ("exon", 21, 29, "+", "g", "t"))
    first, second = plain.splitlines()
    noisy = f"#!genome-build X\n\n{first}\n###\n# note\n{second}"
    expected = read(tmp_path, plain)
    for text in (
        noisy,
        noisy.replace("\n", "\r\n"),
        noisy.replace("\n", "\r"),
        noisy + "\n##FASTA\n>c\nACGT\n",
        "\ufeff" + noisy,
    ):
        assert read(tmp_path, text).equals(expected)
    assert read(tmp_path, gzip.compress(noisy.encode())).equals(expected)


GFF3 = """##gff-version 3
c\ts\tregion\t1\t200\t.\t.\t.\tID=c;Is_circular=true
c\ts\tgene\t5\t90\t.\t{s}\t.\tID=gene:g;Name=the%3Bname;biotype=protein_coding;gene_id=g
c\ts\tmRNA\t11\t90\t.\t{s}\t.\tID=transcript:t1;Parent=gene:g;transcript_id=t1
c\ts\tlnc_RNA\t5\t90\t.\t{s}\t.\tID=rna-t2;Parent=gene:g
c\ts\texon\t11\t30\t.\t{s}\t.\tParent=transcript:t1
c\ts\texon\t41\t60\t.\t{s}\t.\tID=e2;Parent=transcript:t1
c\ts\texon\t71\t90\t.\t{s}\t.\tID=e3;Parent=transcript:t1
c\ts\texon\t5\t90\t.\t{s}\t.\tParent=rna-t2
c\ts\tCDS\t45\t60\t.\t{s}\t0\tID=p;Parent=transcript:t1
c\ts\tCDS\t71\t77\t.\t{s}\t0\tID=p;Parent=transcript:t1
c\ts\tmatch\t1\t9\t.\t{s}\t.\tID=m
c\ts\texon\t190\t230\t.\t{s}\t.\tParent=rna-t2
"""


@pytest.mark.parametrize("strand", ["+", "-"])
def test_gff3_says_what_gtf_says(tmp_path, strand):
    expected = read(tmp_path, GTF_GENE.replace("{s}", strand).replace("{stop}", "CDS"))
    table = read(tmp_path, GFF3.replace("{s}", strand))
    assert set(table["gene_name"]) == {"the;name"} and set(table["biotype"]) == {"protein_coding"}
    joined = [row for row in rows_of(expected) if row[0] != "CDS"]
    assert [row for row in rows_of(table) if row[0] != "CDS"] == joined
    assert rows_of(table, "CDS") == [["CDS", 44, 60, strand, "g", "t1"], ["CDS", 70, 77, strand, "g", "t1"]]


@pytest.mark.parametrize("key", ["biotype", "gene_biotype", "gene_type"])
def test_types_of_genes_of_ensembl_ncbi_and_gencode(tmp_path, key):
    table = read(tmp_path, GFF3.replace("{s}", "+").replace(";biotype=", f";{key}="))
    assert set(table["biotype"]) == {"protein_coding"}


def test_gff3_of_other_shapes(tmp_path):
    text = "\n".join(
        "c\ts\t" + line
        for line in (
            "gene\t1\t9\t.\t+\t.\tID=gene-b1;locus_tag=b1",  # NCBI's bacteria: CDS right below the gene
            "CDS\t1\t9\t.\t+\t0\tID=cds-1;Parent=gene-b1",
            "gene\t21\t80\t.\t-\t.\tID=AT1",  # TAIR: an exon of two transcripts
            "mRNA\t21\t80\t.\t-\t.\tID=AT1.1;Parent=AT1",
            "mRNA\t21\t60\t.\t-\t.\tID=AT1.2;Parent=AT1",
            "exon\t21\t60\t.\t-\t.\tParent=AT1.1,AT1.2",
            "exon\t71\t80\t.\t-\t.\tParent=AT1.1",
            "gene\t101\t150\t.\t+\t.\tID=gene-MIR",  # NCBI's miRNA: one more level
            "primary_transcript\t101\t150\t.\t+\t.\tID=rna-pri;Parent=gene-MIR",
            "miRNA\t111\t130\t.\t+\t.\tID=rna-mi;Parent=rna-pri",
            "exon\t111\t130\t.\t+\t.\tParent=rna-mi",
            "CDS\t161\t170\t.\t+\t0\tID=lone",  # Prodigal: no gene at all
            "pseudogene\t181\t190\t.\t+\t.\tID=gene-P",
        )
    )
    table = read(tmp_path, text)
    assert rows_of(table, "gene") == [
        ["gene", 0, 9, "+", "b1", ""],
        ["gene", 20, 80, "-", "AT1", ""],
        ["gene", 100, 150, "+", "MIR", ""],
        ["gene", 160, 170, "+", "lone", ""],
        ["gene", 180, 190, "+", "P", ""],
    ]
    assert rows_of(table, "exon") == [
        ["exon", 0, 9, "+", "b1", "b1"],
        ["exon", 20, 60, "-", "AT1", "AT1.1"],
        ["exon", 20, 60, "-", "AT1", "AT1.2"],
        ["exon", 70, 80, "-", "AT1", "AT1.1"],
        ["exon", 110, 130, "+", "MIR", "mi"],
        ["exon", 160, 170, "+", "lone", "lone"],
    ]
    sites = annotation.transcription_start_sites(table).set_index("gene_id")["tss"]
    assert sites.to_dict() == {"b1": 0, "AT1": 79, "MIR": 110, "lone": 160, "P": 180}


def test_genbank_is_what_biopython_reads(tmp_path):
    table = annotation.read_annotation(ARABIDOPSIS)
    record = SeqIO.read(ARABIDOPSIS, "genbank")
    coding = [feature for feature in record.features if feature.type == "CDS"]
    assert len(coding) == 18 == (table["type"] == "gene").sum()
    introns = 0
    for feature in coding:
        gene = table[table["gene_id"] == feature.qualifiers["protein_id"][0]]
        expected = sorted((int(part.start), int(part.end)) for part in feature.location.parts)
        for kind in ("CDS", "exon"):
            rows = gene[gene["type"] == kind]
            assert list(zip(rows["start"], rows["end"], strict=True)) == expected
        assert set(gene["strand"]) == {"+" if feature.location.strand == 1 else "-"}
        assert set(gene["contig"]) == {"AC007323.5"}
        for (_, donor), (acceptor, _) in pairwise(expected):
            intron = record.seq[donor:acceptor]
            intron = intron if feature.location.strand == 1 else intron.reverse_complement()
            introns += intron.startswith("GT") and intron.endswith("AG")
    assert introns == 84  # all of them, as the data's provenance says


def test_genbank_cds_finds_its_mrna(tmp_path):
    from Bio.Seq import Seq
    from Bio.SeqFeature import CompoundLocation, SeqFeature, SimpleLocation
    from Bio.SeqRecord import SeqRecord

    def feature(kind, *parts, **qualifiers):
        locations = [SimpleLocation(start, end, -1) for start, end in reversed(parts)]
        location = CompoundLocation(locations) if len(parts) > 1 else locations[0]
        return SeqFeature(location, type=kind, qualifiers={key: [value] for key, value in qualifiers.items()})

    features = [
        feature("gene", (10, 90), locus_tag="L1", gene="abc"),
        feature("mRNA", (10, 30), (50, 90), locus_tag="L1"),
        feature("mRNA", (10, 40), (50, 90), locus_tag="L1", transcript_id="T2"),
        feature("CDS", (20, 40), (50, 60), locus_tag="L1"),
    ]
    record = SeqRecord(
        Seq("ACGTA" * 20), "X1.1", "X1", "", features=features, annotations={"molecule_type": "DNA"}
    )
    SeqIO.write(record, tmp_path / "x.gb", "genbank")
    table = annotation.read_annotation(tmp_path / "x.gb")
    assert rows_of(table, "CDS") == [["CDS", 20, 40, "-", "L1", "T2"], ["CDS", 50, 60, "-", "L1", "T2"]]
    assert rows_of(table, "three_prime_utr") == [["three_prime_utr", 10, 20, "-", "L1", "T2"]]
    assert rows_of(table, "five_prime_utr") == [["five_prime_utr", 60, 90, "-", "L1", "T2"]]
    assert set(table["gene_name"]) == {"abc"}


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        # the longest CDS decides, though another transcript starts more 5'
        (
            [
                ("exon", 11, 99, "+", "g", "t1"),
                ("CDS", 20, 30, "+", "g", "t1"),
                ("exon", 21, 99, "+", "g", "t2"),
                ("CDS", 30, 41, "+", "g", "t2"),
            ],
            ("+", 20),
        ),
        # CDS lengths are summed over exons
        (
            [
                ("exon", 11, 99, "-", "g", "t1"),
                ("CDS", 20, 29, "-", "g", "t1"),
                ("CDS", 40, 49, "-", "g", "t1"),
                ("exon", 11, 109, "-", "g", "t2"),
                ("CDS", 20, 38, "-", "g", "t2"),
            ],
            ("-", 98),
        ),
        # without CDS, or among equals: the most 5'
        ([("exon", 11, 99, "+", "g", "t1"), ("exon", 5, 50, "+", "g", "t2")], ("+", 4)),
        ([("exon", 11, 99, "-", "g", "t1"), ("exon", 5, 50, "-", "g", "t2")], ("-", 98)),
        (
            [
                ("exon", 11, 99, "+", "g", "t1"),
                ("CDS", 20, 30, "+", "g", "t1"),
                ("exon", 6, 99, "+", "g", "t2"),
                ("CDS", 20, 30, "+", "g", "t2"),
                ("exon", 2, 99, "+", "g", "t3"),
            ],
            ("+", 5),
        ),
        # a gene row longer than its transcripts does not matter
        ([("gene", 1, 200, "+", "g", ""), ("exon", 11, 99, "+", "g", "t1")], ("+", 10)),
        # a gene without transcripts
        ([("gene", 51, 200, "-", "g", ""), ("exon", 1, 9, "+", "h", "t")], ("-", 199)),
    ],
)
def test_transcription_start_sites(tmp_path, rows, expected):
    sites = annotation.transcription_start_sites(read(tmp_path, gtf(*rows)))
    assert list(sites.columns) == ["gene_id", "contig", "strand", "tss"]
    site = sites[sites["gene_id"] == "g"].iloc[0]
    assert (site["contig"], site["strand"], site["tss"]) == ("c", *expected)


def test_rows_off_the_genome_are_left_out_and_contigs_renamed(tmp_path, caplog):
    text = gtf(("exon", 1, 9, "+", "g", "t")) + gtf(("exon", 1, 9, "+", "h", "u")).replace("c\t", "other\t")
    table = annotation.fit_to_genome(read(tmp_path, text), {"chrC": 9}, "x.gtf", {"c": "chrC"})
    assert set(table["gene_id"]) == {"g"} and set(table["contig"]) == {"chrC"}
    assert "3 rows on 1 contigs that the genome lacks are left out (other)" in caplog.text


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        (
            {"chrC": 100, "chrD": 9},
            r"contig names do not match the genome's: 0% .*here: c; genome: chrC, chrD",
        ),
        ({"c": 8}, r"gene of g ends at 9, past the end of c \(8 bp\)"),
    ],
)
def test_fit_refuses_another_assembly(tmp_path, lengths, message):
    with pytest.raises(UserError, match=message):
        annotation.fit_to_genome(read(tmp_path, gtf(("exon", 1, 9, "+", "g", "t"))), lengths, "x.gtf")


def test_only_the_organelle_matching_is_a_mismatch(tmp_path):
    text = gtf(("exon", 1, 9, "+", "g", "t")) + gtf(("exon", 1, 9, "+", "h", "u")).replace("c\t", "MT\t")
    with pytest.raises(UserError, match="1% of its bases"):
        annotation.fit_to_genome(read(tmp_path, text), {"MT": 10, "chrC": 990}, "x.gtf")


def test_the_same_table_gives_the_same_bytes(tmp_path):
    table = read(tmp_path, GTF_GENE.replace("{s}", "+"))
    annotation.write_annotation(table, tmp_path / "a.parquet")
    annotation.write_annotation(table.copy(), tmp_path / "b.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_blocks_do_not_matter(tmp_path, monkeypatch):
    from dnalm.genome import fasta

    text = "".join(gtf(("exon", n * 10 + 1, n * 10 + 9, "+", f"g{n}", f"t{n}")) for n in range(40))
    whole = read(tmp_path, text)
    monkeypatch.setattr(fasta, "CHUNK_BYTES", 100)
    assert read(tmp_path, text).equals(whole) and len(whole) == 120
