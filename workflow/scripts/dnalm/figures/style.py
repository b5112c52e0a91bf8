"""The look that all figures share, and how they are saved: the same data always gives the same bytes."""

from __future__ import annotations

import base64
import io
import logging
import re
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib import font_manager, rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from dnalm.figures.palette import INK, MUTED
from dnalm.files import atomic_path

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

Length = float | int  # mm or points, as the argument's name says

COLUMN_MM, PAGE_MM = 85.0, 180.0  # one and two columns of a journal page
MM_PER_INCH, POINTS_PER_MM = 25.4, 72 / 25.4
PNG_DOTS_PER_INCH = 400
TEXT_PT, SMALL_PT, LETTER_PT = 7.0, 6.0, 8.0
LETTER_WIDTH_EM = 0.47  # mean advance of a letter of running text in Arimo, for wrapping

LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}")  # an SVG needs no more than 0.01 point

FONT = "Arimo"
FONT_FOLDER = Path(__file__).parent / "fonts"
# What an SVG asks for: Arimo travels inside the file, the others have the same widths.
HATCHED = {"facecolor": "#F4F4F4", "edgecolor": "#BBBBBB", "hatch": "////", "linewidth": 0}  # no value here
FONT_STACK = "Arimo, Arial, 'Liberation Sans', Helvetica, sans-serif"
log = logging.getLogger("dnalm")


@cache
def font_family() -> str:
    """Registers the bundled font; falls back to matplotlib's own where the files are absent."""
    files = sorted(FONT_FOLDER.glob(f"{FONT}-*.ttf"))
    for file in files:
        font_manager.fontManager.addfont(file)
    if not files:
        log.warning("%s: no %s fonts found; figures use DejaVu Sans", FONT_FOLDER, FONT)
    return FONT if files else "DejaVu Sans"


def _settings() -> dict[str, object]:
    thin = 0.5  # points: the lines of axes and ticks
    return {
        "font.family": font_family(), "font.size": TEXT_PT,
        "axes.titlesize": TEXT_PT, "axes.labelsize": TEXT_PT,
        "xtick.labelsize": SMALL_PT, "ytick.labelsize": SMALL_PT, "legend.fontsize": SMALL_PT,
        "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK, "xtick.color": INK,
        "ytick.color": INK,
        "axes.linewidth": thin, "xtick.major.width": thin, "ytick.major.width": thin,
        "xtick.major.size": 2, "ytick.major.size": 2, "xtick.major.pad": 2, "ytick.major.pad": 2,
        "xtick.minor.width": thin, "xtick.minor.size": 1.2,
        "axes.labelpad": 3, "axes.titlepad": 4, "axes.titlelocation": "left",
        "axes.spines.top": False, "axes.spines.right": False, "lines.linewidth": 0.8, "hatch.linewidth": 0.3,
        "legend.frameon": False, "legend.handlelength": 1.4, "legend.borderaxespad": 0, "legend.borderpad": 0,
        "figure.facecolor": "white", "savefig.facecolor": "white", "axes.axisbelow": True,
        "svg.fonttype": "none", "svg.hashsalt": "dnalm", "path.simplify": True,
    }  # fmt: skip


@contextmanager
def applied() -> Iterator[None]:
    """Applies the style inside the block, whatever the user's matplotlibrc says."""
    with rc_context():
        from matplotlib import rcdefaults, rcParams

        rcdefaults()
        rcParams.update(_settings())
        yield


def new_figure(width_mm: Length, height_mm: Length) -> Figure:
    """Returns an empty figure of a given size that needs no display."""
    figure = Figure(figsize=(width_mm / MM_PER_INCH, height_mm / MM_PER_INCH))
    FigureCanvasAgg(figure)
    return figure


def size_mm(figure: Figure) -> tuple[float, float]:
    """Returns a figure's width and height in mm."""
    width, height = figure.get_size_inches()
    return float(width) * MM_PER_INCH, float(height) * MM_PER_INCH


def add_axes(figure: Figure, left_mm: Length, top_mm: Length, width_mm: Length, height_mm: Length) -> Axes:
    """Adds axes at a place in mm, measured from the figure's top left corner."""
    across, down = size_mm(figure)
    bottom = down - top_mm - height_mm
    return figure.add_axes((left_mm / across, bottom / down, width_mm / across, height_mm / down))


def write_at(figure: Figure, left_mm: Length, top_mm: Length, text: str, **style: object) -> None:
    """Writes text; its top left corner (by default) is at a place in mm from the figure's top left."""
    across, down = size_mm(figure)
    place = {"ha": "left", "va": "top", **style}
    figure.text(left_mm / across, 1 - top_mm / down, text, **place)  # type: ignore[arg-type]


def panel_letter(figure: Figure, left_mm: Length, top_mm: Length, letter: str) -> None:
    """Writes a bold panel letter, its top left corner at a place in mm."""
    write_at(figure, left_mm, top_mm, letter, fontweight="bold", fontsize=LETTER_PT)


