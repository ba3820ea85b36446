"""Windows over a mode: pick a task, edit a step, the list of keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Button, Input, OptionList

from kimera_tui.config.friends import Friend
from kimera_tui.process.task_params import TaskParams
from kimera_tui.ui.actions import ACTIONS, SCOPES
from kimera_tui.ui.screens.window import Window
from kimera_tui.ui.widgets.plain import PlainButton, PlainInput, PlainOptions, PlainStatic
from kimera_tui.ui.widgets.task_form import TaskForm

CLOSE: list[BindingType] = [Binding("escape", "close", "Close")]


class PickTask(Window[tuple[str, str] | None]):
    """Picks one of the friends' tasks by typing parts of its name."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *CLOSE,
        Binding("down", "into_list", "List", show=False),
    ]

    def __init__(self, friends: Mapping[str, Friend]) -> None:
        super().__init__()
        self._names = [(name, task) for name, friend in friends.items() for task in friend.tasks]

    def compose(self) -> ComposeResult:
        """A filter and the tasks that match it."""
        with Vertical(classes="window pick"):
            yield PlainInput(placeholder="Type to find a task", compact=True)
            yield PlainOptions()

    def on_mount(self) -> None:
        """Offer all."""
        self.query_one(".window").border_title = "Add a task"
        self._offer("")

    def _offer(self, typed: str) -> None:
        parts = typed.lower().split()
        choices = [
            (f"{friend}.{task}", str(index))
            for index, (friend, task) in enumerate(self._names)
            if all(part in f"{friend}.{task}".lower() for part in parts)
        ]
        options = self.query_one(PlainOptions)
        options.offer(choices)
        options.highlighted = 0 if choices else None

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._offer(event.value)

    @on(Input.Submitted)
    def _take_highlighted(self) -> None:
        self.query_one(PlainOptions).action_select()

    @on(OptionList.OptionSelected)
    def _take(self, event: OptionList.OptionSelected) -> None:
        if event.option.id is not None:
            self.dismiss(self._names[int(event.option.id)])

    def action_into_list(self) -> None:
        """Go from the filter into the list."""
        self.query_one(PlainOptions).focus()

    def action_close(self) -> None:
        """Close without picking."""
        self.dismiss(None)


class EditStep(Window[TaskParams | None]):
    """The form of one step."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *CLOSE,
        Binding("ctrl+r", "take", "Take", priority=True),
    ]

    def __init__(
        self, friend: str, config: Friend, task: str, given: TaskParams | None = None
    ) -> None:
        super().__init__()
        self._form = TaskForm(friend, config, task, given)

    def compose(self) -> ComposeResult:
        """The form and two buttons."""
        with Vertical(classes="window edit"):
            yield self._form
            with Horizontal(classes="buttons"):
                yield PlainButton("Take  ctrl+r", id="take", variant="primary", compact=True)
                yield PlainButton("Cancel  esc", id="cancel", compact=True)

    def on_mount(self) -> None:
        """Start in the first field."""
        self.query_one(".window").border_title = "Step"
        self._form.focus_first()

    @on(Button.Pressed, "#take")
    def action_take(self) -> None:
        """Hand the step over, if every field is right."""
        if (params := self._form.collect()) is not None:
            self.dismiss(params)

    @on(Button.Pressed, "#cancel")
    def action_close(self) -> None:
        """Leave the step as it was."""
        self.dismiss(None)


class Help(Window[None]):
    """All keys, from the registry of actions."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *CLOSE,
        Binding("question_mark,f1,q", "close", "Close", show=False),
    ]

    def compose(self) -> ComposeResult:
        """A table a scope."""
        with VerticalScroll(classes="window help"):
            yield PlainStatic(help_text())

    def on_mount(self) -> None:
        """Say how to leave."""
        window = self.query_one(".window")
        window.border_title = "Keys"
        window.border_subtitle = "esc closes"

    def action_close(self) -> None:
        """Close the window."""
        self.dismiss(None)


def help_text() -> str:
    """All actions with their keys, by scope."""
    blocks = []
    for scope, title in SCOPES.items():
        rows = [title]
        for action in ACTIONS:
            if action.scope == scope:
                keys = ", ".join([action.key, *action.keys.split(",")[1:]])
                rows.append(f"  {keys:<18} {action.help}")
        blocks.append("\n".join(rows))
    return "\n\n".join([*blocks, "ctrl+p opens the palette: everything by its name."])
