"""The little Markdown that model cards use, as HTML: headings, paragraphs, lists, tables, code, emphasis.

Links become their text: the page asks nothing of other machines.
"""

from __future__ import annotations

import html
import re

CAVEAT = re.compile(r"to know|not claim|limit|caveat|out of scope|bias", re.IGNORECASE)
INLINE = (
    (re.compile(r"`([^`]+)`"), r"<code>\1</code>"),
    (re.compile(r"\*\*(.+?)\*\*"), r"<strong>\1</strong>"),
    (re.compile(r"(?<![\w*])\*([^*\s][^*]*)\*(?![\w*])"), r"<em>\1</em>"),
    (re.compile(r"\[([^\]]+)\]\([^)]*\)"), r"\1"),
)


def inline(text: str) -> str:
    """Returns a line of text as HTML, escaped."""
    text = html.escape(text, quote=False)
    for pattern, replacement in INLINE:
        text = pattern.sub(replacement, text)
    return text


def blocks(text: str) -> list[list[str]]:
    """Splits a text at blank lines and around headings; fenced code stays one block."""
    found: list[list[str]] = [[]]
    fenced = False
    for line in text.splitlines():
        fence = line.startswith("```")
        if not fenced and (not line.strip() or line.startswith("#") or fence):
            found.append([])
        if line.strip() or fenced:
            found[-1].append(line)
        if not fenced and line.startswith("#"):
            found.append([])
        if fence and fenced:
            found.append([])
        fenced ^= fence
    return [block for block in found if block]


def _list(lines: list[str]) -> str:
    items: list[str] = []
    for line in lines:
        if re.match(r"\s*([-*]|\d+\.)\s", line):
            items.append(re.sub(r"^\s*([-*]|\d+\.)\s+", "", line))
        else:
            items[-1] += " " + line.strip()
    kind = "ol" if re.match(r"\s*\d+\.", lines[0]) else "ul"
    return f"<{kind}>{''.join(f'<li>{inline(item)}</li>' for item in items)}</{kind}>"


def _table(lines: list[str]) -> str:
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
    body = [row for row in rows[1:] if not all(set(cell) <= set("-: ") for cell in row)]
    head = "".join(f"<th>{inline(cell)}</th>" for cell in rows[0])
    cells = "".join(f"<tr>{''.join(f'<td>{inline(cell)}</td>' for cell in row)}</tr>" for row in body)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{cells}</tbody></table></div>'


def block_to_html(lines: list[str]) -> str:
    """Returns one block as HTML; its second level becomes h4, below the headings of the page."""
    first = lines[0]
    if heading := re.match(r"(#+)\s+(.*)", first):
        level = min(len(heading[1]) + 2, 6)
        return f"<h{level}>{inline(heading[2])}</h{level}>"
    if first.startswith("```"):
        code = [line for line in lines[1:] if not line.startswith("```")]
        return f"<pre><code>{html.escape(chr(10).join(code), quote=False)}</code></pre>"
    if first.lstrip().startswith("|"):
        return _table(lines)
    if re.match(r"\s*([-*]|\d+\.)\s", first):
        return _list(lines)
    return f"<p>{inline(' '.join(line.strip() for line in lines))}</p>"


def to_html(text: str) -> str:
    """Returns a card as HTML, without its first heading and any front matter."""
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
    found = blocks(text)
    if found and found[0][0].startswith("# "):
        found = found[1:]
    return "\n".join(block_to_html(block) for block in found)


def excerpt(text: str) -> str:
    """Returns as HTML a card's first paragraph and the sections that say what is not claimed."""
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
    kept: list[list[str]] = []
    inside = False
    for block in blocks(text):
        heading = block[0].startswith("#")
        if heading:
            inside = bool(CAVEAT.search(block[0]))
        is_prose = not heading and not re.match(r"\s*([-*]\s|\||```)", block[0])
        if inside or (not kept and is_prose):
            kept.append(block)
    return "\n".join(block_to_html(block) for block in kept)