def wrap(text: str, width_mm: Length, size_pt: Length = SMALL_PT) -> list[str]:
    """Breaks running text into lines that fit a width."""
    letters = int(width_mm * POINTS_PER_MM / (size_pt * LETTER_WIDTH_EM))
    return textwrap.wrap(text, letters)


def note_height_mm(text: str, width_mm: Length) -> float:
    """Returns the height that `add_note` needs for a text, with the space above it."""
    return 3.0 + 2.6 * len(wrap(text, width_mm - 4))


def add_note(figure: Figure, text: str) -> None:
    """Writes the line below a figure that says n, folds, meaning of error bars and model.

    It becomes the figure's label, which `render` puts into the files as their description.
    """
    across, down = size_mm(figure)
    figure.set_label(text)
    top_mm = down - note_height_mm(text, across) + 2.0
    write_at(
        figure, 2, top_mm, "\n".join(wrap(text, across - 4)), fontsize=SMALL_PT, color=MUTED, linespacing=1.2
    )


@cache
def text_width_mm(
    text: str, size_pt: Length = SMALL_PT, weight: str = "normal", style: str = "normal"
) -> float:
    """Returns how wide a text will be, from the font itself; measured once, as that is slow."""
    from matplotlib.textpath import TextPath

    if not text.strip():
        return 0.0
    font = font_manager.FontProperties(family=font_family(), weight=weight, style=style)
    return float(TextPath((0, 0), text, size=size_pt, prop=font).get_extents().width) / POINTS_PER_MM


def _with_fonts(svg: str) -> str:
    """Puts the faces that the text uses into the file, so that it looks the same everywhere."""
    svg = re.sub(rf"font-family: '?{FONT}'?", f"font-family: {FONT_STACK}", svg)
    faces = []
    for name, needle, rule in (
        ("Regular", "<text", "font-weight:400;font-style:normal"),
        ("Bold", "font-weight: 700", "font-weight:700;font-style:normal"),
        ("Italic", "font-style: italic", "font-weight:400;font-style:italic"),
    ):
        file = FONT_FOLDER / f"{FONT}-{name}.ttf"
        if file.exists() and needle in svg:
            data = base64.b64encode(file.read_bytes()).decode("ascii")
            faces.append(f"@font-face{{font-family:{FONT};{rule};src:url(data:font/ttf;base64,{data})}}")
    return svg.replace("<defs>", f"<defs>\n  <style>{''.join(faces)}</style>", 1)


def render(figure: Figure, title: str) -> dict[str, bytes]:
    """Returns the bytes of a figure as SVG (text stays text) and PNG, free of dates and versions."""
    vector, bitmap = io.StringIO(), io.BytesIO()
    about = {"Title": title, "Description": str(figure.get_label())}
    with applied():
        figure.savefig(
            vector, format="svg", metadata={"Date": None, "Creator": None, **about}, dpi=PNG_DOTS_PER_INCH
        )
        figure.savefig(bitmap, format="png", metadata={"Software": None, **about}, dpi=PNG_DOTS_PER_INCH)
    shorter = LONG_NUMBER.sub(lambda number: f"{float(number[0]):.2f}", vector.getvalue())
    return {".svg": _with_fonts(shorter).encode("utf-8"), ".png": bitmap.getvalue()}


def save(figure: Figure, stem: str | Path, table: pd.DataFrame, title: str) -> list[Path]:
    """Writes a figure as `stem.svg` and `stem.png`, what it draws as `stem.tsv`; returns the paths.

    Args:
        title: what a screen reader and a file manager call the figure.
    """
    return _write(Path(stem), {**render(figure, title), ".tsv": _as_text(table)})


def save_widths(
    draw: Callable[[float], Figure], stem: str | Path, table: pd.DataFrame, title: str
) -> list[Path]:
    """Writes a figure as wide as a page (`stem.svg`, `.png`) and as a column (`stem.85mm.*`), and its table.

    Args:
        draw: width in mm -> figure.
    """
    page = render(draw(PAGE_MM), title)
    with _silence():  # what a figure warns of is said once
        column = {f".85mm{suffix}": data for suffix, data in render(draw(COLUMN_MM), title).items()}
    return _write(Path(stem), {**page, **column, ".tsv": _as_text(table)})


@contextmanager
def _silence() -> Iterator[None]:
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before


def write_png(figure: Figure, path: str | Path) -> None:
    """Writes a figure as PNG alone: one that is drawn again while a run goes on."""
    with applied(), atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None}, dpi=PNG_DOTS_PER_INCH / 2)


def _as_text(table: pd.DataFrame) -> bytes:
    text = table.to_csv(sep="\t", index=False, float_format="%.6g", na_rep="NA", lineterminator="\n")
    return str(text).encode("utf-8")


def _write(stem: Path, pieces: dict[str, bytes]) -> list[Path]:
    paths = []
    for suffix, data in pieces.items():
        paths.append(stem.with_name(stem.name + suffix))  # with_suffix would cut a stem that holds a dot
        with atomic_path(paths[-1]) as temporary:
            temporary.write_bytes(data)
    return paths
