"""Calls put together in memory, with their values as they are: tasks, chains and paras."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from kimera_tui.process.task_params import TaskParams


@dataclass(frozen=True, slots=True)
class Task:
    """One call."""

    params: TaskParams
    secret: frozenset[str] = frozenset()
    """Named arguments that are secret besides those that friends.yaml declares."""


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


def friends_of(step: Step) -> set[str]:
    """Names of all friends that a workflow, or a part of it, sends to."""
    if isinstance(step, Task):
        return {step.params.friend}
    return {name for child in step.steps for name in friends_of(child)}


def single(params: TaskParams, secret: Collection[str] = ()) -> Workflow:
    """A workflow of one call.

    Args:
        params: The call.
        secret: Named arguments that are secret besides those that friends.yaml declares.
    """
    return Workflow(f"{params.friend}.{params.task_name}", Task(params, frozenset(secret)))
