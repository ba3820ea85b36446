"""Replays: the plan of a new run from a past one, and what of it needs no running again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from kimera_tui.errors import UsageError
from kimera_tui.runs.book import RunState
from kimera_tui.runs.notkept import is_whole, missing_in
from kimera_tui.runs.plan import Node, PlannedTask
from kimera_tui.runs.recovery import Past
from kimera_tui.runs.state import StepState
from kimera_tui.runs.status import Status

Mode = Literal["again", "from_failed", "from_step", "only_step"]
"""All of it; what isn't done; a step and what it feeds; one step as it was sent."""
Overrides = Mapping[str, Mapping[str, Any]]
"""New named arguments of steps, by path."""


@dataclass(frozen=True, slots=True)
class ReplayPlan:
    """A run that is about to be, to be shown before it is started."""

    parent: str
    """The run that it replays."""
    name: str
    plan: Node
    """The same tree with new task ids."""
    reused: Mapping[str, StepState] = field(default_factory=dict)
    """Steps of the past run whose results are taken over, by path."""
    will_run: Sequence[str] = ()
    """Paths of the steps that are sent."""
    needs: Sequence[str] = ()
    """What keeps it from running, in sentences."""

    @property
    def sentence(self) -> str:
        """How much runs and how much is reused."""
        reuse = f", reuse {len(self.reused)}" if self.reused else ""
        return f"will run {len(self.will_run)}{reuse}"


def replay_plan(
    past: Sequence[object], mode: str, path: str, overrides: Overrides, new_id: Callable[[], str]
) -> ReplayPlan:
    """The plan of a replay.

    Args:
        past: The events of the past run, its beginning first.
        mode: One of ``Mode``.
        path: The step that ``from_step`` and ``only_step`` mean.
        overrides: New named arguments; their steps run again, and so does what they feed.
        new_id: Makes the tasks' ids.

    Raises:
        UsageError: there is no such mode or step.
    """
    if not past:
        raise UsageError("No such run.")
    run = Past.of(past).run
    if mode not in get_args(Mode):
        raise UsageError(f"`{mode}` is no way to replay; the ways: {', '.join(get_args(Mode))}.")
    for each in [*overrides, *([path] if mode in ("from_step", "only_step") else [])]:
        if each not in run.steps:
            raise UsageError(f"The run has no step `{each}`; steps: {', '.join(run.steps)}.")
    if mode == "only_step":
        return _only(run, path, overrides.get(path, {}), new_id)
    planner = _Planner(run, mode, path, overrides)
    planner.visit(run.plan, fed_as_before=True)
    plan = _renewed(run.plan, overrides, new_id)
    will_run = [each for each, _ in plan.leaves() if each not in planner.reused]
    needs = [
        sentence
        for each, task in plan.leaves()
        if each in will_run
        for sentence in _needs(each, task)
    ]
    return ReplayPlan(run.run_id, run.name, plan, planner.reused, will_run, needs)


@dataclass(slots=True)
class _Planner:
    run: RunState
    mode: str
    path: str
    overrides: Overrides
    reused: dict[str, StepState] = field(default_factory=dict)

    def visit(self, node: Node, fed_as_before: bool) -> bool:
        """Note what of a part is reused; returns whether its result is the same as before."""
        if node.task is not None:
            step = self.run.steps[node.path]
            if not fed_as_before or not self._may_reuse(step):
                return False
            self.reused[node.path] = step
            return True
        if node.kind == "para":
            same = [self.visit(child, fed_as_before) for child in node.children]
            return all(same)
        for child in node.children:
            fed_as_before = self.visit(child, fed_as_before)
        return fed_as_before

    def _may_reuse(self, step: StepState) -> bool:
        return (
            self.mode != "again"
            and not (self.mode == "from_step" and step.path == self.path)
            and step.status is Status.DONE
            and step.path not in self.overrides
            and is_whole(step.result)
        )


def _only(
    run: RunState, path: str, override: Mapping[str, Any], new_id: Callable[[], str]
) -> ReplayPlan:
    step = run.steps[path]
    task = PlannedTask(
        new_id(),
        step.friend,
        step.task_name,
        tuple(step.args),
        {**step.kwargs, **override},
        step.timeout,
        step.secret,
    )
    plan = Node("task", "0", task=task)
    name = f"{step.name} (only this of {run.name})"
    return ReplayPlan(run.run_id, name, plan, {}, ["0"], list(_needs(path, task)))


def _renewed(node: Node, overrides: Overrides, new_id: Callable[[], str]) -> Node:
    if node.task is not None:
        kwargs = {**node.task.kwargs, **overrides.get(node.path, {})}
        return replace(node, task=replace(node.task, task_id=new_id(), kwargs=kwargs))
    children = tuple(_renewed(child, overrides, new_id) for child in node.children)
    return replace(node, children=children)


def _needs(path: str, task: PlannedTask) -> list[str]:
    return [
        f"Step {path or '0'} ({task.task_name}) {missing.why}."
        for missing in missing_in(task.args, task.kwargs)
    ]
