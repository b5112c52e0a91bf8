"""What every figure must hold: no text cut off, none over another, none too small to read."""

from itertools import combinations

import pytest
from matplotlib.text import Text

SMALLEST_PT = 6.0
SLACK = 0.5  # pixels


def drawn_texts(figure):
    """Returns the texts that drawing the figure puts on paper (tick labels outside the axes are not)."""
    found = []
    with pytest.MonkeyPatch.context() as patch:
        draw = Text.draw
        patch.setattr(Text, "draw", lambda text, renderer: (found.append(text), draw(text, renderer))[1])
        figure.canvas.draw()
    return [text for text in found if text.get_visible() and text.get_text().strip()]


def assert_readable(figure):
    """Fails and names the texts that are cut, overlap, or are too small."""
    texts = drawn_texts(figure)
    boxes = {text: text.get_window_extent() for text in texts}
    page = figure.bbox
    cut = [
        text.get_text()
        for text, box in boxes.items()
        if box.x0 < page.x0 - SLACK
        or box.x1 > page.x1 + SLACK
        or box.y0 < page.y0 - SLACK
        or box.y1 > page.y1 + SLACK
    ]
    over = [
        (one.get_text(), other.get_text())
        for one, other in combinations(texts, 2)
        if boxes[one].x0 + SLACK < boxes[other].x1 - SLACK
        and boxes[other].x0 + SLACK < boxes[one].x1 - SLACK
        and boxes[one].y0 + SLACK < boxes[other].y1 - SLACK
        and boxes[other].y0 + SLACK < boxes[one].y1 - SLACK
    ]
    small = [text.get_text() for text in texts if text.get_fontsize() < SMALLEST_PT]
    assert not cut, f"cut: {cut}"
    assert not over, f"overlap: {over}"
    assert not small, f"small: {small}"
    return [text.get_text() for text in texts]
