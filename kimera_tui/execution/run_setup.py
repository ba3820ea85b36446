"""Set up a run, new or resumed: its start event and its executor."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from kimera_tui.documents.document import Document
from kimera_tui.documents.dump import document_from, header_of
from kimera_tui.documents.inputs import resolve, secret_value
from kimera_tui.documents.references import render
from kimera_tui.errors import UsageError
from kimera_tui.execution.executor import Executor
from kimera_tui.execution.planning import planner_of
from kimera_tui.execution.replay.plan import ReplayPlan, ReplayRequest
from kimera_tui.execution.run_context import RunContext
from kimera_tui.execution.run_inputs import RunInputs, secrets_again, secrets_at_start
from kimera_tui.execution.schedule import Schedule
from kimera_tui.execution.template_scope import Inputs, Scope
from kimera_tui.process.task_manager import TaskManager
from kimera_tui.runs.events import RunStarted, StepReused
from kimera_tui.runs.recovery import Past, Verdict


def started_of(
    document: Document,
    run_inputs: RunInputs,
    manager: TaskManager,
    new_id: Callable[[], str],
    at: float,
    profile: str,
) -> RunStarted:
    """The start event of a run, with its plan.

    Raises:
        UsageError: an input is missing or wrong; the message names it.
    """
    inputs = resolve(document.inputs, run_inputs.inputs)
    concurrency, limit = _concurrency(document, inputs)
    return RunStarted(
        at=at,
        run_id=new_id(),
        name=document.name,
        plan=planner_of(manager.friends, new_id).plan(document),
        profile=profile,
        inputs=inputs,
        header=header_of(document),
        despite=tuple(run_inputs.despite),
        concurrency=concurrency,
        limit=limit,
        secrets=secrets_at_start(document, run_inputs.prompted),
    )


def replay_of(
    past: RunStarted,
    planned: ReplayPlan,
    request: ReplayRequest,
    at: float,
    run_id: str,
    profile: str,
) -> RunStarted:
    """The start event of a replay."""
    document = request.document or _document_of(past)
    concurrency, limit = _concurrency(document, planned.inputs)
    return replace(
        past,
        at=at,
        run_id=run_id,
        name=planned.name,
        plan=planned.plan,
        parent=planned.parent,
        profile=profile,
        inputs=planned.inputs,
        header=past.header if request.document is None else header_of(request.document),
        despite=tuple(request.run_inputs.despite),
        concurrency=concurrency,
        limit=limit,
        secrets=secrets_at_start(document, request.run_inputs.prompted),
    )


def reused_of(planned: ReplayPlan, started: RunStarted) -> list[StepReused]:
    """Events for the results that a replay reuses."""
    return [
        StepReused(
            at=started.at,
            run_id=started.run_id,
            path=path,
            from_run=planned.parent,
            result=step.result,
        )
        for path, step in planned.reused.items()
    ]


def _concurrency(document: Document, inputs: Mapping[str, Any]) -> tuple[str, int]:
    """The concurrency key of a run, and how many runs of that key may be active at once."""
    rule = document.concurrency
    return ("", 1) if rule is None else (str(render(rule.key, {"inputs": inputs})), rule.limit)


def secrets_of(started: RunStarted, past: Past, prompted: Mapping[str, str]) -> Mapping[str, str]:
    """The secrets of a run that is resumed.

    Raises:
        UsageError: a step that may still be sent needs a secret that is not available.
    """
    return secrets_again(_document_of(started), started.plan, past, prompted)


def executor_of(
    started: RunStarted,
    context: RunContext,
    past: Past | None = None,
    verdicts: Mapping[str, Verdict] | None = None,
    secrets: Mapping[str, str] | None = None,
    document: Document | None = None,
) -> Executor:
    """The executor of a run, new or resumed.

    Args:
        started: Its start event.
        context: The engine, the journal and the emitter.
        past: Its state so far; None for a new run.
        verdicts: The fate of each step that was in flight, by path.
        secrets: The secrets of a resumed run; None for those in its start event.
        document: The document it starts from; None for the one in its start event.
    """
    scope, timeout = Scope(run=_run(started)), None
    if started.header:
        document = document or _document_of(started)
        fetched = started.secrets if secrets is None else secrets
        scope, timeout = _scope_of(started, document, fetched), document.timeout
    schedule = Schedule(
        started.plan,
        scope,
        context.new_id,
        past.run.steps if past is not None else {},
        verdicts or {},
        past.intents if past is not None else {},
        started.at,
        timeout,
        context.asks,
    )
    return Executor(started.run_id, context, schedule)


def _document_of(started: RunStarted) -> Document:
    """The document a run started from, without its steps."""
    if not started.header:
        return Document(name=started.name)
    try:
        return document_from(started.header)
    except UsageError:  # from another version, so its inputs cannot be looked up
        return Document(name=started.name)


def _scope_of(started: RunStarted, document: Document, fetched: Mapping[str, str]) -> Scope:
    """What the steps of a run can look up; a missing secret is fetched again on each look-up."""
    specs = {name: spec for name, spec in document.inputs.items() if spec.type == "secret"}
    inputs = Inputs(
        started.inputs, specs, lambda name: secret_value(name, specs[name], os.environ, fetched)
    )
    return Scope(inputs, _run(started), document.env)


def _run(started: RunStarted) -> dict[str, Any]:
    return {"id": started.run_id, "name": started.name, "started": started.at}
