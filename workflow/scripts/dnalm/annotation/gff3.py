"""Rows of GFF3: the hierarchy gene -> transcript -> exon, CDS, UTR, resolved through ID and Parent."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dnalm.annotation.attributes import decode, gff3_values
from dnalm.errors import UserError

if TYPE_CHECKING:
    import pyarrow as pa

PART_TYPES = {
    "exon": "exon",
    "pseudogenic_exon": "exon",
    "CDS": "CDS",
    "five_prime_UTR": "five_prime_utr",
    "five_prime_utr": "five_prime_utr",
    "three_prime_UTR": "three_prime_utr",
    "three_prime_utr": "three_prime_utr",
}
IGNORED_TYPES = (  # often millions of rows, never part of a gene
    "match",
    "match_part",
    "cDNA_match",
    "EST_match",
    "protein_match",
    "expressed_sequence_match",
    "biological_region",
    "repeat_region",
    "intron",
    "start_codon",
    "stop_codon",
)
GENE_TYPE = r"(?:^|_)gene$|^pseudogene$"
ID_PREFIX = re.compile(
    r"^(?:(?:gene|transcript)[:-]|rna-)"
)  # Ensembl: gene:X, transcript:X; NCBI: gene-X, rna-X
MOST_LEVELS = 5  # exon, miRNA, primary transcript, gene, and one to spare


def gff3_rows(block: pa.Table, cds_verified: tuple[str, str] | None) -> pd.DataFrame:
    """Returns a block's rows that may belong to a gene, with the attributes that matter."""
    import pyarrow as pa
    import pyarrow.compute as pc

    block = block.filter(pc.invert(pc.is_in(block["type"], pa.array(IGNORED_TYPES))))
    attributes = block["attributes"]

    def values(*keys: str) -> pd.Series:
        found = gff3_values(attributes, keys[0])
        for key in keys[1:]:
            found = pc.if_else(pc.equal(found, ""), gff3_values(attributes, key), found)
        return found.to_pandas()

    rows = block.drop_columns(["attributes"]).to_pandas()
    rows["id"], rows["parent"] = values("ID"), values("Parent")
    rows["own_gene_id"], rows["own_transcript_id"] = values("gene_id"), values("transcript_id")
    rows["gene_name"] = values("Name", "gene")
    rows["biotype"] = values("biotype", "gene_biotype", "gene_type")  # Ensembl, NCBI, GENCODE
    rows["circular"] = values("Is_circular") == "true"
    rows["cds_verified"] = True
    if cds_verified:
        rows["cds_verified"] = values(cds_verified[0]).map(decode) == cds_verified[1]
    return rows[(rows["id"] != "") | (rows["parent"] != "")]


def resolve(rows: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Returns the genes, transcripts and their parts, with gene_id and transcript_id on every row.

    A part's Parent is its transcript; the gene is found above that. A CDS right below a gene (NCBI's
    organelles, bacteria) gets the gene as its transcript.

    Raises:
        UserError: with the line, for a Parent that is not in the file.
    """
    nodes = rows[rows["id"] != ""].drop_duplicates("id").set_index("id")
    parts = rows[rows["type"].isin(list(PART_TYPES))]
    parent = parts["parent"].where(parts["parent"] != "", parts["id"])
    parts = parts.assign(parent=parent.str.split(",")).explode("parent")
    _check_parents(parts, nodes, path)
    above = _genes_above(pd.Index(parts["parent"].unique(), dtype=object), nodes, path)
    gene_ids = _ids(nodes.loc[_unique(above)], "own_gene_id")
    transcript_ids = _ids(nodes.loc[above.index], "own_transcript_id")

    parts = parts.assign(node=parts["parent"], type=parts["type"].map(PART_TYPES))
    transcripts = nodes.loc[above.index].rename_axis("node").reset_index()
    transcripts = transcripts[~transcripts["type"].isin(list(PART_TYPES))].assign(type="transcript")
    members = pd.concat([transcripts, parts], ignore_index=True)
    top = members["node"].map(above)
    members["gene_id"], members["transcript_id"] = top.map(gene_ids), members["node"].map(transcript_ids)
    members["gene_name"], members["biotype"] = top.map(nodes["gene_name"]), top.map(nodes["biotype"])
    verified = nodes["cds_verified"]
    members["cds_verified"] |= members["node"].map(verified) | top.map(verified)

    genes = nodes[nodes["type"].str.contains(GENE_TYPE)]
    ids = _ids(genes, "own_gene_id")
    genes = genes.assign(type="gene", gene_id=[gene_ids.get(node, own) for node, own in ids.items()])
    table = pd.concat([genes.assign(transcript_id=""), members], ignore_index=True)
    for column in ("gene_id", "transcript_id", "gene_name"):
        table[column] = table[column].map(decode)
    columns = ["contig", "start", "end", "strand", "type", "gene_id", "transcript_id", "gene_name", "biotype"]
    return table[[*columns, "cds_verified"]]


def _unique(values: pd.Series) -> np.ndarray:
    return np.asarray(values.unique(), dtype=object)


def _check_parents(parts: pd.DataFrame, nodes: pd.DataFrame, path: Path) -> None:
    lost = ~parts["parent"].isin(nodes.index)
    if lost.any():
        row = parts[lost].iloc[0]
        raise UserError(
            f"{path}:{row['line']}",
            f"{row['type']} has Parent {row['parent']!r}, which is no ID in the file",
            "Give the whole GFF3.",
        )


def _genes_above(transcripts: pd.Index, nodes: pd.DataFrame, path: Path) -> pd.Series:
    """Returns transcript -> the gene above it, or the topmost feature where none is called a gene."""
    is_gene = nodes["type"].str.contains(GENE_TYPE)
    above = nodes["parent"].str.split(",").str[0].where(~is_gene, "")
    top = pd.Series(transcripts, index=transcripts)
    for _ in range(MOST_LEVELS):
        parent = top.map(above)
        if lost := sorted(set(parent[parent != ""]) - set(nodes.index)):
            line = nodes[nodes["parent"].str.split(",").str[0] == lost[0]]["line"].iloc[0]
            raise UserError(
                f"{path}:{line}", f"Parent {lost[0]!r} is no ID in the file", "Give the whole GFF3."
            )
        if (parent == "").all():
            break
        top = parent.where(parent != "", top)
    return top


def _ids(nodes: pd.DataFrame, own: str) -> pd.Series:
    """Returns node -> its published identifier: the attribute where given and unique, else the ID's stem."""
    stems = pd.Series([ID_PREFIX.sub("", node) for node in nodes.index], index=nodes.index, dtype=object)
    values = nodes[own].where(nodes[own] != "", stems)
    repeated = values.duplicated(keep=False)
    return values.where(~repeated, stems)
