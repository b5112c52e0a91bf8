"""Compares a checkpoint with everything that is known of it, real weights' reference figures included.

Source of the figures: resources/published/reference_figures.tsv, each with where it comes from.
"""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from dnalm.checkpoints import registry
from dnalm.checkpoints.expected import COMPARED, check_row, expected_settings
from dnalm.checkpoints.load import Checkpoint, Source, find, load_checkpoint
from dnalm.checkpoints.pins import read_pins
from dnalm.checkpoints.tensors import iterate, read_finite
from dnalm.errors import UserError
from dnalm.files import read_json, require_file, sha256_of
from dnalm.models.config import ModelConfig

FIGURES = registry.TABLES / "reference_figures.tsv"
OK, FAILED, UNKNOWN = "ok", "FAILED", "not known"


@dataclass(frozen=True)
class Finding:
    """The outcome of one check: OK, FAILED or UNKNOWN (nothing to compare with)."""

    check: str
    outcome: str
    detail: str


def verify(source: Source, model: str | None = None, run: bool = True) -> Iterator[Finding]:
    """Yields one finding after the other.

    Args:
        source: as `load_checkpoint` takes it; a folder may be one that other programs downloaded.
        model: the name in models.tsv that it should be; by default found by sha256, else by architecture.
        run: compute the reference figures.

    Raises:
        UserError: no checkpoint, or one that cannot be read.
    """
    found = find(source)
    checkpoint = load_checkpoint(found.folder if found.fetched is None else source)
    yield Finding("shapes", OK, f"{len(list(iterate(checkpoint.tensors)))} parameters fit the settings")
    repositories = set()
    for finding, repository in _files(checkpoint):
        yield finding
        repositories |= {repository} - {""}
    row = _row(model, found.row, repositories, checkpoint.config)
    if row is None:
        fitting = ", ".join(_fitting(checkpoint.config)) or "none"
        yield Finding("model", UNKNOWN, f"of this architecture: {fitting} (say which with --model)")
    else:
        yield from _row_findings(checkpoint, row)
    yield _finite(checkpoint)
    if row is not None and run:
        yield from _figure_findings(checkpoint, row["model"])


def _files(checkpoint: Checkpoint) -> Iterator[tuple[Finding, str]]:
    """Yields a finding for each file, and the repository that holds it or what it was converted from."""
    pins = {pin.sha256: pin for pin in read_pins()}
    manifest = checkpoint.source / "manifest.json"
    content = read_json(manifest)["content"] if manifest.exists() else {"files": {}, "inputs": {}}
    for path in checkpoint.files.values():
        sha256, entry = sha256_of(path), content["files"].get(path.name)
        if pin := pins.get(sha256):
            place = f"{pin.hub_repository} at {pin.revision[:12]}"
            yield Finding("file", OK, f"{path.name}: as published, {place}"), pin.hub_repository
        elif entry:
            is_same = entry["sha256"] == sha256
            detail = f"{path.name}: {'as' if is_same else 'not as'} its manifest says"
            yield Finding("file", OK if is_same else FAILED, detail), ""
        else:
            yield Finding("file", UNKNOWN, f"{path.name}: sha256 {sha256}"), ""
    for role, sha256 in content["inputs"].items():
        if pin := pins.get(sha256):
            place = f"{pin.hub_repository} at {pin.revision[:12]}"
            yield Finding("source", OK, f"{role}: converted from {pin.file}, {place}"), pin.hub_repository


def _row(
    model: str | None,
    named: dict[str, str] | None,
    repositories: set[str],
    config: ModelConfig,
) -> dict[str, str] | None:
    if model or named:
        return registry.model_row(model) if model else named
    names = [
        row["model"] for row in registry.read_rows() if row["hub_repository"] in repositories
    ] or _fitting(config)
    return registry.model_row(names[0]) if len(names) == 1 else None


def _fitting(config: ModelConfig) -> list[str]:
    """Returns the models whose rows ask for this architecture."""
    return [
        row["model"]
        for row in registry.read_rows()
        if all(expected_settings(row)[name] == getattr(config, name) for name in COMPARED)
    ]


