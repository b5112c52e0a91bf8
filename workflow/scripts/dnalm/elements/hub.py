"""A track hub for the UCSC Genome Browser, in the folder `hub` of a run.

Source of the settings: UCSC's hub documentation (trackDbHub, assemblyHubHelp). One file holds hub, genome and
tracks (`useOneFile on`); the bigWigs are named relative to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any

from dnalm import files
from dnalm.elements.source import Source
from dnalm.elements.two_bit import write_two_bit
from dnalm.elements.views import View, first_look, safe_name, views
from dnalm.genome import Genome

HUB, TWO_BIT, SIZES, GROUPS, PAGE = "hub.txt", "genome.2bit", "chrom.sizes", "groups.txt", "description.html"
GROUP = "predictions"
EMAIL = "nobody@example.org"  # the format wants one; replace it before a hub is published
SHORT, LONG = 17, 76  # letters that the browser shows of labels
Stanza = Mapping[str, object]


def write_hub(
    source: Source, genome: Genome, species: str, model: str = "", ucsc_db: str | None = None
) -> list[Path]:
    """Writes the folder `hub` of a run and returns its files.

    Args:
        ucsc_db: UCSC's name of the assembly; without it the hub brings the genome itself.
    """
    about, hub = source.about, source.folder / "hub"
    words = species.replace("_", " ").capitalize()
    label = f"{words}: {model}" if model else words
    head = {
        "hub": safe_name(f"dnalm_{species}_{source.folder.resolve().name}"),
        "shortLabel": words[:SHORT],
        "longLabel": f"Predicted elements of {label}"[:LONG],
        "useOneFile": "on",
        "email": EMAIL,
        "descriptionUrl": PAGE,
    }
    place = {"genome": ucsc_db} if ucsc_db else assembly(about, species, words)
    tracks = [
        stanza
        for order, group in enumerate(views(about).values(), start=1)
        for stanza in track_stanzas(group, order, None if ucsc_db else GROUP)
    ]
    text = {HUB: written([head, place, *tracks]), PAGE: page(label, about)}
    if not ucsc_db:
        group = {"name": GROUP, "label": "Predicted elements", "priority": 1, "defaultIsClosed": 0}
        text[GROUPS] = written([group])
        text[SIZES] = "".join(f"{contig}\t{length}\n" for contig, length in genome.lengths.items())
        write_two_bit(genome, hub / TWO_BIT)
    for name, content in text.items():
        files.write_text(hub / name, content)
    return [hub / name for name in (*text, *([] if ucsc_db else [TWO_BIT]))]


def assembly(about: Mapping[str, Any], species: str, words: str) -> Stanza:
    """Returns the stanza of a genome that the hub brings itself."""
    return {
        "genome": safe_name(f"dnalm_{species}"),
        "description": words,
        "organism": words,
        "scientificName": words,
        "twoBitPath": TWO_BIT,
        "chromSizes": SIZES,
        "groups": GROUPS,
        "htmlPath": PAGE,
        "defaultPos": first_look(about),
    }


def track_stanzas(group: list[View], order: int, ucsc_group: str | None) -> list[Stanza]:
    """Returns the stanzas of one feature: its track, or both strands laid over each other."""
    common = {
        "type": "bigWig 0 1",
        "visibility": "full",
        "viewLimits": "0:1",
        "autoScale": "off",
        "maxHeightPixels": "100:40:8",
        "windowingFunction": "maximum" if group[0].is_one_base else "mean",
        "priority": order,
        **({"group": ucsc_group} if ucsc_group else {}),
    }
    if len(group) == 1:
        return [_track(group[0]) | common]
    parent = safe_name(group[0].feature.lower()) + "_strands"
    container = {
        "track": parent,
        "shortLabel": group[0].label.split(" +")[0][:SHORT],
        "longLabel": f"{group[0].description.partition(',')[0]}, both strands"[:LONG],
        "container": "multiWig",
        "aggregate": "transparentOverlay",
        "showSubtrackColorOnUi": "on",
    }
    return [container | common, *(_track(view) | {"parent": parent, "type": "bigWig 0 1"} for view in group)]


def _track(view: View) -> dict[str, object]:
    return {
        "track": view.name,
        "shortLabel": view.label.replace("\u2212", "-")[:SHORT],
        "longLabel": view.description[:LONG],
        "bigDataUrl": f"../{view.file}",
        "color": view.colour,
    }


def written(stanzas: Iterable[Stanza]) -> str:
    """Returns stanzas as text: a setting a line, an empty line between two."""
    return "\n".join("".join(f"{key} {value}\n" for key, value in stanza.items()) for stanza in stanzas)


def page(label: str, about: Mapping[str, Any]) -> str:
    """Returns the short page that the browser shows about the hub."""
    strands = "one track per strand" if about["labels"] == "own_strand" else "one track for both strands"
    return (
        f"<h1>{escape(label)}</h1>\n<p>Probability of each genomic element at every base, {strands}, "
        f"windows of {about['window_bp']:,} bp. Bases without a prediction have no value.</p>\n"
    )
