"""The shape of a run: a tree of tasks, chains and paras, each task with its id fixed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class PlannedTask:
    """One call of a run, as written; what really goes out may have a result fed in."""

    task_id: str
    friend: str
    task_name: str
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    timeout: float | None = None
    """Seconds."""
    secret: frozenset[str] = frozenset()
    """Names in ``kwargs`` whose values are never shown or written down."""


@dataclass(frozen=True, slots=True)
class Node:
    """One place in a run's tree."""

    kind: Literal["task", "chain", "para"]
    path: str
    """Position in the tree, such as ``0/1``; the root's is empty. Never reused."""
    children: Sequence[Node] = ()
    task: PlannedTask | None = None

    def leaves(self) -> Iterator[tuple[str, PlannedTask]]:
        """Every task with its path, in the order in which they are written."""
        if self.task is not None:
            yield self.path, self.task
        for child in self.children:
            yield from child.leaves()

    def walk(self, depth: int = 0) -> Iterator[tuple[int, Node]]:
        """Every node with its depth, parents before children."""
        yield depth, self
        for child in self.children:
            yield from child.walk(depth + 1)
