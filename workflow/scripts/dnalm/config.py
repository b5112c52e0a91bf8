"""The configuration: checked against its schema, completed with defaults, cross-checked, before any job."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dnalm.errors import UserError

LONGEST_AUTO_WINDOW_BP = 6000  # the published pretraining window (Nucleotide Transformer, Methods)
SPECIAL_TOKENS = 1  # <cls> in front

DEFAULTS: dict[str, dict[str, Any]] = {
    "contigs": {"include": [], "exclude": [], "min_length_bp": 0},
    "mask": {"soft_masked": "keep", "iupac": "mask"},
    "window_set": {
        "length_bp": "auto",
        "overlap_bp": 0,
        "upstream_bp": 3000,
        "downstream_bp": 3000,
        "max_n_fraction": 0.05,  # published n_ratio (hyperparameters of 2B5_1000G)
    },
    "embeddings": {
        "layers": ["middle", "last"],
        "pooling": "mean",
        "reverse_complement": False,
        "dtype": "float16",
        "species": "all",
    },
    "segmentation": {"regions": "all", "overlap": 0.25, "frames": 1, "reverse_complement": True, "species": "all"},
    "tasks": {
        "layers": ["last"],
        "folds": 10,
        "baselines": ["kmer", "one_hot", "random_weights"],
        "regions": "held_out",
        "max_examples": 4000,
        "species": "all",
    },
    "expression": {
        "layers": ["last"],
        "pooling": "mean",
        "reverse_complement": False,
        "folds": 10,
        "baselines": ["kmer", "random_weights"],
        "species": "all",
    },
}
RUN_SECTIONS = ("embeddings", "segmentation", "tasks", "expression")


@dataclass(frozen=True)
class ModelFacts:
    """What the configuration must know of a model before any file of it is read."""

    name: str
    k: int
    max_tokens: int
    num_layers: int
    features: tuple[str, ...]
    labels: str

    @property
    def longest_window_bp(self) -> int:
        """The most bases, without N, that the model's token limit allows."""
        return (self.max_tokens - SPECIAL_TOKENS) * self.k


# ------------------------------------------------------------------ where a key stands in its file


