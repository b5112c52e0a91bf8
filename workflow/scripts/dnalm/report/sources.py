"""Which results the report tells of: what a resolved configuration names, and where it lies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dnalm.config.papers import PAPERS
from dnalm.errors import UserError
from dnalm.files import require_file

SECTIONS = ("embeddings", "segmentation", "tasks", "expression")
PAPER_KINDS = PAPERS
FIGURE_KINDS = ("tracks", "tasks", "expression", "map", *PAPER_KINDS)


@dataclass(frozen=True)
class Run:
    """One run of a section for one species, with its settings; tasks of suites, and own ones, are of none."""

    section: str
    name: str
    species: str
    settings: Mapping[str, Any]

    @property
    def folder(self) -> str:
        """The folder of a task below results/tasks."""
        return f"{self.name}.{self.species}" if self.species else self.name


class Sources:
    """The configuration, the folder of results, the figures and the model cards that a report draws on.

    Args:
        config: the resolved configuration.
        results: folder of results.
        figures: stems, `tracks.{species}.{run}` and the like; the first word says which section shows it.
        cards: model -> its card, Markdown.
        browsers: pages of the genome browser, which lie below the report's folder.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        results: str | Path,
        figures: Sequence[str | Path] = (),
        cards: Mapping[str, str | Path] | None = None,
        browsers: Sequence[str | Path] = (),
    ) -> None:
        missing = [key for key in ("species", *SECTIONS) if key not in config]
        if missing:
            raise UserError(
                "--config", f"lacks {', '.join(missing)}", "Pass the workflow's resolved configuration."
            )
        self.config, self.results = config, Path(results)
        self.figures, self.cards = [Path(figure) for figure in figures], dict(cards or {})
        self.browsers = [Path(page) for page in browsers]
        unknown = [figure.name for figure in self.figures if figure.name.split(".")[0] not in FIGURE_KINDS]
        if unknown:
            raise UserError(
                unknown[0],
                f"no section shows such a figure (expected {', '.join(FIGURE_KINDS)} as first word)",
                "Name the figure's stem after what it shows.",
            )

    def species_file(self, species: str, name: str) -> Path:
        """Returns a species' file, which must be there.

        Raises:
            UserError: it is missing or empty.
        """
        return require_file(self.results / "species" / species / name, "result for the report")

    def file(self, name: str) -> Path:
        """Returns another file below results/, which must be there."""
        return require_file(self.results / name, "result for the report")

    def runs(self, section: str, species: str | None = None) -> list[Run]:
        """Returns the runs of a section, one per species that has it (see `species_of`)."""
        return [
            Run(section, name, one, settings)
            for name, settings in self.config[section].items()
            for one in species_of(section, settings)
            if species in (None, one)
        ]

    def models(self) -> list[str]:
        """Returns every model that a run uses, in the order of the configuration."""
        runs = [run for section in SECTIONS for run in self.config[section].values()]
        return list(dict.fromkeys(model for run in runs for model in models_of(run)))

    def window_sets(self, species: str) -> dict[str, Mapping[str, Any]]:
        """Returns the window sets that a species' runs use."""
        used = {run.settings.get("windows") for section in SECTIONS for run in self.runs(section, species)}
        sets = self.config["species"][species].get("windows", {})
        return {name: entry for name, entry in sets.items() if name in used}

    def figures_of(self, kind: str, *words: str) -> list[Path]:
        """Returns the stems of a kind whose further words include those given."""
        names = {stem: stem.name.split(".") for stem in self.figures}
        return [stem for stem, parts in names.items() if parts[0] == kind and set(words) <= set(parts[1:])]


def species_of(section: str, settings: Mapping[str, Any]) -> list[str]:
    """Returns the species of a run; an empty name for tasks of a suite, and own ones."""
    if section == "tasks" and settings.get("suite", "annotation") != "annotation":
        return [""]
    return list(settings["species"])


def models_of(settings: Mapping[str, Any]) -> list[str]:
    """Returns the models that a run names."""
    return list(settings["models"]) if "models" in settings else [settings["model"]]
