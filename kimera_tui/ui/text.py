"""Outside text on its way into widgets: safe, formatted, and never read as markup."""

from __future__ import annotations

import time

from rich.text import Text
from textual.content import Content

from kimera_tui.safetext import LIMIT, compact, pretty, safe


def content(value: object, limit: int = LIMIT, *, lines: bool = False) -> Content:
    """The only way for outside text into a widget's content."""
    return Content(safe(value, limit, lines=lines))


def label(value: object, style: str = "") -> Text:
    """Outside text for a tree's label."""
    return Text(safe(value, 200), style=style, no_wrap=True, end="")


def clock_time(at: float) -> str:
    """A moment as hours, minutes, seconds and milliseconds of the local day."""
    return time.strftime("%H:%M:%S", time.localtime(at)) + f".{int(at % 1 * 1000):03}"


def took(seconds: float) -> str:
    """A duration, short enough for a table."""
    if seconds < 10:
        return f"{seconds:.1f}s"
    if seconds < 60:
        return f"{seconds:.0f}s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02}s"
    return f"{minutes // 60}h{minutes % 60:02}m"


__all__ = ["clock_time", "compact", "content", "label", "pretty", "safe", "took"]
