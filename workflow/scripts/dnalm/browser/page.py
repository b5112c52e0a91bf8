"""The page: slices of a run, igv.js and a few words in one HTML file that asks nothing of any network."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dnalm import __version__, report
from dnalm.browser.options import igv_options
from dnalm.browser.places import Place, gene_places, locus_of, starting_gene
from dnalm.browser.slices import Inputs, cut_slices
from dnalm.elements.views import FIRST_LOOK_BP
from dnalm.errors import UserError
from dnalm.figures.genes import Region
from dnalm.report.text import bases, listing

HERE = Path(__file__).parent
REPORT = Path(report.__file__).parent  # its page gives the look
MB = 1_000_000
LEAST_MB, LARGEST_MB = 2.0, 15.0  # igv.js alone takes 1.5; larger pages open slowly on a phone
FIRST_TRY_BP = 100_000  # cut first, to see how many bytes a base takes
TRIES, ROOM, ENOUGH = 6, 0.98, 0.93  # cuts; aim at this share of the most bytes; content from this share on
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; "
    "font-src data:; connect-src data: blob:; base-uri 'none'; form-action 'none'"
)  # without a host in it: a browser refuses whatever would leave the file


@dataclass(frozen=True)
class Words:
    """What the page says beside the browser."""

    title: str
    note: str = ""  # which bases are held out, and the like
    resolution: float | None = None


def render(inputs: Inputs, regions: Sequence[Region], words: Words, cut_from: Region | None = None) -> str:
    """Returns the page of some regions.

    Args:
        cut_from: the region that was too long to be shown whole.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    lengths = inputs.genome.lengths
    slices = cut_slices(inputs, regions, words.resolution)
    genes = gene_places(inputs.annotation, regions, lengths)
    contig, start, end = regions[0]
    first = genes[0].locus if genes else locus_of((contig, start, min(end, start + FIRST_LOOK_BP)))
    options = json.dumps(igv_options(slices, inputs.views, first), ensure_ascii=True)
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2").render(
        words=words,
        policy=POLICY,
        version=__version__,
        style=(REPORT / "page.css").read_text(encoding="utf-8"),
        igv=(HERE / "igv.min.js").read_text(encoding="utf-8"),
        igv_version=igv_version(),
        igv_licence=(HERE / "igv.LICENSE").read_text(encoding="utf-8"),
        options=options.replace("<", "\\u003c"),
        first=first,
        genes=genes,
        regions=[Place(_said(region), locus_of(region), "the whole region") for region in regions],
        shown=listing([f"{_said(region)} ({bases(region[2] - region[1])})" for region in regions]),
        cut_from=f"{_said(cut_from)} ({bases(cut_from[2] - cut_from[1])})" if cut_from else "",
        both_strands=any(view.strand != "either" for view in inputs.views),
        has_elements=bool(slices.elements),
    )


def _said(region: Region) -> str:
    contig, start, end = region
    return f"{contig}:{start + 1:,}\u2013{end:,}"


def igv_version() -> str:
    """Returns the version of the igv.js that lies here."""
    lines = (HERE / "igv.SOURCE").read_text(encoding="utf-8").splitlines()
    return dict(line.split(": ", 1) for line in lines)["version"]


def size_of(page: str) -> int:
    """Returns the bytes of a page as it is written."""
    return len(page.encode("utf-8"))


def page_of_regions(inputs: Inputs, regions: Sequence[Region], words: Words, most_mb: float) -> str:
    """Returns the page of all regions given.

    Raises:
        UserError: it would be larger than `most_mb`.
    """
    contig, start, end = regions[0]
    total = sum(end - start for _, start, end in regions)
    tried = (contig, start, min(end, start + FIRST_TRY_BP))
    rate = size_of(render(inputs, [tried], words)) / (tried[2] - tried[1])
    page = render(inputs, regions, words) if rate * total < 10 * most_mb * MB else None
    size = size_of(page) if page else int(rate * total)
    if page is None or size > most_mb * MB:
        raise UserError(
            "--regions",
            f"{bases(total)} make a page of {size / MB:.1f} MB (expected at most {most_mb:g})",
            "Name shorter regions.",
        )
    return page


def page_of_longest(inputs: Inputs, regions: Sequence[Region], words: Words, most_mb: float) -> str:
    """Returns the page of the longest region, cut around the gene it opens with to stay below `most_mb`."""
    region = max(regions, key=lambda one: one[2] - one[1])
    contig, start, end = region
    inputs = inputs.narrowed([region])
    gene = starting_gene(inputs.annotation, region)
    middle = (gene.start + gene.end) // 2 if gene else (start + end) // 2

    def cut(length: int) -> str:
        first = min(max(start, middle - length // 2), end - length)
        whole = length == end - start
        return render(inputs, [(contig, first, first + length)], words, None if whole else region)

    return longest_page(cut, end - start, int(most_mb * MB))


def longest_page(cut: Callable[[int], str], longest: int, most: int) -> str:
    """Returns the page of the longest stretch found, up to `longest` bases, of at most `most` bytes.

    Args:
        cut: a stretch's length -> its page.

    Raises:
        UserError: no stretch is small enough.
    """
    fixed = size_of(cut(1))
    length, best, best_size = min(longest, FIRST_TRY_BP), "", 0
    for _ in range(TRIES):
        page = cut(length)
        size = size_of(page)
        if best_size < size <= most:
            best, best_size = page, size
            if length == longest or size >= ENOUGH * most:
                break
        rate = max(size - fixed, 1) / length
        length = max(1, min(longest, int((ROOM * most - fixed) / rate)))
    if not best:
        raise UserError("--most-mb", f"{most / MB:g} MB hold no stretch of this run", "Raise it.")
    return best
