"""The rest of a run: the steps that have not ended, and the upstream result of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from kimera_tui.execution.template_scope import NOTHING
from kimera_tui.execution.unknown_results import STATUS
from kimera_tui.runs.plan import Node
from kimera_tui.runs.status import Status
from kimera_tui.runs.step import StepState

PENDING: Final = object()
"""Stands for a result that is not known yet."""
Known = Callable[[str], StepState | None]
"""Returns the state of the step at a path; None if nothing is known."""


@dataclass(frozen=True, slots=True)
class Call:
    """A task that has not ended."""

    node: Node
    upstream: Any
    """The upstream result, ``NOTHING`` or ``PENDING``."""


@dataclass(frozen=True, slots=True)
class Fork:
    """A para that has not ended."""

    node: Node
    branches: Sequence[Sequence[Left]]
    """What is left of each branch; empty for those that have ended."""

    @property
    def begun(self) -> bool:
        """Whether some branches have ended; a join of the others would miss their results."""
        return not all(self.branches)


Left = Call | Fork


@dataclass(slots=True)
class Rest:
    """What is left of a run."""

    items: Sequence[Left] = ()
    """A sequence; chains are flattened into it."""
    paths: set[str] = field(default_factory=set)
    """Paths of all nodes with something left, including chains."""
    steps: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Result and status of the steps that have ended, by id, as templates look them up."""
    failed: list[Node] = field(default_factory=list)
    """Tasks that did not succeed, so the steps after them will never run."""

    unknown: list[Node] = field(default_factory=list)
    """Tasks that ended and whose result is unknown."""

    def calls(self) -> Iterator[Call]:
        """Every task, in the order of the plan."""
        yield from _calls(self.items)


def rest_of(plan: Node, known: Known = lambda path: None) -> Rest:
    """What is left of a plan.

    Args:
        plan: The root.
        known: Returns the state of a step.
    """
    reader = _Reader(known, Rest())
    reader.rest.items, _ = reader.read(plan, NOTHING)
    return reader.rest


def _calls(items: Sequence[Left]) -> Iterator[Call]:
    for item in items:
        if isinstance(item, Call):
            yield item
        else:
            for branch in item.branches:
                yield from _calls(branch)


@dataclass(slots=True)
class _Reader:
    known: Known
    rest: Rest

    def read(self, node: Node, upstream: Any) -> tuple[list[Left], Any]:
        """What is left of a node, and its result: ``PENDING`` if anything is."""
        match node.kind:
            case "task":
                left, result = self._task(node, upstream)
            case "chain":
                left, result = self._chain(node, upstream)
            case _:
                left, result = self._para(node, upstream)
        if left:
            self.rest.paths.add(node.path)
        elif node.id:
            self.rest.steps[node.id] = {"result": result, "status": self._status(node)}
        return left, result

    def _task(self, node: Node, upstream: Any) -> tuple[list[Left], Any]:
        step = self.known(node.path)
        if step is None or not step.status.ended:
            return [Call(node, upstream)], PENDING
        if step.status is Status.RESULT_UNKNOWN:
            self.rest.unknown.append(node)
        elif step.status.bad and not node.rules.goes_on:
            self.rest.failed.append(node)
        return [], step.result if step.status is Status.DONE else None

    def _chain(self, node: Node, upstream: Any) -> tuple[list[Left], Any]:
        items: list[Left] = []
        for child in node.children:
            left, upstream = self.read(child, upstream)
            items += left
        return items, upstream

    def _para(self, node: Node, upstream: Any) -> tuple[list[Left], Any]:
        read = [self.read(child, upstream) for child in node.children]
        branches = [left for left, _ in read]
        if any(branches):
            return [Fork(node, branches)], PENDING
        results = [result for _, result in read]
        if node.rules.gather == "dict":
            names = (child.id for child in node.children)
            return [], dict(zip(names, results, strict=True))
        return [], results

    def _status(self, node: Node) -> str:
        step = self.known(node.path)
        if step is None or step.status is Status.DONE:
            return "done"
        if step.status is Status.RESULT_UNKNOWN:
            return STATUS
        return "failed" if step.status.bad else step.status
