"""Outside text on its way into widgets: safe, formatted, and never read as markup."""

from __future__ import annotations

import time
from datetime import date

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


def day_time(at: float, now: float) -> str:
    """A moment with its day in words: today, yesterday, a weekday, or the date."""
    then, today = time.localtime(at), time.localtime(now)
    days = date(*today[:3]).toordinal() - date(*then[:3]).toordinal()
    if days == 0:
        return time.strftime("today %H:%M:%S", then)
    if days == 1:
        return time.strftime("yesterday %H:%M", then)
    if 1 < days < 7:
        return time.strftime("%a %H:%M", then)
    return time.strftime("%Y-%m-%d", then)


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


__all__ = ["clock_time", "compact", "content", "day_time", "label", "pretty", "safe", "took"]
