"""Mode 2: a chain or a para, put together as a list of steps."""

from __future__ import annotations

from typing import ClassVar

from textual import getters, on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll

from kimera_tui.process.task_params import TaskParams
from kimera_tui.redaction import redact
from kimera_tui.ui.actions import bindings
from kimera_tui.ui.screens.base import ModeScreen
from kimera_tui.ui.screens.modals import EditStep, PickTask
from kimera_tui.ui.text import compact, safe
from kimera_tui.ui.widgets.lines import Line, LineView
from kimera_tui.ui.widgets.plain import PlainStatic
from kimera_tui.workflows.calls import Draft, problems


class StepList(LineView):
    """The steps of the draft."""

    empty_text = "Nothing composed yet.\nPress a to add a task, or ctrl+t on a form in Friends (1)."

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self._draft = Draft()

    def show_draft(self, draft: Draft) -> None:
        """Show a draft's steps."""
        self._draft = draft
        self.lines_changed()

    def line_count(self) -> int:
        """How many steps there are."""
        return len(self._draft.steps)

    def line_at(self, index: int) -> Line:
        """A step: its place, its task, its own arguments."""
        params = self._draft.steps[index]
        chain = self._draft.kind == "chain"
        link = "" if not chain else "┌" if index == 0 else "│"
        if chain and index == self.line_count() - 1:
            link = "└" if index else "─"
        return (
            (f" {link or '├'} ", "dim"),
            (f"{index + 1:>2} ", "dim"),
            (f"{safe(params.friend, 60)}.{safe(params.task_name, 100)}", "strong"),
            (f"  {_own_arguments(params)}", "dim"),
        )


class ComposeScreen(ModeScreen):
    """Composes and runs chains and paras."""

    SCOPE: ClassVar[str] = "compose"
    SCOPES: ClassVar[tuple[str, ...]] = ("compose",)
    BINDINGS: ClassVar[list[BindingType]] = bindings("compose")
    AUTO_FOCUS: ClassVar[str | None] = "#steps"

    steps = getters.query_one("#steps", StepList)
    detail = getters.query_one("#step-detail", PlainStatic)

    def compose_content(self) -> ComposeResult:
        """The list, and beside it what happens to the selected step."""
        with Horizontal(id="compose"):
            yield StepList(id="steps")
            with VerticalScroll(id="step-pane"):
                yield PlainStatic(id="step-detail")

    def on_mount(self) -> None:
        """Name the panes."""
        self.query_one("#step-pane").border_title = "What goes in"
        super().on_mount()

    def draw(self) -> None:
        """Draw the draft."""
        super().draw()
        draft = self.kimera.draft
        self.steps.border_title = (
            "Chain · one after the other" if draft.kind == "chain" else "Para · all at once"
        )
        self.steps.show_draft(draft)
        self._draw_detail()

    def _draw_detail(self) -> None:
        draft = self.kimera.draft
        texts = problems(draft)
        if draft.steps:
            texts = [*_flow(draft, self.steps.cursor), *(f"⚠ {text}" for text in texts)]
        self.detail.say("\n".join(texts))

    @on(LineView.Selected, "#steps")
    def _selected(self) -> None:
        self._draw_detail()

    @on(LineView.Opened, "#steps")
    def _opened(self) -> None:
        self.action_edit()

    def _change(self, draft: Draft) -> None:
        self.kimera.draft = draft
        self.draw()

    @work
    async def action_add(self) -> None:
        """Pick a task, fill its form, add it."""
        picked = await self.app.push_screen_wait(PickTask(self.kimera.services.friends))
        if picked is None:
            return
        friend, task = picked
        config = self.kimera.services.friends[friend]
        params = await self.app.push_screen_wait(EditStep(friend, config, task))
        if params is not None:
            self._change(self.kimera.draft.added(params))
            self.steps.move_cursor(len(self.kimera.draft.steps) - 1)
            self._draw_detail()

    @work
    async def action_edit(self) -> None:
        """Edit the step under the cursor."""
        draft, position = self.kimera.draft, self.steps.cursor
        if not draft.steps:
            return
        given = draft.steps[position]
        config = self.kimera.services.friends[given.friend]
        params = await self.app.push_screen_wait(
            EditStep(given.friend, config, given.task_name, given)
        )
        if params is not None:
            self._change(draft.replaced(position, params))

    def action_remove(self) -> None:
        """Remove the step under the cursor."""
        if self.kimera.draft.steps:
            self._change(self.kimera.draft.removed(self.steps.cursor))

    def action_turn(self) -> None:
        """Turn the chain into a para, or back."""
        self._change(self.kimera.draft.turned())

    def action_move(self, by: int) -> None:
        """Move the step under the cursor."""
        position = self.steps.cursor
        self._change(self.kimera.draft.moved(position, by))
        self.steps.move_cursor(position + by)

    async def action_run(self) -> None:
        """Run what is composed."""
        if found := problems(self.kimera.draft):
            self.kimera.complain(found[0])
            return
        await self.kimera.launch(self.kimera.draft.workflow())


def _own_arguments(params: TaskParams) -> str:
    shown = [compact(redact(value), 40) for value in params.args]
    shown += [
        f"{safe(key, 40)}={compact(value, 40)}" for key, value in redact(params.kwargs).items()
    ]
    return ", ".join(shown)


def _flow(draft: Draft, position: int) -> list[str]:
    """What arrives at a step, in words, under the feeding rule."""
    params = draft.steps[position]
    lines = [
        f"Step {position + 1}: {params.friend}.{params.task_name}",
        f"args     {compact(redact(params.args), 400)}",
        f"kwargs   {compact(redact(params.kwargs), 400)}",
        f"timeout  {params.timeout:g} s",
        "",
    ]
    if draft.kind == "para":
        return [*lines, "Runs beside the other steps and gets only its own arguments."]
    if position == 0:
        return [*lines, "First in the chain: it gets only its own arguments."]
    before = draft.steps[position - 1]
    return [
        *lines,
        f"From step {position} ({before.friend}.{before.task_name}) it gets, besides:",
        "  a dict    merged into kwargs, and it wins over its own keys",
        "  a list    appended to args",
        "  nothing   when the result is null",
        "  any other value as kwargs payload",
    ]
