"""The section `figures.papers`: which runs each of the papers' figures draws."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dnalm.errors import UserError

Where = Callable[[Iterable[object]], str]
NT_SUITES = ("nt_revised", "nt_original")
# Of which tasks a figure is made: (suites, beginnings of the suite's task names); () is every one.
TASKS = {
    "nt_benchmark": (NT_SUITES, ()),
    "agront_expression": (("pgb",), ("gene_exp.",)),
    "agront_strength": (("pgb",), ("promoter_strength.", "terminator_strength.")),
    "layers": ((), ()),
    "context": ((), ()),
}
SEGMENTED = ("segmentnt_tracks", "segmentnt_metrics")
ATTENTION = ("dnabert_attention", "attention")
PAPERS = (
    "nt_benchmark", "agront_expression", "agront_strength", "segmentnt_tracks", "segmentnt_metrics",
    "grover_tokens", "dnabert_attention", "layers", "context", "attention",
)  # fmt: skip


def complete_papers(
    papers: Mapping[str, Mapping[str, Any]],
    resolved: Mapping[str, Any],
    model_facts: Callable[[str], Any],
    where: Where,
) -> dict[str, dict[str, Any]]:
    """Returns the settings of each figure asked for, with every run it draws.

    Args:
        resolved: the other sections, completed.

    Raises:
        UserError: a run, task, species or model that is not there, or nothing to draw.
    """
    complete = {}
    for name, entry in papers.items():
        place, settings = ["figures", "papers", name], dict(entry)
        if name in TASKS:
            settings["tasks"] = _tasks(name, settings, resolved["tasks"], place, where)
        if name == "agront_expression":
            settings["expression"] = _expression(settings, resolved["expression"], place, where)
        if name in TASKS and not (settings["tasks"] or settings.get("expression")):
            raise UserError(where(place), "there is nothing to draw", f"{_needed(name)}.")
        if name in SEGMENTED:
            settings |= _segmented(settings, resolved, place, where)
        if name == "grover_tokens":
            _check_vocabulary(settings, resolved, place, where)
        if name in (*ATTENTION, "grover_tokens"):
            mapped = resolved["embeddings"][settings["map"]]["species"] if "map" in settings else None
            settings["species"] = _one_species(settings, mapped or list(resolved["species"]), place, where)
            _check_model(settings, model_facts, place, where)
        complete[name] = settings
    return complete


def models_of_papers(papers: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Returns the models that figures run themselves."""
    return [entry["model"] for entry in papers.values() if "model" in entry]


def _needed(name: str) -> str:
    suites, beginnings = TASKS[name]
    what = f" {' or '.join(one + '*' for one in beginnings)}" if beginnings else ""
    return f"Add a task{what}{' of ' + ' or '.join(suites) if suites else ''} to `tasks`"


def _tasks(
    name: str, settings: Mapping[str, Any], tasks: Mapping[str, Any], place: list[str], where: Where
) -> list[str]:
    suites, beginnings = TASKS[name]
    fit = [
        task
        for task, own in tasks.items()
        if (not suites or own["suite"] in suites)
        and (not beginnings or str(own.get("task", "")).startswith(beginnings))
    ]
    for task in settings.get("tasks", []):
        if task not in fit:
            known = ", ".join(fit) or "none"
            raise UserError(where([*place, "tasks"]), f"no such task '{task}' to draw", f"Known: {known}.")
    return list(settings.get("tasks", fit))


def _expression(
    settings: Mapping[str, Any], runs: Mapping[str, Any], place: list[str], where: Where
) -> list[str]:
    """Returns runs of the section expression: those named, or all where there is no task to draw."""
    for run in settings.get("expression", []):
        if run not in runs:
            known = ", ".join(runs) or "none"
            place = [*place, "expression"]
            raise UserError(where(place), f"no run '{run}' in expression", f"Known: {known}.")
    return list(settings.get("expression", [] if settings["tasks"] else runs))


def _segmented(
    settings: Mapping[str, Any], resolved: Mapping[str, Any], place: list[str], where: Where
) -> dict[str, str]:
    """Returns the run and the species that is drawn: by default the first of each with an annotation."""
    runs = resolved["segmentation"]
    run = settings.get("run") or next(iter(runs), "")
    if run not in runs:
        known = ", ".join(runs) or "none"
        raise UserError(where([*place, "run"]), f"no run '{run}' in segmentation", f"Known: {known}.")
    annotated = [one for one in runs[run]["species"] if resolved["species"][one]["annotation"]]
    return {"run": run, "species": _one_species(settings, annotated, place, where)}


def _one_species(settings: Mapping[str, Any], known: list[str], place: list[str], where: Where) -> str:
    species = settings.get("species") or next(iter(known), "")
    if species not in known:
        raise UserError(
            where([*place, "species"]),
            f"species '{species}' cannot be drawn here",
            f"Known: {', '.join(known) or 'none with an annotation'}.",
        )
    return str(species)


def _check_model(
    settings: Mapping[str, Any], model_facts: Callable[[str], Any], place: list[str], where: Where
) -> None:
    if "model" not in settings:
        return
    try:
        facts = model_facts(settings["model"])
    except UserError as fault:
        raise UserError(
            where([*place, "model"]), f"model '{settings['model']}': {fault.problem}", fault.remedy
        ) from fault
    for head in settings.get("heads", []):
        if int(head.partition(":")[0]) > facts.num_layers:
            raise UserError(
                where([*place, "heads"]),
                f"layer of {head} (model '{facts.name}' has {facts.num_layers})",
                f"Name layers 1 to {facts.num_layers}.",
            )


def _check_vocabulary(
    settings: Mapping[str, Any], resolved: Mapping[str, Any], place: list[str], where: Where
) -> None:
    if "model" not in settings and "tokenizer" not in settings:
        raise UserError(where(place), "names neither a model nor a tokenizer", "Name one.")
    for key, section in (("tokenizer", "tokenizers"), ("map", "embeddings")):
        if key in settings and settings[key] not in resolved[section]:
            known = ", ".join(resolved[section]) or "none"
            raise UserError(where([*place, key]), f"no '{settings[key]}' in {section}", f"Known: {known}.")
    if "map" in settings and settings["map"] not in resolved["figures"]["maps"]:
        raise UserError(where([*place, "map"]), "this run has no map", "Add it to figures.maps.")
