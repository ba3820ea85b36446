"""Windows over a mode: pick a task, the list of keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.fuzzy import Matcher
from textual.widgets import Input, OptionList

from kimera_tui.config.friends import Friend
from kimera_tui.ui.actions import SCOPES, actions_of, bindings
from kimera_tui.ui.widgets.unmarked import PlainInput, PlainOptions, PlainStatic
from kimera_tui.ui.windows.window import Window

UNLISTED = "Type friend.task for one that is not listed."


class PickTask(Window[tuple[str, str] | None]):
    """Picks one of the friends' tasks by typing some letters of its name, in their order."""

    SCOPE: ClassVar[str] = "pick-task"
    BINDINGS: ClassVar[list[BindingType]] = bindings("pick-task")

    def __init__(self, friends: Mapping[str, Friend], title: str = "Add a task") -> None:
        super().__init__()
        self.heading = title
        self._friends = friends
        self._names = [(name, task) for name, friend in friends.items() for task in friend.tasks]
        self._offered: list[tuple[str, str]] = []

    def compose(self) -> ComposeResult:
        """A filter and the tasks that match it."""
        with Vertical(classes="window pick tasks"):
            yield PlainInput(placeholder="Type to find a task", compact=True)
            yield PlainOptions()
            yield PlainStatic(classes="pick-note")

    def on_mount(self) -> None:
        """Offer all."""
        self._offer("")

    def _offer(self, typed: str) -> None:
        self._offered = matching(typed, self._names)
        friend, dot, task = typed.strip().partition(".")
        if dot and task and friend in self._friends and (friend, task) not in self._offered:
            self._offered.append((friend, task))
        options = self.query_one(PlainOptions)
        options.offer([(self._words(*each), str(n)) for n, each in enumerate(self._offered)])
        options.highlighted = 0 if self._offered else None
        found = "enter takes it." if self._offered else "No task matches."
        self.query_one(".pick-note", PlainStatic).say(f"{found} {UNLISTED}")

    def _words(self, friend: str, task: str) -> str:
        info = self._friends[friend].tasks.get(task)
        doc = "not one of the friend's declared tasks" if info is None else info.doc
        return f"{f'{friend}.{task}':<24}  {doc}" if doc else f"{friend}.{task}"

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._offer(event.value)

    @on(Input.Submitted)
    def _take_highlighted(self) -> None:
        self.query_one(PlainOptions).action_select()

    @on(OptionList.OptionSelected)
    def _take(self, event: OptionList.OptionSelected) -> None:
        if event.option.id is not None:
            self.dismiss(self._offered[int(event.option.id)])

    def action_move(self, by: int) -> None:
        """Move in the list while the filter is typed in."""
        options = self.query_one(PlainOptions)
        options.action_cursor_down() if by > 0 else options.action_cursor_up()


def matching(typed: str, names: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The names that have the letters of each typed word in their order, the best first."""
    matchers = [Matcher(word) for word in typed.split()]
    if not matchers:
        return list(names)
    scored = []
    for friend, task in names:
        scores = [matcher.match(f"{friend}.{task}") for matcher in matchers]
        if all(scores):
            scored.append((-sum(scores), friend, task))
    return [(friend, task) for _, friend, task in sorted(scored)]


class Help(Window[None]):
    """All keys, from the registry of actions.

    Args:
        here: The scopes of what is on the screen, which come first.
    """

    SCOPE: ClassVar[str] = "help"
    BINDINGS: ClassVar[list[BindingType]] = bindings("help")
    heading = "Keys"

    def __init__(self, here: Sequence[str] = ()) -> None:
        super().__init__()
        self._here = here

    def compose(self) -> ComposeResult:
        """A table for each scope."""
        with VerticalScroll(classes="window help"):
            for block in help_blocks(self._here):
                yield PlainStatic(f"{block}\n")
            yield PlainStatic("ctrl+p opens the palette: every action by its name.")

    def on_mount(self) -> None:
        """Say how to leave."""
        self.query_one(".window").border_subtitle = "esc closes"


def help_blocks(here: Sequence[str] = ()) -> Iterator[str]:
    """All actions with their keys, a text for each scope.

    Args:
        here: The scopes that come first.
    """
    for scope in dict.fromkeys([*here, *SCOPES]):
        rows = [SCOPES[scope]]
        for action in actions_of(scope):
            keys = ", ".join([action.key, *action.keys.split(",")[1:]])
            rows.append(f"  {keys:<18} {action.help}")
        yield "\n".join(rows)
