"""The screen made quick for tests: it is painted when it has come to rest, with short delays.

Each style sheet is parsed once a process. Import it before an app is made.
"""

from __future__ import annotations

from typing import Any

import textual._wait
from textual.app import App
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet
from textual.screen import Screen

from kimera_tui.ui.compose import screen as compose
from kimera_tui.ui.friends import screen as friends
from kimera_tui.ui.runs import history_list

LONGEST_DELAY = 0.05
"""Seconds after which the last delayed thing begins that a key asked for."""

friends.FORM_DELAY = 0.02
compose.CHECK_DELAY = history_list.TYPING_DELAY = LONGEST_DELAY - 0.01

# The pilot takes the process for idle that used a twentieth of this time at most.
textual._wait.SLEEP_GRANULARITY = 1 / 100
textual._wait.SLEEP_IDLE = textual._wait.SLEEP_GRANULARITY / 20

_parsed: dict[Any, list[Any]] = {}
_parse_rules = Stylesheet._parse_rules


def _parse_once(self: Stylesheet, *args: Any, **kwargs: Any) -> list[Any]:
    key = (tuple(self._variables.items()), args, tuple(kwargs.items()))
    if key not in _parsed:
        _parsed[key] = _parse_rules(self, *args, **kwargs)
    return _parsed[key]


Stylesheet._parse_rules = _parse_once  # type: ignore[method-assign]

# Of each rule for each widget: the same hash, without a call into Python.
RuleSet.__hash__ = object.__hash__  # type: ignore[method-assign]

_refresh = Screen._compositor_refresh


def _paint_later(self: Screen[Any]) -> None:
    """Leave what has changed to the next look: a headless app shows its frames to nobody."""
    if self.app.is_headless and self is self.app.screen:
        self._dirty_widgets.clear()
    else:
        _refresh(self)


Screen._compositor_refresh = _paint_later  # type: ignore[method-assign]


def paint_every_frame() -> None:
    """Paint as the console does; for what measures the painting."""
    Screen._compositor_refresh = _refresh  # type: ignore[method-assign]


def paint(app: App[Any]) -> None:
    """Paint all that has changed since the last time."""
    app.screen._compositor.render_update(screen_stack=app._background_screens)
