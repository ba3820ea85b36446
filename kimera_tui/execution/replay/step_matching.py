"""Match the steps of a past run with another plan: same call, same upstream steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kimera_tui.documents.conditions import references_of
from kimera_tui.documents.document import Condition
from kimera_tui.documents.references import Reference, references_in
from kimera_tui.documents.save import equal
from kimera_tui.runs.index import RunState
from kimera_tui.runs.plan import Node
from kimera_tui.runs.step import StepState


def matching_steps(run: RunState, plan: Node) -> dict[str, StepState]:
    """The past states of the steps of a plan, by their paths in the plan.

    Steps match by id if they make the same call under the same conditions, and if their upstream
    results and look-ups come from the same steps. The values of those results are not compared.
    """
    past = {place.node.id: place for place in _places(run.plan) if place.node.id}
    old_sources, new_sources = _sources(run.plan), _sources(plan)
    changed = {
        name
        for name in new_sources.keys() & old_sources.keys()
        if new_sources[name] != old_sources[name]
    }
    matches = {}
    for place in _places(plan):
        old = past.get(place.node.id)
        if old is None or place.looks_up(changed):
            continue
        if equal(_signature(old), _signature(place)):
            matches[place.node.path] = run.steps[old.node.path]
    return matches


def argument_references(node: Node) -> list[Reference]:
    """What the arguments of a task look up."""
    if node.task is None or not node.rules.templated:
        return []
    return list(references_in([list(node.task.args), dict(node.task.kwargs)]))


def condition_references(node: Node) -> list[Reference]:
    """What the condition of a part looks up."""
    if node.rules.when is None:
        return []
    return list(references_of(Condition.model_validate(node.rules.when)))


def takes_result(node: Node) -> bool:
    """Whether a task uses its upstream result."""
    return node.rules.passing != "none" or _takes_prev(argument_references(node))


def _takes_prev(references: Sequence[Reference]) -> bool:
    return any(each.root == "prev" for each in references)


@dataclass(frozen=True, slots=True)
class _Place:
    """A task and its context."""

    node: Node
    source: Any
    """The source of its upstream result."""
    under: Sequence[tuple[Node, Any]]
    """The conditional parts around it, including itself, each with its own upstream source."""

    def looks_up(self, ids: set[str]) -> bool:
        """Whether it, or a condition it depends on, looks up one of these steps."""
        references = argument_references(self.node)
        for part, _ in self.under:
            references += condition_references(part)
        return any(each.root == "steps" and {*each.path[:1]} & ids for each in references)


def _places(node: Node, source: Any = None, under: Sequence[Any] = ()) -> Iterator[_Place]:
    """Every task except those in error handlers and ``finally``, which always rerun."""
    if node.rules.when is not None:
        under = [*under, (node, source)]
    if node.task is not None:
        yield _Place(node, source, under)
    for child in node.children:
        yield from _places(child, source, under)
        if node.kind == "chain":
            source = _source(child)


def _signature(place: _Place) -> list[Any]:
    """Everything that determines a task's result, except the results of other steps."""
    node, task = place.node, place.node.task
    if task is None:
        return []
    conditions = [
        [part.rules.when, source if _takes_prev(condition_references(part)) else None]
        for part, source in place.under
    ]
    return [
        [task.friend, task.task_name, list(task.args), dict(task.kwargs)],
        [node.rules.passing, place.source if takes_result(node) else None],
        conditions,
    ]


def _sources(plan: Node) -> dict[str, Any]:
    return {node.id: _source(node) for _, node in plan.walk() if node.id}


def _source(node: Node) -> Any:
    """Where a result comes from: ids of tasks, and how a para gathers theirs."""
    match node.kind:
        case "task":
            return node.id
        case "chain":
            return _source(node.children[-1]) if node.children else None
    named = node.rules.gather == "dict"
    return [[child.id if named else "", _source(child)] for child in node.children]
