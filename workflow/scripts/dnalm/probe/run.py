"""One probe of one task: from feature sets to tables of scores and predictions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from dnalm.probe.features import Source, find_sources, read_features
from dnalm.probe.linear import FIXED_PENALTY, PENALTIES, Candidate, linear_candidates
from dnalm.probe.mlp import mlp_candidates
from dnalm.probe.scaling import standardise
from dnalm.probe.scores import MEAN, METRICS, SINGLE, base_rate, score
from dnalm.probe.sets import Sets, make_sets
from dnalm.probe.targets import Design, Targets
from dnalm.tasks import in_folds, label_columns, label_values, task_type

# layer, pooling, head, penalty: of the fold's probe. choice: what was chosen inside the training rows (layer:
# with pooling, penalty and head; penalty; epoch: when an MLP stops; head: with its penalty; fixed: nothing).
# output: empty, or of several labels mean, pooled or the label's number. scored: the fold's own rows
# (held_out) or the official test set (test).
FOLD_COLUMNS = (
    "features", "layer", "pooling", "head", "choice", "penalty", "output", "scored", "fold", "n_train",
    "n_test", "base_rate", *METRICS,
)  # fmt: skip
LINEAR, MLP, BEST = "linear", "mlp", "best"
HEADS = (LINEAR, MLP, BEST)
CHOOSE = ("layer", "penalty")
WHAT = {LINEAR: "penalty", MLP: "epoch", BEST: "head"}  # is chosen where layers are not


@dataclass(frozen=True)
class Result:
    """Tables of a probe.

    Attributes:
        folds: FOLD_COLUMNS; the headline, chosen inside the training rows, one row per fold (and layer,
            where layers are not chosen).
        sweep: the same of every layer with one fixed penalty: for a look at layers, no score to report.
        outputs: the headline of each output of several, and of all pooled.
        predictions: name, features, layer, fold, scored, group, labels and predictions, as the headline's.
    """

    folds: pd.DataFrame
    sweep: pd.DataFrame
    outputs: pd.DataFrame
    predictions: pd.DataFrame


def no_result() -> Result:
    """Returns tables without rows: of features that a task does not allow."""
    empty = pd.DataFrame(columns=list(FOLD_COLUMNS))
    return Result(empty, empty, empty, pd.DataFrame({"name": pd.Series(dtype=str)}))


class _Choice:
    """The best candidate so far, fold by fold."""

    def __init__(self, sets: Sets, head: str) -> None:
        self._losses = np.full(len(sets.numbers), np.inf)
        self.heads, self.stopping = [head] * len(sets.numbers), np.full(len(sets.numbers), np.nan)
        self.sources: list[Source | None] = [None] * len(sets.numbers)
        self.penalties = np.full(len(sets.numbers), np.nan)
        self.outputs: list[Float[np.ndarray, "M C"]] = [np.empty((0, 0))] * len(sets.numbers)

    def offer(self, source: Source, candidate: Candidate) -> None:
        for place, loss in enumerate(candidate.losses):
            if loss < self._losses[place] or self.sources[place] is None:
                self._losses[place], self.penalties[place] = loss, candidate.penalty
                self.sources[place], self.outputs[place] = source, candidate.outputs[place]
                self.stopping[place] = candidate.stopping[place]

    def take(self, other: _Choice) -> None:
        """Takes another head's candidates where they have the lower loss on the fold that stops an MLP."""
        for place in np.flatnonzero(other.stopping < self.stopping):
            self.heads[place], self.penalties[place] = other.heads[place], other.penalties[place]
            self.sources[place], self.outputs[place] = other.sources[place], other.outputs[place]
            self.stopping[place] = other.stopping[place]


def run_probe(
    task: pd.DataFrame,
    features: Sequence[str],
    name: str,
    head: str = "linear",
    choose: str = "layer",
    penalties: Sequence[float] = PENALTIES,
) -> Result:
    """Probes feature sets of a task; all that is chosen is chosen inside the training rows of each fold.

    Args:
        features: see `find_sources`; several files may hold the same rows pooled in several ways.
        name: what tables call the features.
        choose: layer (one probe, with the layer and pooling that predict the inner folds best), or penalty
            (every layer has its own probe).
        head: linear, mlp, or best: for each fold the one with the lower loss on the fold that stops its MLP.
    """
    task = task if "split" in task.columns else task.assign(split="")
    sources, rows = find_sources(features), in_folds(task)
    kind, labels = task_type(task), label_values(task)
    classes = int(labels.max()) + 1 if kind == "multiclass" else 0
    targets, tested = Targets(kind, labels[rows], labels[~rows], classes), bool((~rows).any())
    together = choose == "layer" and len(sources) > 1
    choosing = head != LINEAR or len(penalties) > 1 or together
    heads = (LINEAR, MLP) if head == BEST else (head,)
    sets = make_sets(task["fold"].to_numpy(np.int64)[rows], tested, choosing)
    tables = _Tables(task, name, sets, targets)
    choices = [_Choice(sets, kind) for kind in heads]
    for source in sources:
        scaled = standardise(read_features(source, task), rows)
        design = Design(scaled[rows], scaled[~rows])
        own = choices if together else [_Choice(sets, kind) for kind in heads]
        for kind, choice in zip(heads, own, strict=True):
            for candidate, offered in _candidates(design, targets, sets, kind, penalties):
                if offered:
                    choice.offer(source, candidate)
                if candidate.penalty == FIXED_PENALTY or kind == MLP:
                    fixed = _Choice(sets, kind)
                    fixed.offer(source, candidate)
                    tables.add(fixed, "fixed" if kind == LINEAR else "epoch")
        if not together:
            tables.add(_best(own), WHAT[head], headline=True)
    if together:
        tables.add(_best(choices), "layer", headline=True)
    return tables.result()


