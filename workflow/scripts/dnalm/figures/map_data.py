"""What the embedding map draws: windows of an .h5ad file, one layer of them, what they overlap."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from dnalm import annotation as annotations
from dnalm.errors import UserError
from dnalm.figures import window_classes
from dnalm.figures.projection import Projection, neighbour_agreement, project, subsample
from dnalm.files import require_file
from dnalm.genome import Genome

__all__ = ["Embedded", "describe", "note", "project", "read_embedded", "sample"]
PLACE = ["contig", "start", "end"]


@dataclass(frozen=True)
class Embedded:
    """Embeddings of windows of a genome, one layer; rows of `windows` and `values` go together."""

    windows: pd.DataFrame  # contig, start, end; indexed by name
    values: Float[np.ndarray, "B D"]
    model: str
    layer: int
    how: str = ""  # pooling, and random weights

    @property
    def label(self) -> str:
        """The model and layer as a figure names them."""
        return f"{self.model}, layer {self.layer}"


def choose_layer(layers: list[int], wanted: str, where: object) -> int:
    """Returns the layer that `last` (the deepest), `middle` (half way down to it) or a number means.

    Raises:
        UserError: the file does not hold it.
    """
    if wanted == "last":
        return max(layers)
    if wanted == "middle":
        return min(layers, key=lambda layer: abs(layer - max(layers) / 2))
    if wanted.isdigit() and int(wanted) in layers:
        return int(wanted)
    held = ", ".join(map(str, sorted(layers)))
    raise UserError(where, f"holds no layer {wanted} (found {held})", "Name one of these layers.")


def read_embedded(path: str | Path, layer: str, model: str = "") -> Embedded:
    """Reads one layer; windows without an embedding (NaN) are left out.

    Args:
        layer: its number, middle or last.
        model: name of the model (default: that of the file).

    Raises:
        UserError: no .h5ad file, no windows of a genome in it, no such layer, no row.
    """
    import anndata

    path = require_file(path, "file of embeddings")
    try:
        data = anndata.read_h5ad(path, backed="r")
    except (OSError, KeyError) as fault:
        raise UserError(
            path, f"is no readable .h5ad file ({fault})", "Run the embedding step again."
        ) from fault
    missing = [column for column in PLACE if column not in data.obs]
    if missing:
        raise UserError(
            path, f"its rows have no {', '.join(missing)}", "Draw embeddings of a genome's windows."
        )
    layers = [int(key.removeprefix("layer_")) for key in data.obsm if key.startswith("layer_")]
    if not layers or not data.n_obs:
        raise UserError(path, "holds no embeddings of windows", "Run the embedding step again.")
    chosen = choose_layer(layers, layer, path)
    values = np.asarray(data.obsm[f"layer_{chosen}"], np.float32)
    windows = data.obs[PLACE].astype({"contig": str})
    known = np.isfinite(values).all(axis=1)
    return Embedded(windows[known], values[known], model or path.stem, chosen, weights_note(dict(data.uns)))


def weights_note(uns: dict[str, object]) -> str:
    """Returns how the file says its windows were pooled, and whether the network was untrained."""
    about = uns.get("dnalm", {})
    if not isinstance(about, dict):
        return ""
    weights, pooling = str(about.get("weights", "")), str(about.get("pooling", ""))
    said = [f"pooling {pooling.replace('_', ' ')}"] if pooling else []
    return ", ".join([*said, *(["random weights"] if weights.startswith("random") else [])])


def sample(embedded: Embedded, seed: int) -> Embedded:
    """Returns all rows, or a seeded random part that a map can show."""
    rows = subsample(len(embedded.windows), seed=seed)
    return replace(embedded, windows=embedded.windows.iloc[rows], values=embedded.values[rows])


def describe(windows: pd.DataFrame, annotation: str | None, genome: str | None) -> tuple[pd.DataFrame, str]:
    """Returns the windows with class, shares and GC content, as files are given, and the classes' rule.

    Raises:
        UserError: neither file is given, or they do not fit the windows.
    """
    if not (annotation or genome):
        raise UserError("--annotation, --genome", "neither is given", "Give one: it colours the map.")
    pieces, rule, repeats = [windows], "", None
    if genome:
        with Genome(genome) as letters:
            pieces.append(window_classes.composition(windows, letters))
        repeats = pieces[-1]["soft_masked"].to_numpy()
    if annotation:
        has_repeats = repeats is not None and bool((repeats > 0).any())
        rule = window_classes.REPEAT_RULE if has_repeats else window_classes.RULE
        table = annotations.load_annotation(annotation)
        pieces.append(window_classes.classify_windows(windows, table, repeats))
    return pd.concat(pieces, axis=1).reset_index(names="name"), rule


def note(
    embedded: Embedded, drawn: Embedded, windows: pd.DataFrame, projection: Projection, rule: str
) -> str:
    """Returns the line below the map: model, n, method, rule of the classes, how classes sit together."""
    total, shown = len(embedded.windows), len(drawn.windows)
    of_all = f" of {total:,} (seeded random sample)" if shown < total else ""
    method = "t-SNE of 30 principal components" if projection.kind == "t-SNE" else "Principal components"
    how = f" ({embedded.how})" if embedded.how else ""
    lines = [f"Model: {embedded.label}{how}, n = {shown:,} windows{of_all}. {method}."]
    if rule and shown > 2:
        same, by_chance = neighbour_agreement(drawn.values, windows["overlaps"].to_numpy(str))
        lines.append(f"{rule}. Among a window's 15 nearest neighbours {same:.0%} share its class")
        lines[-1] += f" (by chance {by_chance:.0%})."
    return " ".join(lines)