def key_lines(path: str | Path) -> dict[tuple[str, ...], int]:
    """Returns the line of every key of a YAML file, by its path of keys.

    Raises:
        UserError: the file is empty, not YAML, not a mapping, or has a key twice.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as fault:
        mark = getattr(fault, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else path
        raise UserError(where, f"is not YAML ({getattr(fault, 'problem', fault)})", "Mend the line.") from fault
    if root is None:
        raise UserError(path, "the configuration is empty", "Restore it, for example from config/config.yaml.")
    if not isinstance(root, yaml.MappingNode):
        raise UserError(path, "expected keys and values at the top level", "See config/README.md.")
    lines: dict[tuple[str, ...], int] = {}
    _walk(root, (), lines, path)
    return lines


def _walk(node: yaml.Node, above: tuple[str, ...], lines: dict[tuple[str, ...], int], path: str | Path) -> None:
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        here, line = (*above, str(key.value)), key.start_mark.line + 1
        if here in lines:
            raise UserError(f"{path}:{line}", f"the key {'.'.join(here)} stands twice (first in line {lines[here]})",
                            "Remove one.")  # fmt: skip
        lines[here] = line
        _walk(value, here, lines, path)


def locator(paths: Iterable[str | Path]) -> Callable[[Iterable[object]], str]:
    """Returns a function from a key path to `file:line` of that key or of the nearest one above it."""
    files = [(str(path), key_lines(path)) for path in paths]

    def where(keys: Iterable[object]) -> str:
        keys = tuple(str(key) for key in keys)
        for length in range(len(keys), 0, -1):
            for path, lines in reversed(files):
                if keys[:length] in lines:
                    return f"{path}:{lines[keys[:length]]} {'.'.join(keys)}"
        return f"{files[-1][0]} {'.'.join(keys)}".strip() if files else ".".join(keys) or "config"

    return where


# ------------------------------------------------------------------ schema


def check_schema(config: Mapping[str, Any], schema: str | Path, where: Callable[[Iterable[object]], str]) -> None:
    """Checks types, values and keys.

    Raises:
        UserError: the first fault, with file, line and, for an unknown key, the nearest valid one.
    """
    import jsonschema

    validator = jsonschema.Draft202012Validator(yaml.safe_load(Path(schema).read_text(encoding="utf-8")))
    faults = sorted(validator.iter_errors(config), key=lambda fault: [str(part) for part in fault.absolute_path])
    if faults:
        raise _describe(faults[0], where)


def _describe(fault: Any, where: Callable[[Iterable[object]], str]) -> UserError:
    keys = list(fault.absolute_path)
    if fault.validator in ("oneOf", "anyOf"):
        narrower = [inner for inner in fault.context if inner.validator in ("additionalProperties", "pattern", "enum")
                    and len(inner.absolute_path) >= len(keys) and isinstance(fault.instance, (dict, list))]  # fmt: skip
        known = [inner for inner in narrower if inner.validator == "additionalProperties"]
        if known:
            best = min(known, key=lambda inner: len(set(inner.instance) - set(inner.schema.get("properties", {}))))
            return _describe(best, where)
        choices = [_expectation(branch) for branch in fault.validator_value]
        return UserError(where(keys), f"found {fault.instance!r}, expected {' or '.join(choices)}", "See config/README.md.")
    if fault.validator == "additionalProperties":
        valid = sorted(fault.schema.get("properties", {}))
        unknown = sorted(set(fault.instance) - set(valid), key=str)[0]
        near = difflib.get_close_matches(str(unknown), valid, n=1, cutoff=0.5)
        remedy = f"Did you mean '{near[0]}'?" if near else f"Valid keys: {', '.join(valid)}."
        return UserError(where([*keys, unknown]), f"unknown key '{unknown}'", remedy)
    if fault.validator == "required":
        missing = fault.message.split("'")[1]
        return UserError(where(keys), f"the key '{missing}' is missing", "Add it; see config/README.md.")
    if fault.validator == "pattern":
        return UserError(where(keys), f"found {fault.instance!r}, expected the form {fault.validator_value}",
                         "Names hold letters, digits and _; regions are contig:start-end.")  # fmt: skip
    return UserError(where(keys), f"found {fault.instance!r}, expected {_expectation(fault.schema)}", "See config/README.md.")


def _expectation(schema: Mapping[str, Any]) -> str:
    if "const" in schema:
        return repr(schema["const"])
    if "enum" in schema:
        return "one of " + ", ".join(map(str, schema["enum"]))
    if "required" in schema:
        return "a mapping with " + ", ".join(schema["required"])
    words = {"string": "text", "array": "a list", "object": "a mapping", "integer": "a whole number",
             "number": "a number", "boolean": "true or false"}  # fmt: skip
    text = words.get(schema.get("type", ""), "another value")
    bounds = [f"{word} {schema[key]}" for key, word in
              (("minimum", "at least"), ("maximum", "at most"), ("exclusiveMaximum", "below")) if key in schema]  # fmt: skip
    return " ".join([text, *bounds])


# ------------------------------------------------------------------ completing and cross-checking


def resolve(
    config: Mapping[str, Any],
    model_facts: Callable[[str], ModelFacts],
    where: Callable[[Iterable[object]], str] = ".".join,  # type: ignore[assignment]
) -> dict[str, Any]:
    """Returns the configuration with every default filled in and every name checked.

    Args:
        config: passed `check_schema`.
        model_facts: name -> facts; raises UserError for an unknown model.
        where: key path -> place for messages.

    Returns:
        The sections of the config; species lists are expanded, window sets carry `length_bp` in bases,
        `max_tokens` and `k` of the smallest model that uses them.
    """
    defaults = config.get("defaults", {})
    species = {name: _complete_species(name, entry, defaults, where) for name, entry in config["species"].items()}
    resolved: dict[str, Any] = {
        "title": config.get("title", "DNA language models from genomes to figures"),
        "species": species,
        "models": dict(config.get("models", {})),
        "figures": {"maps": {}, "tracks": {}, **config.get("figures", {})},
        "training": dict(config.get("training", {})),
    }
    for section in RUN_SECTIONS:
        resolved[section] = {}
        for name, entry in (config.get(section) or {}).items():
            run = {**DEFAULTS[section], **entry}
            run["species"] = _species_of(run["species"], section, name, species, where)
            resolved[section][name] = run
    _check_runs(resolved, model_facts, where)
    _fit_windows(resolved, model_facts, where)
    return resolved


def _complete_species(name: str, entry: Mapping[str, Any], defaults: Mapping[str, Any], where: Any) -> dict[str, Any]:
    windows = {**defaults.get("windows", {}), **entry.get("windows", {})}
    held_out = entry.get("held_out", [])
    for region in held_out:
        start, end = region.rpartition(":")[2].split("-")
        if int(start) >= int(end):
            raise UserError(where(["species", name, "held_out"]), f"start is not before end in {region}", "Swap them.")
    return {
        "annotation": None,
        "expression": None,
        **entry,
        "contigs": {**DEFAULTS["contigs"], **defaults.get("contigs", {}), **entry.get("contigs", {})},
        "mask": {**DEFAULTS["mask"], **defaults.get("mask", {}), **entry.get("mask", {})},
        "windows": {key: {**DEFAULTS["window_set"], **value} for key, value in windows.items()},
        "held_out": held_out,
    }


def _species_of(wanted: Any, section: str, run: str, species: Mapping[str, Any], where: Any) -> list[str]:
    """Expands `all` to the species that have what the section needs; a species asked for by name must have it."""
    needs = {"tasks": ["annotation"], "expression": ["annotation", "expression"]}.get(section, [])
    if wanted == "all":
        return [name for name, entry in species.items() if all(entry[need] for need in needs)]
    for name in wanted:
        place = where([section, run, "species"])
        if name not in species:
            raise UserError(place, f"unknown species '{name}'", f"Known: {', '.join(species)}.")
        for need in needs:
            if not species[name][need]:
                raise UserError(place, f"species '{name}' has no {need}", f"Add `{need}:` to it or leave it out here.")
    return list(wanted)


def models_of(run: Mapping[str, Any]) -> list[str]:
    """Returns the models that a run names."""
    return list(run["models"]) if "models" in run else [run["model"]]


def _check_runs(resolved: dict[str, Any], model_facts: Callable[[str], ModelFacts], where: Any) -> None:
    for section in RUN_SECTIONS:
        for name, run in resolved[section].items():
            for model in models_of(run):
                key = "models" if "models" in run else "model"
                try:
                    facts = model_facts(model)
                except UserError as fault:
                    raise UserError(where([section, name, key]), fault.problem, fault.remedy) from fault
                if section == "segmentation":
                    _check_segmentation(name, run, facts, where)
                _check_layers(section, name, run, facts, where)
            _check_window_set(section, name, run, resolved["species"], where)
    for section, run_section in (("maps", "embeddings"), ("tracks", "segmentation")):
        for run in resolved["figures"][section]:
            if run not in resolved[run_section]:
                raise UserError(where(["figures", section, run]), f"no run '{run}' in {run_section}",
                                f"Known: {', '.join(resolved[run_section]) or 'none'}.")  # fmt: skip


def _check_segmentation(name: str, run: Mapping[str, Any], facts: ModelFacts, where: Any) -> None:
    place = where(["segmentation", name, "model"])
    if not facts.features:
        raise UserError(place, f"model '{facts.name}' has no segmentation head", "Name a segmentation model.")
    window_bp = run.get("window_bp")
    if window_bp and window_bp % (4 * facts.k):
        raise UserError(where(["segmentation", name, "window_bp"]),
                        f"found {window_bp} bp, expected a multiple of {4 * facts.k} bp (4 tokens of {facts.k})",
                        f"Take {window_bp // (4 * facts.k) * 4 * facts.k or 4 * facts.k}.")  # fmt: skip


def _check_layers(section: str, name: str, run: Mapping[str, Any], facts: ModelFacts, where: Any) -> None:
    for layer in run.get("layers", []) if run.get("layers") != "all" else []:
        if isinstance(layer, int) and layer > facts.num_layers:
            raise UserError(where([section, name, "layers"]),
                            f"layer {layer} of {facts.name} (it has {facts.num_layers})",
                            f"Name layers 1 to {facts.num_layers}.")  # fmt: skip


def _check_window_set(section: str, name: str, run: Mapping[str, Any], species: Mapping[str, Any], where: Any) -> None:
    if "windows" not in run:
        return
    for one in run["species"]:
        sets = species[one]["windows"]
        place = where([section, name, "windows"])
        if run["windows"] not in sets:
            raise UserError(place, f"no window set '{run['windows']}'", f"Known: {', '.join(sets) or 'none'}.")
        if sets[run["windows"]]["kind"] == "tss" and not species[one]["annotation"]:
            raise UserError(place, f"windows of kind tss need an annotation, which species '{one}' has not",
                            "Name the species that have one.")  # fmt: skip
        if section == "expression" and sets[run["windows"]]["kind"] != "tss":
            raise UserError(place, "expression needs windows of kind tss", "Name a set of that kind.")


def _fit_windows(resolved: dict[str, Any], model_facts: Callable[[str], ModelFacts], where: Any) -> None:
    """Gives every window set the token limit of the smallest model that uses it, and its length in bases."""
    for one, entry in resolved["species"].items():
        for name, window_set in entry["windows"].items():
            users = sorted({model for section in ("embeddings", "expression") for run in resolved[section].values()
                            if run.get("windows") == name and one in run["species"] for model in models_of(run)})  # fmt: skip
            if not users:
                continue
            facts = min((model_facts(model) for model in users), key=lambda fact: fact.longest_window_bp)
            window_set.update(max_tokens=facts.max_tokens, k=facts.k)
            _fit_length(window_set, facts, where(["defaults", "windows", name]))


def _fit_length(window_set: dict[str, Any], facts: ModelFacts, place: str) -> None:
    if window_set["kind"] == "tiles" and window_set["length_bp"] == "auto":
        window_set["length_bp"] = min(LONGEST_AUTO_WINDOW_BP, facts.longest_window_bp)
    if window_set["kind"] == "regions":
        return
    is_tss = window_set["kind"] == "tss"
    length_bp = window_set["upstream_bp"] + window_set["downstream_bp"] if is_tss else window_set["length_bp"]
    tokens = length_bp // facts.k + length_bp % facts.k + SPECIAL_TOKENS
    if tokens > facts.max_tokens:
        raise UserError(place, f"windows of {length_bp} bp ({tokens} tokens) are longer than model '{facts.name}' allows "
                        f"({facts.longest_window_bp} bp, {facts.max_tokens} tokens)", "Shorten them.")  # fmt: skip
    if window_set["kind"] == "tiles" and window_set["overlap_bp"] >= length_bp:
        raise UserError(place, f"overlap_bp {window_set['overlap_bp']} is not below length_bp {length_bp}", "Lower it.")
