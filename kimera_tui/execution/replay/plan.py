"""Plan a replay: a new run from a past one, reusing the results that still hold."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal, get_args

from kimera_tui.config.friends import secret_params
from kimera_tui.documents.document import Document
from kimera_tui.documents.references import Reference, escape, references_in
from kimera_tui.documents.save import equal
from kimera_tui.errors import UsageError
from kimera_tui.execution.planning import planner_of
from kimera_tui.execution.replay.step_matching import (
    argument_references,
    condition_references,
    matching_steps,
    takes_result,
)
from kimera_tui.execution.replay.uncertain_steps import Doubt, Doubtful, StepsInDoubt
from kimera_tui.execution.run_inputs import RunInputs, inputs_again
from kimera_tui.process.events import Sending
from kimera_tui.process.loop.clock import new_id
from kimera_tui.process.task_manager import TaskManager
from kimera_tui.runs.events import StepHandedOver, StepIntended
from kimera_tui.runs.index import RunState
from kimera_tui.runs.plan import PLAIN, Node, PlannedTask, is_handler
from kimera_tui.runs.recovery import Fates, Past, fates_of
from kimera_tui.runs.status import Status
from kimera_tui.runs.step import StepState
from kimera_tui.values.placeholders import is_whole, missing_in

Mode = Literal["again", "from_failed", "from_step", "only_step"]
"""Rerun everything; what is not done; a step and what it feeds; one step as it was sent."""
ONLY = "0"
"""Name of the only step of a plain call, whose path is empty."""
Overrides = Mapping[str, Mapping[str, Any]]
"""New named arguments of steps, by path or id."""


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """How to replay a past run."""

    mode: str = "again"
    """One of ``Mode``."""
    path: str = ""
    """The step of ``from_step`` and ``only_step``, by path or id."""
    overrides: Overrides = field(default_factory=dict)
    """Overridden steps rerun, and so do the steps they feed."""
    run_inputs: RunInputs = field(default_factory=RunInputs)
    """New inputs; the others keep their values."""
    document: Document | None = None
    """A document to run instead of the original one; steps are matched by id."""
    args: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """New positional arguments of steps, by path or id; these steps rerun too."""
    again: frozenset[str] = frozenset()
    """Steps, by path or id, that may be resent even if they may run twice."""


@dataclass(frozen=True, slots=True)
class ReplayPlan:
    """A replay before it starts, to be shown first."""

    parent: str
    """The run it replays."""
    name: str
    plan: Node
    """The same tree with new task ids."""
    reused: Mapping[str, StepState] = field(default_factory=dict)
    """Steps of the past run whose results are reused, by path."""
    will_run: Sequence[str] = ()
    """Paths of the steps to send."""
    needs: Sequence[str] = ()
    """Sentences that say what is missing before it can run."""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    """The inputs without secrets."""
    payload: PlannedTask | None = None
    """The call of ``only_step``; secrets that were not saved have placeholders."""
    fetched: Mapping[str, Any] = field(default_factory=dict)
    """Named arguments of the payload that are looked up again, with their templates."""
    doubts: Sequence[Doubt] = ()
    """Steps whose fate must be found out or decided before they may be resent."""

    @property
    def friends(self) -> set[str]:
        """Friends it may send to, including those of error handlers."""
        return {task.friend for path, task in self.plan.leaves() if path not in self.reused}

    @property
    def notes(self) -> list[str]:
        """Sentences about the steps it searches for first."""
        return [each.sentence for each in self.doubts]

    @property
    def sentence(self) -> str:
        """How much runs and how much is reused."""
        reuse = f", reuse {len(self.reused)}" if self.reused else ""
        return f"will run {len(self.will_run)}{reuse}"


def planned_replay(
    past: Sequence[object],
    request: ReplayRequest,
    new_id: Callable[[], str],
    friends: Mapping[str, Mapping[str, Any]],
    fates: Fates | None = None,
) -> ReplayPlan:
    """Plan a replay.

    Args:
        past: The events of the past run, the start first.
        request: How to replay it.
        new_id: Creates task ids.
        friends: The configured friends; they say which new arguments are secret, and set the
            timeouts of a new document.
        fates: The fates of steps whose outcome was unknown, by path in the past run; None before
            anybody has searched for them.

    Raises:
        UsageError: the mode or step does not exist, the only step was never sent, or an input is
            wrong.
    """
    replay = _Replay.of(past, request, friends, fates)
    if request.mode == "only_step":
        return replay.only_step(new_id)
    return replay.whole(new_id)


@dataclass(frozen=True, slots=True)
class _Replay:
    """A replay request, with its steps resolved in the past run."""

    events: Sequence[object]
    run: RunState
    request: ReplayRequest
    friends: Mapping[str, Mapping[str, Any]]
    path: str
    """Path of the step of ``from_step`` and ``only_step``; empty for the other modes."""
    overridden: _Overridden
    doubtful: Doubtful

    @classmethod
    def of(
        cls,
        events: Sequence[object],
        request: ReplayRequest,
        friends: Mapping[str, Mapping[str, Any]],
        fates: Fates | None,
    ) -> _Replay:
        """Resolve a request; raises UsageError for an unknown run, mode or step."""
        if not events:
            raise UsageError("No such run.")
        past, mode = Past.of(events), request.mode
        run, modes = past.run, get_args(Mode)
        if mode not in modes:
            raise UsageError(f"Unknown replay mode `{mode}`; choose from {', '.join(modes)}.")
        path = _path_of(run, request.path) if mode in ("from_step", "only_step") else ""
        args = {_path_of(run, each): tuple(values) for each, values in request.args.items()}
        named = {_path_of(run, each): values for each, values in request.overrides.items()}
        overridden = _Overridden({**{each: {} for each in args}, **named}, args, friends)
        allowed = {_path_of(run, each) for each in request.again}
        doubtful = Doubtful(past, mode, allowed, fates)
        return cls(events, run, request, friends, path, overridden, doubtful)

    def only_step(self, new_id: Callable[[], str]) -> ReplayPlan:
        """The plan of one step, resent as it was sent."""
        step = self.run.steps[self.path]
        inputs_again(self.events, self.request.run_inputs.inputs, self.request.document)
        plan = _only(self.run, _sent(self.events, step), self.overridden, new_id)
        return replace(plan, inputs=self.run.inputs, doubts=self.doubtful.among([step]))

    def whole(self, new_id: Callable[[], str]) -> ReplayPlan:
        """The plan of a run that reuses the results that still hold."""
        run, request = self.run, self.request
        inputs = inputs_again(self.events, request.run_inputs.inputs, request.document)
        changed = {name for name, value in inputs.items() if not equal(run.inputs.get(name), value)}
        name, plan, past_steps = run.name, run.plan, dict(run.steps)
        if request.document is not None:
            name = request.document.name
            plan = planner_of(self.friends, new_id).plan(request.document)
            past_steps = matching_steps(run, plan)
        past_steps = {each: self.doubtful.settled(step) for each, step in past_steps.items()}
        planner = _Planner(past_steps, request.mode, self.path, self.overridden.overrides, changed)
        planner.visit(plan, same_upstream=True, same_decision=True)
        plan = _renewed(plan, self.overridden, new_id)
        leaves = [each for each in plan.leaves() if not is_handler(each[0])]
        will_run = [each for each, _ in leaves if each not in planner.reused | planner.idle]
        needs = [
            f"Input {each} was not saved: supply it again."
            for each in inputs
            if each not in request.run_inputs.inputs and not is_whole(run.inputs.get(each))
        ]
        for each, task in leaves:
            needs += _needs(each, task) if each in will_run else ()
        doubts = self.doubtful.among(_resent(run, plan, past_steps, planner))
        return ReplayPlan(
            run.run_id, name, plan, planner.reused, will_run, needs, inputs, doubts=doubts
        )


def _resent(
    run: RunState, plan: Node, past_steps: Mapping[str, StepState], planner: _Planner
) -> list[StepState]:
    """The past steps that a plan resends, or may resend in an error handler."""
    by_id = {step.id: step for step in run.steps.values() if step.id}
    resent = []
    for _, node in plan.walk():
        kept = node.path in planner.reused or node.path in planner.idle or node.rules.idempotent
        step = past_steps.get(node.path) or by_id.get(node.id)
        if node.task is not None and not kept and step is not None:
            resent.append(step)
    return resent


def _path_of(run: RunState, step: str) -> str:
    """The path of a step given by path or id; ``0`` also names the only step of a call."""
    if step in run.steps:
        return step
    if step == "0" and "" in run.steps:
        return ""
    matches = [path for path, state in run.steps.items() if state.id and state.id == step]
    if matches:
        return matches[0]
    names = [state.id or path or ONLY for path, state in run.steps.items()]
    if names == [step]:
        return next(iter(run.steps))
    if names == [ONLY]:
        raise UsageError(f"The run has no step `{step}`; its only step is `{ONLY}`.")
    raise UsageError(f"The run has no step `{step}`; its steps: {', '.join(names)}.")


@dataclass(slots=True)
class _Planner:
    """Decides for each step whether its result can be reused."""

    past_steps: Mapping[str, StepState]
    """The past steps, by path; those that are new or changed are missing."""
    mode: str
    path: str
    overrides: Overrides
    changed_inputs: set[str]
    reused: dict[str, StepState] = field(default_factory=dict)
    idle: dict[str, StepState] = field(default_factory=dict)
    """Steps that were not needed, and still are not."""
    _changed_steps: set[str] = field(default_factory=set)

    def visit(self, node: Node, same_upstream: bool, same_decision: bool) -> bool:
        """Record which steps of a part are reused; return whether its result is unchanged.

        Args:
            node: The part.
            same_upstream: Whether its upstream result is unchanged.
            same_decision: Whether the conditions around it evaluate as before.
        """
        conditions = condition_references(node)
        wanted = same_decision and self._looks_up_the_same(conditions)
        if not same_upstream and any(each.root == "prev" for each in conditions):
            wanted = False
        same = self._visit(node, same_upstream, wanted)
        if not same and node.id:
            self._changed_steps.add(node.id)
        return same

    def _visit(self, node: Node, same_upstream: bool, wanted: bool) -> bool:
        if node.task is not None:
            return wanted and self._visit_task(node, same_upstream)
        if node.kind == "para":
            same = [self.visit(child, same_upstream, wanted) for child in node.children]
            return all(same)
        for child in node.children:
            same_upstream = self.visit(child, same_upstream, wanted)
        return same_upstream

    def _visit_task(self, node: Node, same_upstream: bool) -> bool:
        if (step := self.past_steps.get(node.path)) is None:
            return False
        if not same_upstream and takes_result(node):
            return False
        if not self._looks_up_the_same(argument_references(node)):
            return False
        if step.status is Status.NOT_NEEDED and self.mode != "again":
            self.idle[node.path] = step
            return True
        if not self._may_reuse(step):
            return False
        self.reused[node.path] = step
        return True

    def _looks_up_the_same(self, references: Iterable[Reference]) -> bool:
        changed = {"inputs": self.changed_inputs, "steps": self._changed_steps}
        return not any(
            each.path and each.path[0] in changed.get(each.root, ()) for each in references
        )

    def _may_reuse(self, step: StepState) -> bool:
        return (
            self.mode != "again"
            and not (self.mode == "from_step" and step.path == self.path)
            and step.status is Status.DONE
            and step.path not in self.overrides
            and is_whole(step.result)
        )


def _sent(past: Sequence[object], step: StepState) -> StepState:
    """The step with the arguments it was last sent with, or was about to be sent with."""
    for event in reversed(past):
        match event:
            case StepIntended() | StepHandedOver() if event.path == step.path:
                return replace(step, args=event.args, kwargs=event.kwargs)
            case Sending() if event.task_id == step.task_id:
                return replace(step, args=event.args, kwargs=event.kwargs)
    name, cause = step.id or step.path or "0", step.cause.rstrip(".")
    because = f" ({cause})" if cause else ""
    raise UsageError(
        f"Step `{name}` was never sent in this run{because}, so there is nothing to resend:"
        " replay from it instead."
    )


def _only(
    run: RunState, step: StepState, overridden: _Overridden, new_id: Callable[[], str]
) -> ReplayPlan:
    node = next(each for _, each in run.plan.walk() if each.path == step.path)
    templates = node.task.kwargs if node.task is not None and node.rules.templated else {}
    sent = PlannedTask(
        new_id(),
        step.friend,
        step.task_name,
        tuple(step.args),
        dict(step.kwargs),
        step.timeout,
        step.secret,
    )
    task = payload = overridden.task(step.path, sent)
    # The journal has no secrets, but it has the templates that look them up.
    fetched = {
        name: templates[name]
        for name, value in task.kwargs.items()
        if name in templates and not is_whole(value) and _can_be_fetched(templates[name])
    }
    if fetched:
        args, kwargs = escape(list(task.args)), escape(task.kwargs)
        task = replace(task, args=tuple(args), kwargs={**kwargs, **fetched})
    rules = replace(PLAIN, templated=bool(fetched), passing="none" if fetched else "auto")
    plan = Node("task", "0", task=task, id=node.id, rules=rules)
    name = f"{step.name} (only this step of {run.name})"
    needs = list(_needs("0", task))
    return ReplayPlan(run.run_id, name, plan, {}, ["0"], needs, payload=payload, fetched=fetched)


def _can_be_fetched(template: Any) -> bool:
    """Whether it can be filled in without the other steps of its run."""
    roots = {each.root for each in references_in(template)}
    return bool(roots) and roots <= {"inputs", "env", "run"}


@dataclass(frozen=True, slots=True)
class _Overridden:
    """The new arguments of a replay."""

    overrides: Overrides
    """Named arguments, by path."""
    args: Mapping[str, Sequence[Any]]
    """Positional arguments, by path."""
    friends: Mapping[str, Mapping[str, Any]]
    """They say which arguments are secret."""

    def task(self, path: str, task: PlannedTask, *, templated: bool = False) -> PlannedTask:
        """The task at a path, with its new arguments if it has any."""
        new = self.overrides.get(path, {})
        declared = secret_params(self.friends.get(task.friend, {}), task.task_name)
        kwargs = {**task.kwargs, **(escape(new) if templated else new)}
        args: Sequence[Any] = task.args
        if (positional := self.args.get(path)) is not None:
            args = tuple(escape(positional)) if templated else positional
        return replace(task, args=args, kwargs=kwargs, secret=task.secret | (declared & new.keys()))


def _renewed(node: Node, overridden: _Overridden, new_id: Callable[[], str]) -> Node:
    def renewed(nodes: Sequence[Node]) -> tuple[Node, ...]:
        return tuple(_renewed(each, overridden, new_id) for each in nodes)

    task = node.task
    if task is not None:
        task = overridden.task(node.path, task, templated=node.rules.templated)
        task = replace(task, task_id=new_id())
    return replace(
        node,
        task=task,
        children=renewed(node.children),
        handlers=renewed(node.handlers),
        finals=renewed(node.finals),
    )


def _needs(path: str, task: PlannedTask) -> list[str]:
    return [
        f"Step {path or '0'} ({task.task_name}) {missing.why}."
        for missing in missing_in(task.args, task.kwargs)
    ]


async def fates_before_replay(
    past: Sequence[object], request: ReplayRequest, manager: TaskManager, now: float
) -> Fates:
    """Search for the steps that a replay would resend and whose outcome is unknown.

    Args:
        past: The events of the past run.
        request: How to replay it.
        manager: Asks the broker, the workers and the result backend.
        now: Seconds since the epoch.

    Returns:
        Their fates, by path; without the steps that ``request`` allows to run twice.

    Raises:
        StepsInDoubt: a step may run twice, and ``request`` does not allow it.
        UsageError: as for ``planned_replay``.
        BrokerUnavailable: the broker cannot be reached.
    """
    plan = partial(planned_replay, past, request, new_id, manager.friends)
    if not (doubts := (await asyncio.to_thread(plan)).doubts):
        return {}
    fates = await fates_of([each.sent for each in doubts], manager, now)
    if doubts := (await asyncio.to_thread(plan, fates)).doubts:
        raise StepsInDoubt(doubts)
    return fates
