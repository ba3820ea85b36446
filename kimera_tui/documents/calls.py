"""Workflows built in memory, with plain values: tasks, chains and paras."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from kimera_tui.process.task_params import TaskParams


@dataclass(frozen=True, slots=True)
class Task:
    """One call."""

    params: TaskParams
    secret: frozenset[str] = frozenset()
    """Named arguments that are secret, besides those that friends.yaml declares."""


@dataclass(frozen=True, slots=True)
class Chain:
    """Steps in sequence, each fed with the result of the previous one."""

    steps: Sequence[Step] = ()


@dataclass(frozen=True, slots=True)
class Para:
    """Steps in parallel; the result is the list of their results."""

    steps: Sequence[Step] = ()


Step = Task | Chain | Para


@dataclass(frozen=True, slots=True)
class Workflow:
    """A tree of calls and its name."""

    name: str
    root: Step


def friends_of(step: Step) -> set[str]:
    """Names of all friends that a tree of calls sends to."""
    if isinstance(step, Task):
        return {step.params.friend}
    return {name for child in step.steps for name in friends_of(child)}


def single(params: TaskParams, secret: Collection[str] = ()) -> Workflow:
    """A workflow of one call.

    Args:
        params: The call.
        secret: Named arguments that are secret, besides those that friends.yaml declares.
    """
    return Workflow(f"{params.friend}.{params.task_name}", Task(params, frozenset(secret)))