def _row_findings(checkpoint: Checkpoint, row: dict[str, str]) -> Iterator[Finding]:
    name = row["model"]
    try:
        check_row(checkpoint.config, row, name)
        yield Finding("hyperparameters", OK, f"as models.tsv says of {name}")
    except UserError as fault:
        yield Finding("hyperparameters", FAILED, f"{fault.where}: {fault.problem}")
    expected = int(row["parameters"])
    if not checkpoint.config.lm_head and expected_settings(row)["lm_head"]:
        yield Finding(
            "parameter count", OK, f"{checkpoint.size:,} (of {expected:,} with a language-model head)"
        )
    else:
        outcome = OK if checkpoint.size == expected else FAILED
        yield Finding("parameter count", outcome, f"found {checkpoint.size:,}, expected {expected:,}")


def _finite(checkpoint: Checkpoint) -> Finding:
    largest = 0.0
    for module, name, tensor in iterate(checkpoint.tensors):
        try:
            array = read_finite(tensor, f"{module}/{name}")
        except UserError as fault:
            return Finding("values", FAILED, f"{fault.where}: {fault.problem}")
        largest = max(largest, float(np.abs(array).max(initial=0)))
    return Finding("values", OK, f"all finite, largest {largest:.4g}")


def read_figures(path: Path | None = None) -> list[dict[str, str]]:
    """Returns the reference figures as text: model, measure, sequence, token, values and more."""
    with open(require_file(path or FIGURES), encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle, delimiter="\t"))


def _figure_findings(checkpoint: Checkpoint, model: str) -> Iterator[Finding]:
    figures = [figure for figure in read_figures() if figure["model"] == model]
    if not figures:
        yield Finding("reference figures", UNKNOWN, f"none are known of {model}")
        return
    run = _runner(checkpoint)
    for figure in figures:
        measure = _mean_embedding if figure["measure"] == "mean_embedding" else _token_probability
        found = measure(run, checkpoint.config, figure)
        expected = np.array([float(word) for word in figure["values"].split(",")])
        if figure["norm"]:  # of the whole vector, of which the first values are known
            found = np.append(found[: len(expected)], np.linalg.norm(found))
            expected = np.append(expected, float(figure["norm"]))
        tolerance = float(figure["tolerance"])
        within = np.abs(found - expected) <= tolerance * np.maximum(1, np.abs(expected))
        what = figure["token"] or f"{figure['sequence'][:18]}, eps {figure['layer_norm_eps']}"
        detail = f"{what}: largest difference {np.abs(found - expected).max():.2g} (tolerance {tolerance:g})"
        yield Finding(figure["measure"].replace("_", " "), OK if within.all() else FAILED, detail)


def _runner(checkpoint: Checkpoint) -> Callable[[str, str, str], np.ndarray]:
    """Returns (sequence, layer-norm epsilon, output) -> values (L, ...); each is computed once."""
    from dnalm.models.run import run_model

    params, last = checkpoint.load(), checkpoint.config.num_layers

    @cache
    def run(sequence: str, epsilon: str, output: str) -> np.ndarray:
        config = dataclasses.replace(checkpoint.config, layer_norm_eps=float(epsilon))
        tokens = config.tokens.encode_batch([sequence])
        results = run_model(params, config, tokens, None, (last,), (output,))
        return results["logits" if output == "logits" else f"embeddings_{last}"][0]

    return run


def _mean_embedding(run: Callable[..., np.ndarray], _: ModelConfig, figure: Mapping[str, str]) -> np.ndarray:
    """Returns the mean last embedding over all tokens, <cls> among them."""
    return run(figure["sequence"], figure["layer_norm_eps"], "embeddings").mean(axis=0)


def _token_probability(
    run: Callable[..., np.ndarray], config: ModelConfig, figure: Mapping[str, str]
) -> np.ndarray:
    """Returns the probability of one token at one position, numbered from 0 with <cls>."""
    position, token = figure["token"].split(":")
    logits = run(figure["sequence"], figure["layer_norm_eps"], "logits")[int(position)].astype(np.float64)
    weights = np.exp(logits - logits.max())
    return weights[[config.tokens.ids[token]]] / weights.sum()
