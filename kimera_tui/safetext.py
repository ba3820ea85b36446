"""Makes untrusted text safe: characters that a terminal would act on become visible."""

from __future__ import annotations

import json
import re
from itertools import islice
from typing import Any

from kimera_tui.depth import TOO_DEEP, is_too_deep

LIMIT = 4096
"""Maximum characters of one untrusted text on screen."""

PAGE = 65_536
"""Maximum characters of a payload opened in full."""

# Bidirectional controls, zero-width characters, tags and separators: printable to str, but they
# move, hide or reorder the text around them.
_INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200c\u200e\u200f\u2028\u2029"
    "\u202a-\u202e\u2060-\u2064\u2066-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb"
    "\U000e0000-\U000e0fff"
)
_UNSAFE = re.compile(rf"[\x00-\x1f\x7f-\x9f\ud800-\udfff{_INVISIBLE}]")
_UNSAFE_BUT_LINES = re.compile(rf"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff{_INVISIBLE}]")


def _picture(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def safe(value: object, limit: int = LIMIT, *, lines: bool = False) -> str:
    """The value as text without characters that a terminal acts on.

    Args:
        value: Anything; converted with ``str``.
        limit: Maximum number of characters; the rest is counted.
        lines: Whether to keep line ends, and tabs as spaces, for panes with several lines.
    """
    text = value if isinstance(value, str) else str(value)
    cut = len(text) - limit
    if cut > 0:
        text = text[:limit]
    if not text.isprintable() or _UNSAFE.search(text):
        text = (_UNSAFE_BUT_LINES if lines else _UNSAFE).sub(_picture, text)
        text = text.expandtabs(4) if lines else text
    return f"{text}… {cut:,} more characters" if cut > 0 else text


def safe_in_place(text: str) -> str:
    """The text with each unsafe character replaced by a single one, for fields with a cursor."""
    return _UNSAFE.sub(lambda match: _picture(match) if ord(match[0]) < 0x80 else "\ufffd", text)


def trimmed(value: Any, items: int = 64, characters: int = 2000, depth: int = 8) -> Any:
    """A shortened copy of a value that may be huge; what is left out is counted.

    Args:
        value: Any JSON value.
        items: Maximum members of each list or mapping.
        characters: Maximum characters of each text.
        depth: Number of levels to keep.
    """
    if isinstance(value, str):
        cut = len(value) - characters
        return value if cut <= 0 else f"{value[:characters]}… {cut:,} more characters"
    if not isinstance(value, dict | list | tuple):
        return value
    if depth == 0:
        return "…"
    more = len(value) - items
    if isinstance(value, dict):
        kept: Any = {
            trimmed(key, items, characters) if isinstance(key, str) else key: trimmed(
                child, items, characters, depth - 1
            )
            for key, child in islice(value.items(), items)
        }
        return kept if more <= 0 else {**kept, "…": f"{more:,} more"}
    kept = [trimmed(child, items, characters, depth - 1) for child in islice(value, items)]
    return kept if more <= 0 else [*kept, f"… {more:,} more"]


def compact(value: Any, limit: int = 120) -> str:
    """A value on one line, as JSON if possible."""
    return safe(_json(value, None), limit)


def pretty(value: Any, limit: int = PAGE) -> list[str]:
    """A value on several indented lines, each safe."""
    return safe(_json(value, 2), limit, lines=True).split("\n")


def _json(value: Any, indent: int | None) -> str:
    written = ""
    try:
        written = json.dumps(value, indent=indent, ensure_ascii=False, default=repr)
    except ValueError:  # it contains itself
        return repr(value)
    except (TypeError, RecursionError):
        pass
    return TOO_DEEP if is_too_deep(value) else written or repr(value)
