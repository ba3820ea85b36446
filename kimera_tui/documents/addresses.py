"""Addresses of steps in a document, and documents with a list or step replaced."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kimera_tui.documents.document import ChainStep, Document, ParaStep, Step, TaskStep

Address = tuple[str | int, ...]
"""List names and indexes in turn: ``("steps", 0, "para", 1)``; empty for the document itself.
Without its last index it is the address of a list."""

ROOTS = ("steps", "finally")
GROUPS = ("chain", "para")


def list_at(document: Document, where: Address) -> list[Step]:
    """The steps of a list; empty for an ``on_error`` without steps.

    Raises:
        LookupError: there is no such list.
    """
    if len(where) == 1:
        return document.steps if where[0] == "steps" else document.finally_
    return list_of(step_at(document, where[:-1]), str(where[-1]))


def list_of(step: Step, name: str) -> list[Step]:
    """A step's list of that name; raises LookupError if it has none."""
    if name == "on_error":
        return step.handlers
    if name == "chain" and isinstance(step, ChainStep):
        return step.chain
    if name == "para" and isinstance(step, ParaStep):
        return step.para
    raise LookupError(name)


def step_at(document: Document, address: Address) -> Step:
    """The step at an address; raises LookupError if there is none."""
    if not address or len(address) % 2:
        raise LookupError("not the address of a step")
    steps: list[Step] = document.steps if address[0] == "steps" else document.finally_
    for name, index in zip(address[2::2], address[1::2], strict=False):
        steps = list_of(steps[int(index)], str(name))
    return steps[int(address[-1])]


def kind_of(step: Step) -> str:
    """``task``, ``chain`` or ``para``."""
    match step:
        case TaskStep():
            return "task"
        case ChainStep():
            return "chain"
    return "para"


def lists_of(step: Step) -> Iterator[tuple[str, list[Step]]]:
    """The lists below a step with their names: its children, then its handlers."""
    if isinstance(step, ChainStep):
        yield "chain", step.chain
    elif isinstance(step, ParaStep):
        yield "para", step.para
    if step.handlers:
        yield "on_error", step.handlers


def walk(document: Document) -> Iterator[tuple[Address, Step]]:
    """Every step with its address, in the order of the file."""
    for root, steps in (("steps", document.steps), ("finally", document.finally_)):
        yield from _walk((root,), steps)


def _walk(where: Address, steps: Sequence[Step]) -> Iterator[tuple[Address, Step]]:
    # A stack rather than recursion: a yield through forty generators is slow.
    waiting = [((*where, n), step) for n, step in enumerate(steps)][::-1]
    while waiting:
        address, step = waiting.pop()
        yield address, step
        below = [
            ((*address, name, n), child)
            for name, children in lists_of(step)
            for n, child in enumerate(children)
        ]
        waiting += reversed(below)


def with_list(document: Document, where: Address, steps: list[Step]) -> Document:
    """The document with a list of steps replaced; copies only the steps around that list."""
    if len(where) == 1:
        name = "finally_" if where[0] == "finally" else "steps"
        return document.model_copy(update={name: steps})
    owner, name = where[:-1], str(where[-1])
    step = step_at(document, owner)
    value: object = steps
    if name == "on_error" and not steps:
        value = "fail"
    return with_step(document, owner, step.model_copy(update={name: value}))


def with_step(document: Document, address: Address, step: Step) -> Document:
    """The document with the step at an address replaced."""
    where, index = address[:-1], int(address[-1])
    steps = list_at(document, where)
    return with_list(document, where, [*steps[:index], step, *steps[index + 1 :]])


def without_step(document: Document, address: Address) -> tuple[Document, Address]:
    """The document without a step, and the address removed: a group goes with its last step."""
    where, index = address[:-1], int(address[-1])
    steps = list_at(document, where)
    if len(steps) == 1 and where[-1] in GROUPS:
        return without_step(document, where[:-1])
    return with_list(document, where, steps[:index] + steps[index + 1 :]), address


def with_step_before(document: Document, address: Address, step: Step) -> Document:
    """The document with a step inserted at an address."""
    where, index = address[:-1], int(address[-1])
    steps = list_at(document, where)
    return with_list(document, where, [*steps[:index], step, *steps[index:]])


def after_insert(address: Address, inserted: Address) -> Address:
    """The new address of a step after an insertion at ``inserted``."""
    return _shifted(address, inserted, 1, 0)


def after_removal(address: Address, removed: Address) -> Address:
    """The new address of a step after the step at ``removed`` was removed."""
    return _shifted(address, removed, -1, 1)


def _shifted(address: Address, changed: Address, by: int, beyond: int) -> Address:
    at = len(changed) - 1
    if len(address) <= at or address[:at] != changed[:at]:
        return address
    if int(address[at]) < int(changed[at]) + beyond:
        return address
    return (*address[:at], int(address[at]) + by, *address[at + 1 :])
