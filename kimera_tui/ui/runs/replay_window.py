"""The question before a replay: how much of the run, with the plan."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.widgets import OptionList

from kimera_tui.errors import KimeraError
from kimera_tui.execution.replay.plan import ReplayPlan, ReplayRequest
from kimera_tui.runs.index import RunState
from kimera_tui.runs.plan import is_handler
from kimera_tui.runs.step import StepState
from kimera_tui.ui.actions import bindings
from kimera_tui.ui.friends.call_text import call_words
from kimera_tui.ui.widgets.unmarked import PlainStatic
from kimera_tui.ui.windows.lists import ChoiceWindow

NAMED = 12
"""Steps that a plan names."""
_ASKS = {
    "inputs": "Asks for the inputs first. Steps that depend on them run again too.",
    "arguments": "Asks for the arguments first. No other step runs.",
}


@dataclass(frozen=True, slots=True)
class Way:
    """A way to run something again."""

    words: str
    request: ReplayRequest
    asks: Literal["", "inputs", "arguments"] = ""
    """What is asked for first."""


class AskReplay(ChoiceWindow[Way]):
    """Offers the ways to replay a run, each with its plan.

    Args:
        run: The past run.
        step: The step that is selected in it, if any.
        plan: Returns the plan of a request.
    """

    SCOPE: ClassVar[str] = "replay"
    BINDINGS: ClassVar[list[BindingType]] = bindings("replay")

    def __init__(
        self,
        run: RunState,
        step: StepState | None,
        plan: Callable[[ReplayRequest], Awaitable[ReplayPlan]],
    ) -> None:
        intro = f"{run.name}\nA new run; this one stays as it is.\n"
        super().__init__("Replay", [(way.words, way) for way in ways(run, step)], intro)
        self._plan = plan
        self._plans: dict[str, str] = {}
        """What was planned already, by the words of the way."""

    def compose_below(self) -> ComposeResult:
        """The plan of the highlighted way."""
        with VerticalScroll(classes="replay-plan", can_focus=False):
            yield PlainStatic("")

    @on(OptionList.OptionHighlighted)
    def _highlighted(self, event: OptionList.OptionHighlighted) -> None:
        if event.option.id is not None:
            self._show_plan(self.choices[int(event.option.id)][1])

    @work(exclusive=True, group="replay-plan")
    async def _show_plan(self, way: Way) -> None:
        try:
            if way.words not in self._plans:
                self._plans[way.words] = plan_words(await self._plan(way.request))
            text = self._plans[way.words]
        except KimeraError as error:
            text = str(error)
        if way.asks:
            text += f"\n{_ASKS[way.asks]}"
        self.query_one(".replay-plan PlainStatic", PlainStatic).say(f"\n{text}")

    def action_read(self, by: int) -> None:
        """Scroll a plan that is too long for its place."""
        plan = self.query_one(".replay-plan")
        plan.scroll_relative(y=by * max(1, plan.size.height - 1), animate=False)


def plan_words(plan: ReplayPlan) -> str:
    """A plan in a few sentences: how much runs, which steps, and the call if it is only one."""
    names = {node.path: node.id or node.task.task_name for _, node in plan.plan.walk() if node.task}
    listed = [names[path] for path in plan.will_run]
    more = f" and {len(listed) - NAMED} more" if len(listed) > NAMED else ""
    words = plan.sentence[:1].upper() + plan.sentence[1:]
    words = f"{words}: {', '.join(listed[:NAMED])}{more}." if listed else f"{words}."
    task = plan.payload
    call = [] if task is None else [call_words(task, task.secret, plan.fetched)]
    return "\n".join([" ".join([words, *plan.needs[:3], *plan.notes[:3]]), *call])


def ways(run: RunState, step: StepState | None) -> list[Way]:
    """The ways to replay a run, the likeliest first."""
    failed = any(step.status.bad and not is_handler(path) for path, step in run.steps.items())
    found = [Way("Run again", ReplayRequest("again"))]
    if failed:
        found.insert(0, Way("From what failed", ReplayRequest("from_failed")))
    if run.header.get("inputs"):
        found.append(Way("With other inputs…", ReplayRequest("from_failed"), "inputs"))
    if step is None:
        return found
    name = step.id or step.name
    if len(run.steps) > 1:
        found += [
            Way(f"From {name} on", ReplayRequest("from_step", step.path)),
            Way(f"Only {name}, as it was sent", ReplayRequest("only_step", step.path)),
        ]
    found.append(
        Way(
            f"Only {name}, with other arguments…",
            ReplayRequest("only_step", step.path),
            "arguments",
        )
    )
    return found
