"""Ask for replay options and inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from kimera_tui.config.friends import TaskInfo
from kimera_tui.documents.document import Document
from kimera_tui.documents.dump import document_from
from kimera_tui.errors import UsageError
from kimera_tui.execution.replay.plan import ReplayRequest
from kimera_tui.runs.index import RunState
from kimera_tui.runs.plan import PlannedTask
from kimera_tui.runs.step import StepState
from kimera_tui.ui.compose.arguments_form import Arguments, arguments_form
from kimera_tui.ui.compose.forms import FormWindow
from kimera_tui.ui.kimera import Kimera
from kimera_tui.ui.runs.inputs_form import asked_secrets, run_form
from kimera_tui.ui.runs.replay_window import AskReplay, Way, plan_words
from kimera_tui.ui.windows.confirm import Confirm, Question


@dataclass(frozen=True, slots=True)
class _Form:
    """A form for a replay, and how its answer enters the request."""

    make: Callable[[], FormWindow[Any]]
    fill: Callable[[ReplayRequest, Any], ReplayRequest]


async def ask_replay(
    kimera: Kimera, run: RunState, step: StepState | None, *, ask: bool = False
) -> ReplayRequest | None:
    """Ask how to replay a run, with the options and inputs of that way.

    Args:
        kimera: The console; this must be called from one of its workers.
        run: The past run.
        step: The step that is selected in it, if any.
        ask: Whether to ask for confirmation, with the plan, even if no form was filled in.

    Returns:
        What to replay; None if the operator does not want to.
    """
    way = await kimera.ask(
        AskReplay(run, step, lambda request: kimera.services.runs.replay_plan(run.run_id, request))
    )
    if way is None:
        return None
    forms = await _forms(kimera, run, step, way)
    return await _filled(kimera, run, way.request, forms, ask=ask)


async def ask_past_replay(kimera: Kimera, run_id: str) -> ReplayRequest | None:
    """The same for a run that is read from the journal first."""
    run = await kimera.services.journal.run(run_id)
    if run.ended is None:
        raise UsageError("Its last run has not ended yet: replay it when it has.")
    return await ask_replay(kimera, run, None)


async def _forms(kimera: Kimera, run: RunState, step: StepState | None, way: Way) -> list[_Form]:
    """The forms of a way, filled with the values as they would be sent."""
    document, forms = document_of_run(run), list[_Form]()
    secrets = document is not None and bool(asked_secrets(document))
    if way.request.mode == "only_step" and (way.asks or secrets):
        plan = await kimera.services.runs.replay_plan(run.run_id, way.request)
        secrets = secrets and bool(plan.fetched)  # else it refers to none
        if way.asks and step is not None and plan.payload is not None:
            forms.append(_arguments(kimera, step, plan.payload, plan.fetched))
    if document is None or not (way.asks == "inputs" or secrets):
        return forms
    filled = way.asks == "inputs"
    shown = document if filled else secrets_only(document)
    make = partial(run_form, shown, run.inputs, "Replay", "Continue", filled=filled)
    return [
        *forms,
        _Form(make, lambda request, run_inputs: replace(request, run_inputs=run_inputs)),
    ]


def _arguments(
    kimera: Kimera, step: StepState, task: PlannedTask, fetched: Mapping[str, Any]
) -> _Form:
    friend = kimera.services.friends.get(task.friend)
    info = TaskInfo() if friend is None else friend.tasks.get(task.task_name, TaskInfo())

    def fill(request: ReplayRequest, run_inputs: Arguments) -> ReplayRequest:
        args = {} if run_inputs.args is None else {step.path: run_inputs.args}
        return replace(request, overrides={step.path: run_inputs.kwargs}, args=args)

    return _Form(lambda: arguments_form(task, fetched, info), fill)


async def _filled(
    kimera: Kimera, run: RunState, request: ReplayRequest, forms: Sequence[_Form], *, ask: bool
) -> ReplayRequest | None:
    """The request with the answers of its forms, once the operator agrees to its plan; else None.

    Operators who disagree, or typed what is impossible, get the forms again as they left them.
    """
    typed: list[Mapping[str, str]] = [{} for _ in forms]
    while True:
        filled = request
        for number, each in enumerate(forms):
            form = each.make()
            form.type_again(typed[number])
            answer = await kimera.ask(form)
            if answer is None:
                return None
            typed[number] = form.typed
            filled = each.fill(filled, answer)
        if not (forms or ask) or await _agreed(kimera, run, filled):
            return filled
        if not forms:
            return None


async def _agreed(kimera: Kimera, run: RunState, request: ReplayRequest) -> bool:
    """Whether the operator has seen what will be sent, and agrees."""
    plan = await kimera.reporting(kimera.services.runs.replay_plan(run.run_id, request))
    if plan is None:
        return False
    if plan.needs:
        kimera.complain(" ".join(plan.needs[:3]))
        return False
    text = f"{run.name}\n\n{plan_words(plan)}"
    return await kimera.ask(Confirm(Question("Replay", text, "Run"))) != ""


def document_of_run(run: RunState) -> Document | None:
    """A run's document without its steps; None for plain calls."""
    if not run.header:
        return None
    try:
        return document_from(run.header)
    except UsageError:  # written by another version
        return None


def secrets_only(document: Document) -> Document:
    """The document with only those inputs that each start asks for."""
    inputs = {name: document.inputs[name] for name in asked_secrets(document)}
    return document.model_copy(update={"inputs": inputs})
