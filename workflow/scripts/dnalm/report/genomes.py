"""The report's tables of genomes, their masking and their windows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dnalm.errors import UserError
from dnalm.figures.tables import read_table
from dnalm.files import read_manifest
from dnalm.report.sources import Sources
from dnalm.report.text import Section, Table, bases, count, plural, species_name

KINDS = {"tiles": "tiles", "tss": "around TSS", "regions": "regions"}
REASONS = {
    "over_contig_end": "over a contig's end",
    "n_fraction": "too much N",
    "token_limit": "over the token limit",
}


def source_text(genome: Any) -> str:
    """Returns where a genome came from, as the configuration says it."""
    if isinstance(genome, Mapping):
        return ", ".join(f"{key} {value}" for key, value in genome.items())
    return str(genome).rsplit("/", 1)[-1] if "://" not in str(genome) else str(genome)


def letter_counts(sources: Sources, species: str) -> dict[str, int]:
    """Counts a species' genome: contigs, and bases in total, N after masking, soft-masked, ambiguous."""
    table = read_table(
        sources.species_file(species, "masked.tsv"), ("contig", "letter", "count"), "letter counts"
    )
    letters = table["letter"].astype(str)
    by_letter = table.groupby(letters)["count"].sum()
    lower = int(by_letter[[letter for letter in by_letter.index if letter.islower()]].sum())
    other = [letter for letter in by_letter.index if letter.upper() not in "ACGT"]
    masks = sources.config["species"][species].get("mask", {})
    masked = by_letter[other].sum()
    if masks.get("soft_masked") == "mask":
        masked += by_letter[[letter for letter in by_letter.index if letter in "acgt"]].sum()
    ambiguous = by_letter[[letter for letter in other if letter.upper() != "N"]].sum()
    total = int(by_letter.sum())
    return {
        "total": total,
        "contigs": int(table["contig"].nunique()),
        "masked": int(masked),
        "soft_masked": lower,
        "ambiguous": int(ambiguous),
    }


def genome_table(sources: Sources) -> Table:
    """Returns one row per species: source, size, masked bases."""
    rows = []
    for species, entry in sources.config["species"].items():
        letters = letter_counts(sources, species)
        soft = f"{letters['soft_masked'] / max(letters['total'], 1):.1%}"
        rows.append(
            [
                species_name(species),
                source_text(entry["genome"]),
                count(letters["contigs"]),
                bases(letters["total"]),
                count(letters["masked"]),
                count(letters["ambiguous"]),
                soft,
            ]
        )
    headers = ["Species", "Source", "Contigs", "Size", "N after masking", "Ambiguous letters", "Soft-masked"]
    note = "Soft-masked bases (lower case, mostly repeats) are kept unless the configuration masks them."
    return Table("Genomes", headers, rows, text_columns=2, note=note)


def window_counts(sources: Sources, species: str, name: str) -> tuple[int, dict[str, int]]:
    """Returns how many windows a set has and how many were dropped, by reason."""
    path = sources.species_file(species, f"windows/{name}.bed")
    content = read_manifest(path)["content"]
    try:
        return int(content["windows"]), {str(key): int(value) for key, value in content["dropped"].items()}
    except KeyError as fault:
        raise UserError(path, f"its manifest lacks {fault}", "Make the windows again.") from fault


def window_table(sources: Sources) -> Table | None:
    """Returns one row per species and window set that a run uses."""
    rows = []
    for species in sources.config["species"]:
        for name, entry in sources.window_sets(species).items():
            kept, dropped = window_counts(sources, species, name)
            length = entry.get("length_bp")
            if entry["kind"] == "tss":
                length = entry["upstream_bp"] + entry["downstream_bp"]
            counts = [count(dropped.get(reason, 0)) for reason in REASONS]
            size = bases(int(length)) if isinstance(length, int) else str(length or "as given")
            rows.append(
                [
                    species_name(species),
                    name,
                    KINDS.get(entry["kind"], entry["kind"]),
                    size,
                    count(kept),
                    *counts,
                ]
            )
    if not rows:
        return None
    headers = [
        "Species",
        "Set",
        "Kind",
        "Length",
        "Windows",
        *(f"Dropped: {why}" for why in REASONS.values()),
    ]
    return Table("Windows", headers, rows, text_columns=3)


def genome_section(sources: Sources) -> Section:
    """Returns the section on genomes, masking and windows."""
    if not sources.config["species"]:
        return Section("genomes", "Genomes and windows", notes=["The configuration has no species."])
    tables = [genome_table(sources), window_table(sources)]
    held_out = {name: entry.get("held_out", []) for name, entry in sources.config["species"].items()}
    notes = [
        f"Held out of all training in {species_name(name)}: {', '.join(regions)} (0-based, half-open)."
        for name, regions in held_out.items()
        if regions
    ]
    lost = sum(
        sum(window_counts(sources, species, name)[1].values())
        for species in sources.config["species"]
        for name in sources.window_sets(species)
    )
    warnings = [_masked_note(sources, name) for name in sources.config["species"]]
    if lost:
        dropped = f"{plural(lost, 'window')} in all {'was' if lost == 1 else 'were'} dropped and not used."
        notes.append(dropped)
        warnings.append(dropped)
    lead = (
        "Every letter but A, C, G, T becomes N before a model sees it; windows with too much N are dropped."
    )
    section = Section("genomes", "Genomes and windows", lead, [table for table in tables if table])
    section.notes, section.warnings = notes, [warning for warning in warnings if warning]
    return section


def _masked_note(sources: Sources, species: str) -> str:
    """Says how much of a genome no model saw; empty where it saw all."""
    letters = letter_counts(sources, species)
    if not letters["masked"]:
        return ""
    share = letters["masked"] / max(letters["total"], 1)
    many = f"{plural(letters['masked'], 'base')} ({100 * share:.1g} %)"
    return f"{species_name(species)}: {many} of the genome are N after masking; nothing is predicted there."
