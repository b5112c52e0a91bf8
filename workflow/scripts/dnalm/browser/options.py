"""What igv.js is told: the rows of a page, and where they begin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dnalm.browser.slices import Slices
from dnalm.elements.views import View

STRAND_PIXELS, EITHER_PIXELS = 30, 44  # heights of rows
GENES_PIXELS, ELEMENTS_PIXELS = 95, 120  # three and four of their own rows; more are reached by scrolling


def igv_options(slices: Slices, views: Sequence[View], locus: str) -> dict[str, Any]:
    """Returns the options of `igv.createBrowser`: nothing in them names a server."""
    annotated = _bed_track("Genes (annotation)", slices.genes, GENES_PIXELS)
    called = _bed_track("Elements (called)", slices.elements, ELEMENTS_PIXELS) | {"searchable": False}
    wigs = [_wig_track(view, data) for view, data in zip(views, slices.tracks, strict=True)]
    tracks = [track for track in (annotated, *wigs, called) if track["url"]]
    return {
        "loadDefaultGenomes": False,
        "search": False,  # names are looked up in the page's own genes
        "queryParametersSupported": False,
        "showIdeogram": False,
        "showSVGButton": True,
        "showCenterGuideButton": False,
        "showSampleNameButton": False,
        "showMultiSelectButton": False,
        "reference": {"id": "genome", "name": "", "fastaURL": slices.fasta, "wholeGenomeView": False},
        "locus": locus,
        "tracks": [{**track, "order": order} for order, track in enumerate(tracks, start=1)],
    }


def _bed_track(name: str, url: str, height: int) -> dict[str, Any]:
    head = {"name": name, "type": "annotation", "format": "bed", "url": url, "indexed": False}
    return {**head, "displayMode": "EXPANDED", "height": height}


def _wig_track(view: View, url: str) -> dict[str, Any]:
    return {
        "name": view.label,
        "type": "wig",
        "format": "bigwig",
        "url": url,
        "color": f"rgb({view.colour})",
        "min": 0,
        "max": 1,
        "autoscale": False,
        "flipAxis": view.strand == "-",
        "height": EITHER_PIXELS if view.strand == "either" else STRAND_PIXELS,
        "windowFunction": "max" if view.is_one_base else "mean",
    }
