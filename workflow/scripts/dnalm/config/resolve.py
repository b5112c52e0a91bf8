"""The configuration completed with defaults and checked against what exists, before any job."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dnalm.config.papers import complete_papers
from dnalm.config.tasks import complete_task
from dnalm.errors import UserError
from dnalm.models.config import stretched
from dnalm.tokens import Spacing, kmer_tokenizer, spacing

LONGEST_AUTO_WINDOW_BP = 6000  # the published pretraining window (Nucleotide Transformer, Methods)
LEAST_MEMORY_MB = 8000  # of a job that runs a small model on a large genome

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
        "parts": 1,
        "long_inputs": "refuse",
        "split_overlap": 0,  # tokens
        "precision": "float32",
        "species": "all",
    },
    "segmentation": {
        "regions": "all",
        "overlap": 0.29,  # as stitching.OVERLAP
        "frames": 1,
        "stitch": "centre",
        "reverse_complement": True,
        "max_filled_n": 5,
        "resolution": 0.001,
        "parts": 1,
        "precision": "float32",
        "hub": True,
        "zarr": False,
        "species": "all",
    },
    "elements": {
        "threshold": 0.5,
        "thresholds": {},
        "smoothing_bp": 1,
        "min_length_bp": 1,
        "merge_gap_bp": 0,
    },
    "tasks": {
        "layers": ["last"],
        "folds": 10,
        "pooling": "mean",
        "head": "linear",
        "choose": "layer",
        "penalties": None,  # those of train_probe.py
        "fine_tune": None,
        "baselines": ["kmer", "one_hot", "gc_length", "constant", "random_weights"],
        "regions": "held_out",
        "max_examples": 4000,
        "long_inputs": "refuse",
        "split_overlap": 0,
        "precision": "float32",
        "species": "all",
    },
    "expression": {
        "layers": ["last"],
        "pooling": "mean",
        "reverse_complement": False,
        "precision": "float32",
        "folds": 10,
        "baselines": ["kmer", "random_weights", "shuffled"],
        "species": "all",
    },
}
RUN_SECTIONS = ("embeddings", "segmentation", "tasks", "expression")


@dataclass(frozen=True)
class ModelFacts:
    """What the configuration must know of a model before any file of it is read."""

    name: str
    tokenizer: str
    max_tokens: int
    num_layers: int
    features: tuple[str, ...]
    labels: str
    parameters: int = 0  # 0: not known before its files are read
    embed_dim: int = 0

    def memory_mb(self, precision: str) -> int:
        """Returns the memory of a job that runs the model.

        Half of LEAST_MEMORY_MB is for Python, JAX, activations and what is written; the rest is for the
        weights, in the smaller types with the float32 copies that a CPU keeps.
        """
        weights_mb = self.parameters * (4 if precision == "float32" else 6) / 1e6
        return max(LEAST_MEMORY_MB, math.ceil(LEAST_MEMORY_MB / 2 + 1.25 * weights_mb))

    @property
    def longest_window_bp(self) -> int:
        """The most bases, without N, that the model's token limit allows."""
        return self.spacing.longest_bp(self.max_tokens)

    @property
    def spacing(self) -> Spacing:
        """How many tokens a stretch of DNA takes."""
        return spacing(self.tokenizer)

    @property
    def k(self) -> int:
        """Bases per token of a segmentation model."""
        return kmer_tokenizer(self.tokenizer).k


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
        `max_tokens` and `tokenizer` of the smallest model that uses them.
    """
    defaults = config.get("defaults", {})
    species = {
        name: _complete_species(name, entry, defaults, where)
        for name, entry in config.get("species", {}).items()
    }
    resolved: dict[str, Any] = {
        "title": config.get("title", "DNA language models from genomes to figures"),
        "species": species,
        "models": dict(config.get("models", {})),
        "figures": {"maps": {}, "tracks": {}, "papers": {}, **config.get("figures", {})},
        "training": dict(config.get("training", {})),
        "tokenizers": dict(config.get("tokenizers", {})),
    }
    for section in ("training", "tokenizers"):
        for name, entry in resolved[section].items():
            wanted = entry["species"]
            wanted = [wanted] if isinstance(wanted, str) else wanted
            _species_of(wanted, section, name, species, where)
            if len(wanted) > 1 and entry.get("kind") != "pretrain":
                place = where([section, name, "species"])
                raise UserError(
                    place, f"found {len(wanted)} species, expected one", "Pretraining takes several."
                )
    for name, entry in resolved["training"].items():
        if "tokenizer" in entry and (entry["kind"] != "pretrain" or "initial" in entry):
            raise UserError(
                where(["training", name, "tokenizer"]),
                "is for pretraining from scratch",
                "Leave it out: the tokenizer is that of the k-mers or of `initial`.",
            )
    for section in RUN_SECTIONS:
        resolved[section] = {}
        for name, entry in (config.get(section) or {}).items():
            if section == "tasks":
                run = complete_task(name, entry, DEFAULTS[section], where)
            else:
                run = {**DEFAULTS[section], **entry}
            if section == "segmentation":
                run["elements"] = {**DEFAULTS["elements"], **entry.get("elements", {})}
            run["species"] = _species_of(run["species"], section, name, species, where)
            resolved[section][name] = run
    _check_runs(resolved, model_facts, where)
    figures = resolved["figures"]
    figures["papers"] = complete_papers(figures["papers"], resolved, model_facts, where)
    _fit_windows(resolved, model_facts, where)
    return resolved


def _complete_species(
    name: str, entry: Mapping[str, Any], defaults: Mapping[str, Any], where: Any
) -> dict[str, Any]:
    windows = {**defaults.get("windows", {}), **entry.get("windows", {})}
    held_out = entry.get("held_out", [])
    for region in held_out:
        start, end = region.rpartition(":")[2].split("-")
        if int(start) >= int(end):
            raise UserError(
                where(["species", name, "held_out"]), f"start is not before end in {region}", "Swap them."
            )
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
    """Expands `all` to the species that have what the section needs; one asked for by name must have it."""
    needs = {"tasks": ["annotation"], "expression": ["annotation", "expression"]}.get(section, [])
    if wanted == "all":
        return [name for name, entry in species.items() if all(entry[need] for need in needs)]
    for name in wanted:
        place = where([section, run, "species"])
        if name not in species:
            raise UserError(place, f"unknown species '{name}'", f"Known: {', '.join(species)}.")
        for need in needs:
            if not species[name][need]:
                raise UserError(
                    place, f"species '{name}' has no {need}", f"Add `{need}:` to it or leave it out here."
                )
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
                    raise UserError(
                        where([section, name, key]), f"model '{model}': {fault.problem}", fault.remedy
                    ) from fault
                if section == "segmentation":
                    _check_segmentation(name, run, facts, where)
                    _check_elements(name, run["elements"], facts, where)
                _check_layers(section, name, run, facts, where)
            _check_window_set(section, name, run, resolved["species"], where)
    for run in resolved["figures"]["maps"]:
        if resolved["embeddings"].get(run, {}).get("pooling") == "none":
            raise UserError(
                where(["figures", "maps", run]),
                "a map needs pooled embeddings, this run has pooling none",
                "Pool it.",
            )
    for section, run_section in (("maps", "embeddings"), ("tracks", "segmentation")):
        for run in resolved["figures"][section]:
            if run not in resolved[run_section]:
                raise UserError(
                    where(["figures", section, run]),
                    f"no run '{run}' in {run_section}",
                    f"Known: {', '.join(resolved[run_section]) or 'none'}.",
                )


def _check_segmentation(name: str, run: Mapping[str, Any], facts: ModelFacts, where: Any) -> None:
    place = where(["segmentation", name, "model"])
    if not facts.features:
        raise UserError(place, f"model '{facts.name}' has no segmentation head", "Name a segmentation model.")
    window_bp = run.get("window_bp")
    if window_bp and window_bp % (4 * facts.k):
        raise UserError(
            where(["segmentation", name, "window_bp"]),
            f"found {window_bp} bp, expected a multiple of {4 * facts.k} bp (4 tokens of {facts.k})",
            f"Take {window_bp // (4 * facts.k) * 4 * facts.k or 4 * facts.k}.",
        )
    longest_bp = (stretched(facts.max_tokens) - 1) // 4 * 4 * facts.k
    if window_bp and window_bp > longest_bp:
        raise UserError(
            where(["segmentation", name, "window_bp"]),
            f"windows of {window_bp} bp, model '{facts.name}' takes at most {longest_bp} bp "
            f"(trained on {facts.longest_window_bp} bp)",
            f"Take at most {longest_bp}.",
        )
    if "context_bp" in run and "bed" not in run:
        raise UserError(
            where(["segmentation", name, "context_bp"]),
            "is for regions of a `bed`, which is missing",
            "Add it.",
        )


def _check_elements(name: str, elements: Mapping[str, Any], facts: ModelFacts, where: Any) -> None:
    if elements["smoothing_bp"] % 2 == 0:
        raise UserError(
            where(["segmentation", name, "elements", "smoothing_bp"]),
            f"found {elements['smoothing_bp']}, expected an odd number",
            "A window has a middle base.",
        )
    for feature in elements["thresholds"]:
        if feature not in facts.features:
            raise UserError(
                where(["segmentation", name, "elements", "thresholds", feature]),
                f"'{feature}' is no feature of model '{facts.name}'",
                f"Known: {', '.join(facts.features)}.",
            )


def _check_layers(section: str, name: str, run: Mapping[str, Any], facts: ModelFacts, where: Any) -> None:
    for layer in run.get("layers", []) if run.get("layers") != "all" else []:
        if isinstance(layer, int) and layer > facts.num_layers:
            raise UserError(
                where([section, name, "layers"]),
                f"layer {layer} of {facts.name} (it has {facts.num_layers})",
                f"Name layers 1 to {facts.num_layers}.",
            )


def _check_window_set(
    section: str, name: str, run: Mapping[str, Any], species: Mapping[str, Any], where: Any
) -> None:
    if "windows" not in run:
        return
    for one in run["species"]:
        sets = species[one]["windows"]
        place = where([section, name, "windows"])
        if run["windows"] not in sets:
            raise UserError(
                place, f"no window set '{run['windows']}'", f"Known: {', '.join(sets) or 'none'}."
            )
        if sets[run["windows"]]["kind"] == "tss" and not species[one]["annotation"]:
            raise UserError(
                place,
                f"windows of kind tss need an annotation, which species '{one}' has not",
                "Name the species that have one.",
            )
        if section == "expression" and sets[run["windows"]]["kind"] != "tss":
            raise UserError(place, "expression needs windows of kind tss", "Name a set of that kind.")


def _fit_windows(resolved: dict[str, Any], model_facts: Callable[[str], ModelFacts], where: Any) -> None:
    """Gives every window set the token limit of the smallest model that uses it, and its length in bases."""
    for one, entry in resolved["species"].items():
        for name, window_set in entry["windows"].items():
            users = [
                (model_facts(model), run.get("long_inputs") == "split")
                for section in ("embeddings", "expression")
                for run in resolved[section].values()
                if run.get("windows") == name and one in run["species"]
                for model in models_of(run)
            ]
            if not users:
                continue
            # Where long inputs are split, a model limits nothing.
            limiting = [facts for facts, splits in users if not splits]
            facts = min(limiting or [facts for facts, _ in users], key=lambda fact: fact.longest_window_bp)
            max_tokens = facts.max_tokens if limiting else None
            window_set.update(max_tokens=max_tokens, tokenizer=facts.tokenizer)
            _fit_length(window_set, facts, where(["defaults", "windows", name]))


def _fit_length(window_set: dict[str, Any], facts: ModelFacts, place: str) -> None:
    if window_set["kind"] == "tiles" and window_set["length_bp"] == "auto":
        window_set["length_bp"] = min(LONGEST_AUTO_WINDOW_BP, facts.longest_window_bp)
    if window_set["kind"] == "regions":
        return
    is_tss = window_set["kind"] == "tss"
    length_bp = window_set["upstream_bp"] + window_set["downstream_bp"] if is_tss else window_set["length_bp"]
    tokens = facts.spacing.tokens_of(length_bp)
    if facts.spacing.exact and window_set["max_tokens"] and tokens > facts.max_tokens:
        raise UserError(
            place,
            f"windows of {length_bp} bp ({tokens} tokens) are longer than model '{facts.name}' allows "
            f"({facts.longest_window_bp} bp, {facts.max_tokens} tokens)",
            "Shorten them.",
        )
    if window_set["kind"] == "tiles" and window_set["overlap_bp"] >= length_bp:
        raise UserError(
            place, f"overlap_bp {window_set['overlap_bp']} is not below length_bp {length_bp}", "Lower it."
        )
