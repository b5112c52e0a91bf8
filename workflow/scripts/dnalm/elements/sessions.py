"""A run as a session of IGV desktop and as options of igv.js; files are named relative to its folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from dnalm.elements.source import Source
from dnalm.elements.views import View, first_look, views

SESSION, OPTIONS = "igv_session.xml", "igvjs_tracks.json"
BED_TRACKS = {"genes.bed": "Genes (annotation)", "elements.bed": "Elements (called)"}
XML_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n'
SESSION_VERSION = "8"  # what IGV 2.4 and later write
DATA_CLASS, FEATURE_CLASS = "org.broad.igv.track.DataSourceTrack", "org.broad.igv.track.FeatureTrack"
HEIGHT = 40  # pixels


def beds(folder: Path) -> dict[str, str]:
    """Returns the BED files of a run that exist, with their titles."""
    return {name: title for name, title in BED_TRACKS.items() if (folder / name).exists()}


def ordered(about: Mapping[str, Any]) -> list[View]:
    """Returns all tracks in the order of display."""
    return [view for group in views(about).values() for view in group]


def igv_session(source: Source, genome: Path) -> str:
    """Returns the XML of a session of IGV desktop."""
    folder, about = source.folder, source.about
    root = ElementTree.Element(
        "Session", genome=_relative(genome, folder), locus=first_look(about), version=SESSION_VERSION
    )
    resources = ElementTree.SubElement(root, "Resources")
    named = beds(folder)
    for name in [*(view.file for view in ordered(about)), *named]:
        ElementTree.SubElement(resources, "Resource", path=name)
    data = ElementTree.SubElement(root, "Panel", name="DataPanel")
    for view in ordered(about):
        track = ElementTree.SubElement(
            data,
            "Track",
            id=view.file,
            name=view.label,
            clazz=DATA_CLASS,
            color=view.colour,
            autoScale="false",
            renderer="BAR_CHART",
            windowFunction="max" if view.is_one_base else "mean",
            height=str(HEIGHT),
            visible="true",
        )
        ElementTree.SubElement(
            track,
            "DataRange",
            type="LINEAR",
            minimum="0.0",
            baseline="0.0",
            maximum="1.0",
            drawBaseline="true",
        )
    features = ElementTree.SubElement(root, "Panel", name="FeaturePanel")
    for name, title in named.items():
        ElementTree.SubElement(
            features,
            "Track",
            id=name,
            name=title,
            clazz=FEATURE_CLASS,
            displayMode="EXPANDED",
            visible="true",
        )
    ElementTree.indent(root)
    return XML_HEAD + ElementTree.tostring(root, encoding="unicode") + "\n"


def igvjs_options(source: Source, genome: Path) -> dict[str, Any]:
    """Returns the options of `igv.createBrowser`."""
    folder, about, fasta = source.folder, source.about, _relative(genome, source.folder)
    tracks: list[dict[str, Any]] = [
        {
            "name": view.label,
            "type": "wig",
            "format": "bigwig",
            "url": view.file,
            "color": f"rgb({view.colour})",
            "min": 0,
            "max": 1,
            "autoscale": False,
            "height": HEIGHT,
            "windowFunction": "max" if view.is_one_base else "mean",
        }
        for view in ordered(about)
    ]
    tracks += [
        {
            "name": title,
            "type": "annotation",
            "format": "bed",
            "url": name,
            "indexed": False,
            "displayMode": "EXPANDED",  # colours are in the files
        }
        for name, title in beds(folder).items()
    ]
    reference = {"id": genome.parent.name, "fastaURL": fasta, "indexURL": f"{fasta}.fai"}
    return {
        "loadDefaultGenomes": False,  # nothing is asked of other servers
        "reference": reference,
        "locus": first_look(about),
        "tracks": tracks,
    }


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path, folder)).as_posix()
