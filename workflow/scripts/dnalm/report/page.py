"""The page: sections from results, put into the template."""

from __future__ import annotations

import datetime
from dataclasses import asdict
from pathlib import Path

from dnalm import __version__
from dnalm.report import elements, genomes, probes, provenance, tasks
from dnalm.report.images import data_uri
from dnalm.report.key_numbers import KeyNumber
from dnalm.report.papers import papers_section
from dnalm.report.run_facts import run_facts
from dnalm.report.sources import Sources
from dnalm.report.text import Section, bases, listing, plural, species_name

TEMPLATES = Path(__file__).parent


def summary(sources: Sources) -> str:
    """Returns in one paragraph what was run."""
    species = [
        f"{species_name(name)} ({bases(genomes.letter_counts(sources, name)['total'])})"
        for name in sources.config["species"]
    ]
    many = len(species) > 1
    masked = f"the genome{'s' if many else ''} of {listing(species)} {'were' if many else 'was'} masked"
    said = [masked] if species else []
    if runs := sources.runs("embeddings"):
        counts = [genomes.window_counts(sources, run.species, run.settings["windows"])[0] for run in runs]
        said.append(f"{plural(sum(counts), 'window')} embedded")
    if sources.runs("segmentation"):
        said.append("elements predicted base by base")
    if sources.runs("tasks"):
        said.append(f"{plural(len(sources.runs('tasks')), 'probe task')} cross-validated")
    if sources.runs("expression"):
        said.append("expression predicted from the DNA around each gene's start")
    models = f" Models: {listing(sources.models())}." if sources.models() else ""
    text = listing(said)
    return f"{text[:1].upper()}{text[1:]}.{models}"


def build(sources: Sources, date: datetime.date | None = None) -> str:
    """Returns the page as HTML.

    Args:
        date: shown in the head; today by default.

    Raises:
        UserError: a result that the configuration names is missing, or a table is empty.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    element_section, element_numbers = elements.segmentation_section(sources)
    task_section, task_numbers = tasks.task_section(sources)
    expression_section, expression_numbers = probes.expression_section(sources)
    sections: list[Section] = [
        genomes.genome_section(sources), element_section, expression_section, task_section,
        probes.map_section(sources),
    ]  # fmt: skip
    sections += [papers] if (papers := papers_section(sources)) else []
    numbers: list[KeyNumber] = [*element_numbers, *task_numbers, *expression_numbers]
    folder = FileSystemLoader(TEMPLATES)
    environment = Environment(
        loader=folder, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["as_tsv"] = lambda text: data_uri("text/tab-separated-values", text.encode("utf-8"))
    return environment.get_template("page.html.j2").render(
        title=sources.config.get("title") or "DNA language models",
        version=__version__,
        date=(date or datetime.date.today()).isoformat(),
        style=(TEMPLATES / "page.css").read_text(encoding="utf-8"),
        script=(TEMPLATES / "tables.js").read_text(encoding="utf-8"),
        summary=summary(sources),
        facts=run_facts(sources),
        warnings=[warning for section in sections for warning in section.warnings],
        browsers=[(page.stem, f"{page.parent.name}/{page.name}") for page in sources.browsers],
        species=[species_name(name) for name in sources.config["species"]],
        numbers=[asdict(one) for one in numbers],
        sections=sections,
        models=provenance.describe_models(sources),
        steps=provenance.step_table(sources),
        software=provenance.software(),
    )
