"""Steps of a past run in another plan: those that say the same and get the same."""

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
from kimera_tui.runs.state import StepState


def found_again(run: RunState, plan: Node) -> dict[str, StepState]:
    """How the steps of a plan ended in a past run, by their paths in the plan.

    A step is found by its id if it is the same call under the same conditions, and if what comes
    in and what it looks up are results of the same steps. Whether these gave the same is not
    looked at.
    """
    was = {place.node.id: place for place in _places(run.plan) if place.node.id}
    made_before, made = _makings(run.plan), _makings(plan)
    made_otherwise = {
        name for name in made.keys() & made_before.keys() if made[name] != made_before[name]
    }
    found = {}
    for place in _places(plan):
        old = was.get(place.node.id)
        if old is None or not equal(_said(old), _said(place)) or place.looks_up(made_otherwise):
            continue
        found[place.node.path] = run.steps[old.node.path]
    return found


def looked_up(node: Node) -> list[Reference]:
    """What the arguments of a task look up."""
    if node.task is None or not node.rules.templated:
        return []
    return list(references_in([list(node.task.args), dict(node.task.kwargs)]))


def looked_at(node: Node) -> list[Reference]:
    """What the condition of a part looks up."""
    if node.rules.when is None:
        return []
    return list(references_of(Condition.model_validate(node.rules.when)))


def takes_result(node: Node) -> bool:
    """Whether the result before a task comes into it."""
    return node.rules.passing != "none" or _takes_prev(looked_up(node))


def _takes_prev(references: Sequence[Reference]) -> bool:
    return any(each.root == "prev" for each in references)


@dataclass(frozen=True, slots=True)
class _Place:
    """A task, and what holds where it stands."""

    node: Node
    source: Any
    """What the result that comes in is made of."""
    under: Sequence[tuple[Node, Any]]
    """The parts with a condition that it is in, itself too, each with what comes in there."""

    def looks_up(self, ids: set[str]) -> bool:
        """Whether it, or a condition that it stands under, looks up one of these steps."""
        references = looked_up(self.node)
        for part, _ in self.under:
            references += looked_at(part)
        return any(each.root == "steps" and {*each.path[:1]} & ids for each in references)


def _places(node: Node, source: Any = None, under: Sequence[Any] = ()) -> Iterator[_Place]:
    """Every task but those for errors and for the end, which always run anew."""
    if node.rules.when is not None:
        under = [*under, (node, source)]
    if node.task is not None:
        yield _Place(node, source, under)
    for child in node.children:
        yield from _places(child, source, under)
        if node.kind == "chain":
            source = _making(child)


def _said(place: _Place) -> list[Any]:
    """All of a task that its result comes from, but for the results of others."""
    node, task = place.node, place.node.task
    if task is None:
        return []
    conditions = [
        [part.rules.when, source if _takes_prev(looked_at(part)) else None]
        for part, source in place.under
    ]
    return [
        [task.friend, task.task_name, list(task.args), dict(task.kwargs)],
        [node.rules.passing, place.source if takes_result(node) else None],
        conditions,
    ]


def _makings(plan: Node) -> dict[str, Any]:
    return {node.id: _making(node) for _, node in plan.walk() if node.id}


def _making(node: Node) -> Any:
    """What a result is made of: ids of tasks, and how a para gathers theirs."""
    match node.kind:
        case "task":
            return node.id
        case "chain":
            return _making(node.children[-1]) if node.children else None
    named = node.rules.gather == "dict"
    return [[child.id if named else "", _making(child)] for child in node.children]
