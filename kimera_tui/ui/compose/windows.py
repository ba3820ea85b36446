"""The composer's small windows: what kind of group, and a text to read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import OptionList

from kimera_tui.ui.text import content, safe
from kimera_tui.ui.widgets.lines import Line, LineView
from kimera_tui.ui.widgets.plain import PlainOptions, PlainStatic
from kimera_tui.ui.widgets.wrapping import at_words
from kimera_tui.ui.windows.window import QuestionWindow, Window

Kind = Literal["chain", "para"]


class PickKind(Window[Kind | None]):
    """Asks for a chain or a para, with a key for each."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "take('')", "Cancel"),
        Binding("c", "take('chain')", "Chain"),
        Binding("p", "take('para')", "Para"),
    ]

    def __init__(self, title: str) -> None:
        super().__init__()
        self._head = title

    def compose(self) -> ComposeResult:
        """The two kinds."""
        with Vertical(classes="window kind"):
            yield PlainOptions()

    def on_mount(self) -> None:
        """Offer both."""
        self.query_one(".window").border_title = content(self._head)
        options = self.query_one(PlainOptions)
        options.offer(
            [("c  chain  one after the other", "chain"), ("p  para   all at once", "para")]
        )
        options.highlighted = 0
        options.focus()

    @on(OptionList.OptionSelected)
    def _taken(self, event: OptionList.OptionSelected) -> None:
        self.action_take(event.option.id or "")

    def action_take(self, kind: str) -> None:
        """Close with a kind, or without."""
        self.dismiss(kind or None)


class TextLines(LineView):
    """Lines to read.

    Args:
        lines: They are made safe already.
        wraps: Whether what is too long is broken; if not, it is scrolled sideways.
    """

    has_cursor: ClassVar[bool] = False

    def __init__(self, lines: Sequence[Line], *, wraps: bool = True, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self._told = lines
        self._lines = list(lines)
        self._wraps = wraps

    def on_mount(self) -> None:
        """Take the lines in."""
        self.lines_changed()

    def on_resize(self) -> None:
        """Wrap to the new width."""
        width = self.scrollable_content_region.width
        if self._wraps and width:
            self._lines = [part for line in self._told for part in at_words(line, width)]
            self.lines_changed()

    def line_count(self) -> int:
        """How many lines there are."""
        return len(self._lines)

    def line_at(self, index: int) -> Line:
        """One of them."""
        return self._lines[index]


class Reader(QuestionWindow[str]):
    """Shows lines to read, and offers what to do about them by keys.

    Args:
        title: What the window is called.
        intro: A sentence or two over the lines.
        lines: What is to be read, made safe.
        choices: Keys with the words for them; the answer is the key.
        wraps: Whether long lines are broken.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "answer('')", "Close")]

    def __init__(
        self,
        title: str,
        intro: str,
        lines: Sequence[Line],
        choices: Sequence[tuple[str, str]] = (),
        *,
        wraps: bool = True,
    ) -> None:
        super().__init__()
        self._head = title
        self._intro = intro
        self._lines = lines
        self._choices = choices
        self._wraps = wraps

    def compose(self) -> ComposeResult:
        """The sentence, the lines, the keys."""
        with Vertical(classes="window reader"):
            yield PlainStatic(self._intro, classes="form-doc")
            yield TextLines(self._lines, wraps=self._wraps)
            keys = [f"{key} {words}" for key, words in (*self._choices, ("esc", "close"))]
            yield PlainStatic("   ".join(keys), classes="reader-keys")

    def on_mount(self) -> None:
        """Bind the keys."""
        self.query_one(".window").border_title = content(self._head)
        for key, _ in self._choices:
            self._bindings.bind(key, f"answer({key!r})", show=False)
        self.query_one(TextLines).focus()

    def action_answer(self, key: str) -> None:
        """Close with a key, or without."""
        self.dismiss(key)


def diff_lines(text: str) -> list[Line]:
    """A unified diff as lines in colours."""
    styles = {"+": "good", "-": "bad", "@": "key"}
    return [((safe(line, 400), styles.get(line[:1], "dim")),) for line in text.splitlines()[:5000]]
