"""Each of the papers' figures looks as when it was last looked at, at both widths."""

import numpy as np
import paper_pictures
import pytest
from PIL import Image

from dnalm.config.papers import PAPERS

MOST_CHANGED = 5e-4  # of the pixels: other builds of the drawing library round elsewhere
CHANGE = 32  # of 255


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    return dict(paper_pictures.drawings(tmp_path_factory.mktemp("pictures")))


def test_every_figure_is_there(drawn):
    assert set(drawn) == set(PAPERS)
    kept = {path.name for path in paper_pictures.KEPT.iterdir()}
    assert kept == {f"{name}.{width}mm.png" for name in PAPERS for width in paper_pictures.WIDTHS_MM}


@pytest.mark.parametrize("width", paper_pictures.WIDTHS_MM)
@pytest.mark.parametrize("name", PAPERS)
def test_a_figure_looks_as_before(drawn, name, width):
    found = paper_pictures.picture(drawn[name](float(width))).astype(int)
    kept = np.asarray(Image.open(paper_pictures.KEPT / f"{name}.{width}mm.png")).astype(int)
    remedy = "look at it, and run `python tests/paper_pictures.py`"
    assert found.shape == kept.shape, remedy
    changed = float((np.abs(found - kept) > CHANGE).mean())
    assert changed <= MOST_CHANGED, f"{changed:.2%} of the pixels changed: {remedy}"


def test_a_word_more_is_seen(drawn):
    """The comparison is fine enough for one short word in a figure as wide as a column."""
    figure = drawn["segmentnt_metrics"](85.0)
    before = paper_pictures.picture(figure).astype(int)
    figure.text(0.5, 0.5, "no value", fontsize=6)
    changed = (np.abs(paper_pictures.picture(figure).astype(int) - before) > CHANGE).mean()
    assert changed > MOST_CHANGED
