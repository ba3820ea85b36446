"""Long lines as several that fit, broken between words."""

from __future__ import annotations

from rich.cells import cell_len, chop_cells

from kimera_tui.ui.widgets.lines import Line

NARROWEST = 10
"""Cells that a line needs to be broken at all."""


def at_words(line: Line, width: int) -> list[Line]:
    """A line as several that fit; the further ones are indented like its last text.

    Args:
        line: Spans, of which the last one is broken.
        width: Cells that there are.
    """
    if not line or sum(cell_len(text) for text, _ in line) <= width:
        return [line]
    *head, (text, style) = line
    bare = text.lstrip(" ")
    lead = text[: len(text) - len(bare)]
    indent = sum(cell_len(part) for part, _ in head) + len(lead)
    if width - indent < NARROWEST:
        return [line]
    first, *rest = _rows(bare, width - indent)
    return [(*head, (lead + first, style)), *(((" " * indent + row, style),) for row in rest)]


def _rows(text: str, room: int) -> list[str]:
    rows: list[str] = []
    at = 0
    # Only what may come into a row is measured: the text may have millions of characters.
    while cell_len(ahead := text[at : at + 2 * room]) > room or len(text) - at > 2 * room:
        fits = len(chop_cells(ahead, room)[0])
        cut = fits if ahead[fits : fits + 1] in (" ", "") else ahead.rfind(" ", 0, fits)
        if cut < fits // 2:  # one long word: it is cut where the room ends
            cut = fits
        rows.append(ahead[:cut].rstrip(" "))
        at += cut
        while text[at : at + 1] == " ":
            at += 1
    return [*rows, ahead]
