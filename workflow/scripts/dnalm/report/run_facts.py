"""What a run was, in a few lines: species, models, device, time and cost."""

from __future__ import annotations

from dnalm.files import read_json
from dnalm.report.provenance import device_name, manifests
from dnalm.report.sources import Sources
from dnalm.report.text import duration, listing, species_name

ON_CPU = "CPU"


def run_facts(sources: Sources) -> list[tuple[str, str]]:
    """Returns key, value of the table at the head of the page; times are those of the results' manifests."""
    seconds = device_seconds(sources)
    gpus = {device: time for device, time in seconds.items() if device != ON_CPU}
    facts = [
        ("Species", listing([species_name(name) for name in sources.config["species"]])),
        ("Models", listing(sources.models())),
        ("Ran on", listing(sorted(seconds)) if seconds else ""),
        ("Time", f"{duration(sum(seconds.values()))}, added up over jobs" if seconds else ""),
        ("Cost", _cost(seconds.get(ON_CPU, 0.0), gpus) if seconds else ""),
    ]
    return [(key, value) for key, value in facts if value not in ("", "none")]


def device_seconds(sources: Sources) -> dict[str, float]:
    """Returns how long jobs ran on each kind of device."""
    seconds: dict[str, float] = {}
    for path in manifests(sources):
        run = read_json(path).get("run", {})
        device = device_name(run)
        seconds[device] = seconds.get(device, 0.0) + float(run.get("seconds", 0.0))
    return seconds


def _cost(cpu: float, gpus: dict[str, float]) -> str:
    parts = [f"{time / 3600:.2f} hours of {device}" for device, time in sorted(gpus.items())]
    return listing([*parts, f"{cpu / 3600:.2f} hours of jobs on the CPU"])
