"""Calls put together in memory, with their values as they are: tasks, chains and paras."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from kimera_tui.process.task_params import TaskParams


@dataclass(frozen=True, slots=True)
class Task:
    """One call."""

    params: TaskParams


@dataclass(frozen=True, slots=True)
class Chain:
    """One after the other, each fed with the result before it."""

    steps: Sequence[Step] = ()


@dataclass(frozen=True, slots=True)
class Para:
    """All at once; the result is the list of their results."""

    steps: Sequence[Step] = ()


Step = Task | Chain | Para


@dataclass(frozen=True, slots=True)
class Workflow:
    """Something to run, and what to call it."""

    name: str
    root: Step


@dataclass(frozen=True, slots=True)
class Draft:
    """The composer's flat list of steps; every edit returns a new draft."""

    kind: str = "chain"
    steps: tuple[TaskParams, ...] = field(default=())

    def added(self, params: TaskParams) -> Draft:
        """With a step at the end."""
        return Draft(self.kind, (*self.steps, params))

    def replaced(self, position: int, params: TaskParams) -> Draft:
        """With another step at a position."""
        return Draft(self.kind, (*self.steps[:position], params, *self.steps[position + 1 :]))

    def removed(self, position: int) -> Draft:
        """Without the step at a position."""
        return Draft(self.kind, self.steps[:position] + self.steps[position + 1 :])

    def moved(self, position: int, by: int) -> Draft:
        """With a step moved up (-1) or down (1); at the ends nothing changes."""
        target = position + by
        if not 0 <= target < len(self.steps) or not 0 <= position < len(self.steps):
            return self
        steps = list(self.steps)
        steps.insert(target, steps.pop(position))
        return Draft(self.kind, tuple(steps))

    def turned(self) -> Draft:
        """A chain as a para, and back."""
        return Draft("para" if self.kind == "chain" else "chain", self.steps)

    def workflow(self) -> Workflow:
        """What it is when it runs."""
        tasks = tuple(Task(params) for params in self.steps)
        names = [params.task_name for params in self.steps]
        arrow = " > " if self.kind == "chain" else " | "
        root: Step = Chain(tasks) if self.kind == "chain" else Para(tasks)
        return Workflow(arrow.join(names), root)


def friends_of(step: Step) -> set[str]:
    """Names of all friends that a workflow, or a part of it, sends to."""
    if isinstance(step, Task):
        return {step.params.friend}
    return {name for child in step.steps for name in friends_of(child)}


def single(params: TaskParams) -> Workflow:
    """A workflow of one call."""
    return Workflow(f"{params.friend}.{params.task_name}", Task(params))


def problems(draft: Draft) -> list[str]:
    """What keeps a draft from running, in sentences."""
    if not draft.steps:
        return ["Nothing to run yet: add a task."]
    if draft.kind == "chain" and len(draft.steps) < 2:
        return ["A chain needs at least two tasks: add another, or turn it into a para."]
    return []
