"""What a fine-tuning leaves behind."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from dnalm import files, probe
from dnalm.checkpoints.adapter_file import write_adapter
from dnalm.finetuning.run import STEP, FineTuned
from dnalm.probe.scores import METRICS

log = logging.getLogger("dnalm")


def write_result(result: FineTuned, folder: Path, inputs: Mapping[str, str | Path]) -> None:
    """Writes tables, predictions and adapters, the manifest last, and removes the unfinished run."""
    tables, scores = result.tables, result.tables.folds
    # No layers are compared: what summaries ask of a sweep is the headline.
    written = {folder / "folds.tsv": scores, folder / "sweep.tsv": scores}
    written |= {folder / "outputs.tsv": tables.outputs} if len(tables.outputs) else {}
    for path, table in written.items():
        probe.write_table(table, path)
    paths = [*written, folder / "predictions.parquet"]
    with files.atomic_path(paths[-1]) as temporary:
        tables.predictions.to_parquet(temporary, index=False)
    named = {f"fold_{fold}": adapter for fold, adapter in result.adapters.items()}
    for name, adapter in {**named, "adapter": result.adapters[result.best]}.items():
        paths.append(folder / f"{name}.safetensors")
        write_adapter(paths[-1], adapter)
    files.write_manifest(folder, STEP, dict(inputs), dict(result.facts), paths)
    shown = [metric for metric in METRICS if scores[metric].notna().any()]
    means = ", ".join(f"{metric} {scores[metric].mean():.3f}" for metric in shown)
    log.info("%s: %s (means of %d folds)", scores["features"].iloc[0], means, len(scores))
    result.forget()
