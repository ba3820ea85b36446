"""From the wish to run something again to the run: the way, what it asks for, and off."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from kimera_tui.config.friends import TaskInfo
from kimera_tui.documents.document import Document
from kimera_tui.documents.header import document_from
from kimera_tui.errors import KimeraError, UsageError
from kimera_tui.execution.replay import Wish
from kimera_tui.runs.index import RunState
from kimera_tui.runs.plan import PlannedTask
from kimera_tui.runs.state import StepState
from kimera_tui.ui.compose.arguments_form import Arguments, arguments_form
from kimera_tui.ui.compose.forms import FormWindow
from kimera_tui.ui.runs.inputs_form import asked_secrets, run_form
from kimera_tui.ui.runs.replay_window import AskReplay, Way, plan_words
from kimera_tui.ui.windows.confirm import Confirm, Question

if TYPE_CHECKING:
    from kimera_tui.ui.app import KimeraApp


@dataclass(frozen=True, slots=True)
class _Form:
    """A form that a way to replay asks to be filled in, and what becomes of the answer."""

    make: Callable[[], FormWindow[Any]]
    fill: Callable[[Wish, Any], Wish]


async def ask_and_replay(
    app: KimeraApp, run: RunState, step: StepState | None, *, ask: bool = False
) -> None:
    """Ask how a run is to be run again, and run it.

    Args:
        app: The console; this must be called from one of its workers.
        run: The past run.
        step: The step that is selected in it, if any.
        ask: Whether to ask once more, with the plan, even where no form was filled in.
    """
    services = app.services
    way = await app.push_screen_wait(
        AskReplay(run, step, lambda wish: services.runs.replay_plan(run.run_id, wish))
    )
    if way is None:
        return
    try:
        forms = await _forms(app, run, step, way)
    except KimeraError as error:
        app.complain(str(error))
        return
    wish = await _filled(app, run, way.wish, forms, ask=ask)
    if wish is not None:
        await app.acts.replay(run.run_id, wish)


async def replay_past(app: KimeraApp, run_id: str) -> None:
    """The same for a run that is read from the journal first."""
    try:
        run = await app.services.journal.run(run_id)
    except KimeraError as error:
        app.complain(str(error))
        return
    if run.ended is None:
        app.complain("Its last run has not ended: it can be replayed when it has.")
    else:
        await ask_and_replay(app, run, None)


async def _forms(app: KimeraApp, run: RunState, step: StepState | None, way: Way) -> list[_Form]:
    """What a way asks for, with the values as they would be sent."""
    document, forms = document_of_run(run), list[_Form]()
    secrets = document is not None and bool(asked_secrets(document))
    if way.wish.mode == "only_step" and (way.asks or secrets):
        plan = await app.services.runs.replay_plan(run.run_id, way.wish)
        secrets = secrets and bool(plan.fetched)  # else nothing in it looks one up
        if way.asks and step is not None and plan.payload is not None:
            forms.append(_arguments(app, step, plan.payload, plan.fetched))
    if document is None or not (way.asks == "inputs" or secrets):
        return forms
    filled = way.asks == "inputs"
    shown = document if filled else secrets_only(document)
    make = partial(run_form, shown, run.inputs, "Replay", "Go on", filled=filled)
    return [*forms, _Form(make, lambda wish, given: replace(wish, given=given))]


def _arguments(
    app: KimeraApp, step: StepState, task: PlannedTask, fetched: Mapping[str, Any]
) -> _Form:
    friend = app.services.friends.get(task.friend)
    info = TaskInfo() if friend is None else friend.tasks.get(task.task_name, TaskInfo())

    def fill(wish: Wish, given: Arguments) -> Wish:
        args = {} if given.args is None else {step.path: given.args}
        return replace(wish, overrides={step.path: given.kwargs}, args=args)

    return _Form(lambda: arguments_form(task, fetched, info), fill)


async def _filled(
    app: KimeraApp, run: RunState, wish: Wish, forms: Sequence[_Form], *, ask: bool
) -> Wish | None:
    """The wish with what its forms ask for, once the plan of it is agreed to; None if it isn't.

    Who doesn't agree, or can't have what was typed, goes back to the forms as they were filled in.
    """
    typed: list[Mapping[str, str]] = [{} for _ in forms]
    while True:
        filled = wish
        for number, each in enumerate(forms):
            form = each.make()
            form.type_again(typed[number])
            answer = await app.push_screen_wait(form)
            if answer is None:
                return None
            typed[number] = form.typed
            filled = each.fill(filled, answer)
        if not (forms or ask) or await _agreed(app, run, filled):
            return filled
        if not forms:
            return None


async def _agreed(app: KimeraApp, run: RunState, wish: Wish) -> bool:
    """Whether the operator has seen what is to be sent, and wants that."""
    try:
        plan = await app.services.runs.replay_plan(run.run_id, wish)
    except KimeraError as error:
        app.complain(str(error))
        return False
    if plan.needs:
        app.complain(" ".join(plan.needs[:3]))
        return False
    text = f"{run.name}\n\n{plan_words(plan)}"
    return await app.push_screen_wait(Confirm(Question("Replay", text, "Run"))) != ""


def document_of_run(run: RunState) -> Document | None:
    """What a run's document says besides its steps; None for plain calls."""
    if not run.header:
        return None
    try:
        return document_from(run.header)
    except UsageError:  # written by another version
        return None


def secrets_only(document: Document) -> Document:
    """The document with those inputs alone that are asked for at each start."""
    inputs = {name: document.inputs[name] for name in asked_secrets(document)}
    return document.model_copy(update={"inputs": inputs})