def _best(choices: list[_Choice]) -> _Choice:
    first, *others = choices
    for other in others:
        first.take(other)
    return first


def _candidates(
    design: Design, targets: Targets, sets: Sets, head: str, penalties: Sequence[float]
) -> Iterator[tuple[Candidate, bool]]:
    """Yields candidates, and whether they may be chosen: the sweep's penalty may lie outside the grid."""
    if head == MLP:
        yield from ((candidate, True) for candidate in mlp_candidates(design, targets, sets))
        return
    grid = sorted({*penalties, FIXED_PENALTY})
    for candidate in linear_candidates(design, targets, sets, grid):
        yield candidate, candidate.penalty in penalties


class _Tables:
    """Gathers the rows of a probe's tables."""

    def __init__(self, task: pd.DataFrame, name: str, sets: Sets, targets: Targets) -> None:
        self._about = {"features": name, "scored": "test" if sets.tested else "held_out"}
        self._task, self._sets, self._targets = task, sets, targets
        self._cross, self._test = np.flatnonzero(in_folds(task)), np.flatnonzero(~in_folds(task))
        self._headline: list[dict[str, object]] = []
        self._sweep: list[dict[str, object]] = []
        self._predictions: list[pd.DataFrame] = []

    def add(self, choice: _Choice, what: str, headline: bool = False) -> None:
        """Scores each fold's probe."""
        targets, sets = self._targets, self._sets
        for place, number in enumerate(sets.numbers):
            source, rows = choice.sources[place], sets.rows(place)
            labels = targets.test if sets.tested else targets.labels[rows]
            predicted = targets.read(choice.outputs[place])
            about = {
                **self._about,
                "head": choice.heads[place],
                "layer": np.nan if source is None or source.layer is None else float(source.layer),
                "pooling": source.pooling if source else "",
                "fold": int(number),
            }
            sizes = {"n_train": int(sets.train[place].sum()), "n_test": len(labels)}
            sizes |= {"penalty": choice.penalties[place], "base_rate": base_rate(targets.kind, labels)}
            found = [
                {**about, **sizes, "choice": what, "output": output, **scores}
                for output, scores in score(targets.kind, labels, predicted).items()
            ]
            (self._headline if headline else self._sweep).extend(found)
            if headline:
                scored = self._test if sets.tested else self._cross[rows]
                self._predictions.append(_predictions(self._task.iloc[scored], targets, predicted, about))

    def result(self) -> Result:
        headline, sweep = (
            pd.DataFrame(rows).reindex(columns=list(FOLD_COLUMNS)) for rows in (self._headline, self._sweep)
        )
        main, shown = (table["output"].isin((SINGLE, MEAN)) for table in (headline, sweep))
        predictions = pd.concat(self._predictions, ignore_index=True)
        tables = headline[main], sweep[shown], headline[~main]
        return Result(*(table.reset_index(drop=True) for table in tables), predictions)


def _predictions(
    task: pd.DataFrame, targets: Targets, predicted: Float[np.ndarray, "M C"], about: dict[str, object]
) -> pd.DataFrame:
    """Returns names, labels and predictions of the rows that one fold's probe was scored on."""
    table = task[["name", *label_columns(task)]].assign(
        **{key: about[key] for key in ("features", "layer", "fold", "scored")}
    )
    table["group"] = task["group"] if "group" in task.columns else np.arange(len(task))
    return table.assign(
        **dict(zip(prediction_columns(targets.kind, predicted.shape[1]), predicted.T, strict=True))
    )


def prediction_columns(kind: str, count: int) -> list[str]:
    """Returns the columns of predictions: probability (binary), probability_class_0, ... (multiclass),
    probability_1, ... (multilabel), prediction, or prediction_1, ... (regression)."""
    if kind in ("binary", "regression"):
        return ["probability" if kind == "binary" else "prediction"]
    first = {"multiclass": "probability_class_", "multilabel": "probability_"}.get(kind, "prediction_")
    return [f"{first}{number + (kind != 'multiclass')}" for number in range(count)]
