"""The composer's small windows: what kind of group, a text to read, a conflict of two versions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical

from kimera_tui.ui.actions import bindings
from kimera_tui.ui.text import safe
from kimera_tui.ui.widgets.lines import Line
from kimera_tui.ui.widgets.panes import TextPane
from kimera_tui.ui.widgets.unmarked import PlainStatic
from kimera_tui.ui.windows.lists import ChoiceWindow
from kimera_tui.ui.windows.window import QuestionWindow

Kind = Literal["chain", "para"]
_DIFF_STYLES = {"+": "good", "-": "bad", "@": "key"}
_KINDS: Sequence[tuple[str, Kind]] = (
    ("c  chain  one after the other", "chain"),
    ("p  para   all at once", "para"),
)


class PickKind(ChoiceWindow[Kind]):
    """Asks for a chain or a para, with a key for each."""

    SCOPE: ClassVar[str] = "pick-kind"
    BINDINGS: ClassVar[list[BindingType]] = bindings("pick-kind")
    LOOK: ClassVar[str] = "kind"

    def __init__(self, heading: str) -> None:
        super().__init__(heading, _KINDS)

    def takes_unseen(self, key: str) -> bool:
        """Anything: whatever is picked can be undone."""
        return True

    def action_take(self, kind: Kind) -> None:
        """Close with a kind."""
        self.dismiss(kind)


class Reader(QuestionWindow[str | None]):
    """Shows lines to read; subclasses offer answers by keys.

    Args:
        heading: Title of the window.
        intro: A sentence or two above the lines.
        lines: Made safe already.
        wraps: Whether long lines are broken.
    """

    SCOPE: ClassVar[str] = "reader"
    BINDINGS: ClassVar[list[BindingType]] = bindings("reader")

    def __init__(
        self, heading: str, intro: str, lines: Sequence[Line], *, wraps: bool = True
    ) -> None:
        super().__init__()
        self.heading = heading
        self._intro = intro
        self._lines = lines
        self._wraps = wraps

    def compose(self) -> ComposeResult:
        """The sentence, the lines, the keys."""
        with Vertical(classes="window reader"):
            yield PlainStatic(self._intro, classes="form-doc")
            yield TextPane(self._lines, wraps=self._wraps)
            yield PlainStatic(self.hint, classes="reader-keys")

    def on_mount(self) -> None:
        """Go to the lines, where enter does nothing."""
        self.query_one(TextPane).focus()


class Conflict(Reader):
    """Shows how a file differs from what is composed; returns ``ours``, ``theirs`` or None.

    Args:
        path: The file.
        diff: From the file to what is composed, as a unified diff.
    """

    SCOPE: ClassVar[str] = "conflict"
    BINDINGS: ClassVar[list[BindingType]] = bindings("conflict")

    def __init__(self, path: Path, diff: str) -> None:
        intro = f"{path}\nSomebody else changed it since it was read. - is theirs, + is yours."
        super().__init__("The file changed on disk", intro, diff_lines(diff), wraps=False)

    def action_take(self, version: str) -> None:
        """Close with a version."""
        self.dismiss(version)


def diff_lines(text: str) -> list[Line]:
    """A unified diff as coloured lines."""
    return [
        ((safe(line, 400), _DIFF_STYLES.get(line[:1], "dim")),) for line in text.splitlines()[:5000]
    ]
