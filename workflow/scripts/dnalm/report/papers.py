"""The report's section on the papers' figures, drawn from this run."""

from __future__ import annotations

from dnalm.report.images import load_figures
from dnalm.report.sources import PAPER_KINDS, Sources
from dnalm.report.text import Section


def papers_section(sources: Sources) -> Section | None:
    """Returns the figures of the papers that the configuration asks for; None without any."""
    figures = [figure for kind in PAPER_KINDS for figure in load_figures(sources, kind)]
    if not figures:
        return None
    lead = (
        "The published figures, drawn from this run. Published numbers are hollow marks, say whose they are, "
        "and stand beside ours only where they may be compared; the line below each figure says why else."
    )
    return Section("papers", "After the papers", lead, figures=figures)
