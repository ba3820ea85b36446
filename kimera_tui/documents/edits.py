"""Edits of a document: each takes one and a place in it, and gives another and where to stand.

Nothing is validated again as a whole: a document of thousands of steps is edited between two
keys. What an edit is given must be valid by itself; then what it makes is too.
"""

from __future__ import annotations

from typing import Literal

from kimera_tui.documents.addresses import (
    GROUPS,
    ROOTS,
    Address,
    after_insert,
    after_removal,
    list_at,
    step_at,
    walk,
    with_list,
    with_step,
    with_step_before,
    without_step,
)
from kimera_tui.documents.document import (
    MAX_DEPTH,
    MAX_STEPS,
    ChainStep,
    Document,
    ParaStep,
    Step,
    all_steps,
    children_of,
)
from kimera_tui.documents.renaming import (
    check_id,
    free_id,
    gathered_renamed,
    step_renamed,
    with_free_ids,
    with_id,
)
from kimera_tui.errors import UsageError

Edit = tuple[Document, Address]
"""The new document, and the address of the step that the cursor belongs on."""
Kind = Literal["chain", "para"]


def add_after(document: Document, address: Address, step: Step) -> Edit:
    """With a step behind another, in the same list; behind the last one for the empty address.

    Its id, and the ids below it, get a number where they are taken.

    Raises:
        UsageError: the document would get too large or too deep.
    """
    if not address:
        address = ("steps", len(document.steps) - 1)
    return _inserted(document, (*address[:-1], int(address[-1]) + 1), step)


def add_into(document: Document, address: Address, step: Step, name: str = "") -> Edit:
    """With a step at the end of a list below another: its children, or what ``name`` says.

    Args:
        document: The document.
        address: A chain's or para's; or the empty address, with ``finally`` or ``steps``.
        step: What is put in; taken ids get a number.
        name: ``on_error`` for any step; ``finally`` or ``steps`` for the empty address.

    Raises:
        UsageError: there is no such list, or the document would get too large or too deep.
    """
    if not address:
        where: Address = (name if name in ROOTS else "steps",)
    else:
        where = (*address, name or _kind_of_group(step_at(document, address)))
    return _inserted(document, (*where, len(list_at(document, where))), step)


def replace(document: Document, address: Address, step: Step) -> Edit:
    """With another step in place of one; references to its id follow when that changes."""
    old = step_at(document, address)
    if step.id == old.id:
        return with_step(document, address, step), address
    renamed, _ = rename(document, address, step.id)
    # The form was filled before: what it says of itself is renamed as the document is.
    return with_step(renamed, address, with_id(step, old.id, step.id)), address


def delete(document: Document, address: Address) -> Edit:
    """Without a step; the last one of a chain or para takes that with it."""
    shorter, removed = without_step(document, address)
    where, index = removed[:-1], int(removed[-1])
    left = len(list_at(shorter, where))
    if left:
        return shorter, (*where, min(index, left - 1))
    return shorter, where[:-1] if len(where) > 1 else _somewhere(shorter)


def _somewhere(document: Document) -> Address:
    if document.steps:
        return ("steps", len(document.steps) - 1)
    return ("finally", 0) if document.finally_ else ()


def duplicate(document: Document, address: Address) -> Edit:
    """With the same step once more behind it, under ids of its own."""
    return add_after(document, address, step_at(document, address))


def move(document: Document, address: Address, by: int) -> Edit:
    """With a step one place up (-1) or down (1).

    A task goes into a chain or para that it meets, and out at its end; a chain or para changes
    places with what it meets. At the ends of the document nothing changes.
    """
    where, index = address[:-1], int(address[-1])
    steps = list_at(document, where)
    other = index + by
    if 0 <= other < len(steps):
        met = steps[other]
        into = _group_list(met) if not children_of(steps[index]) else None
        if into is None:
            return _relocated(document, address, (*where, other if by < 0 else other + 1))
        end = len(children_of(met)) if by < 0 else 0
        return _relocated(document, address, (*where, other, into, end))
    if len(where) > 1 and where[-1] in GROUPS:
        out = int(where[-2]) + (0 if by < 0 else 1)
        return _relocated(document, address, (*where[:-2], out))
    if where == ("steps",) and by > 0 and document.finally_:
        return _relocated(document, address, ("finally", 0))
    if where == ("finally",) and by < 0:
        return _relocated(document, address, ("steps", len(document.steps)))
    return document, address


def indent(document: Document, address: Address) -> Edit:
    """With a step at the end of the chain or para before it.

    Raises:
        UsageError: what stands before it is none.
    """
    where, index = address[:-1], int(address[-1])
    before = list_at(document, where)[index - 1] if index else None
    into = _group_list(before) if before is not None else None
    if before is None or into is None:
        raise UsageError("No chain or para right before it: wrap the step before (w) first.")
    return _relocated(document, address, (*where, index - 1, into, len(children_of(before))))


def outdent(document: Document, address: Address) -> Edit:
    """With a step behind the chain or para that it was in, or behind whose handler it was.

    Raises:
        UsageError: it stands at the top.
    """
    where = address[:-1]
    if len(where) == 1:
        raise UsageError("It stands at the top already.")
    return _relocated(document, address, (*where[:-2], int(where[-2]) + 1))


def wrap(document: Document, address: Address, kind: Kind) -> Edit:
    """With a chain or para around a step."""
    step = step_at(document, address)
    group = _group(kind, free_id(kind, _ids(document)), [step])
    _check_depth(address, group)
    _check_size(document, 1)
    return with_step(document, address, group), (*address, kind, 0)


def unwrap(document: Document, address: Address) -> Edit:
    """With the steps of a chain or para in its place; a task's own chain or para is meant.

    Raises:
        UsageError: the step is in none.
    """
    group_at = _group_around(address, step_at(document, address))
    if group_at is None:
        raise UsageError("Not in a chain or para: there is nothing to unwrap.")
    children = children_of(step_at(document, group_at))
    where, index = group_at[:-1], int(group_at[-1])
    steps = list_at(document, where)
    inner = int(address[-1]) if len(address) > len(group_at) else 0
    flat = with_list(document, where, [*steps[:index], *children, *steps[index + 1 :]])
    return flat, (*where, index + inner)


def turn(document: Document, address: Address) -> Edit:
    """With a chain as a para, or back; a task's own one is meant, at the top all steps are."""
    group_at = _group_around(address, step_at(document, address))
    if group_at is None:
        return _turn_top(document, address)
    step = step_at(document, group_at)
    turned = _turned(step)
    rest: Address = ()
    if len(address) > len(group_at):
        rest = (_kind_of_group(turned), *address[len(group_at) + 1 :])
    return with_step(document, group_at, turned), (*group_at, *rest)


def _turn_top(document: Document, address: Address) -> Edit:
    where = address[:-1]
    steps = list_at(document, where)
    para = _group("para", free_id("para", _ids(document)), steps)
    _check_depth((*where, 0), para)
    _check_size(document, 1)
    return with_list(document, where, [para]), (*where, 0, "para", *address[len(where) :])


def rename(document: Document, address: Address, new: str) -> Edit:
    """With another id for a step; references to it in templates and conditions follow.

    Raises:
        UsageError: the id is taken or not one.
    """
    step = step_at(document, address)
    if new == step.id:
        return document, address
    if new in _ids(document):
        raise UsageError(f"Another step has the id `{new}`.")
    check_id(new)
    own = step.model_copy(update={"id": new})
    renamed = step_renamed(with_step(document, address, own), step.id, new)
    return gathered_renamed(renamed, {step.id: new}), address


# What the edits share


def _inserted(document: Document, target: Address, step: Step) -> Edit:
    taken = _ids(document)
    fresh = with_free_ids(step, taken)
    _check_depth(target, fresh)
    _check_size(document, len(_below(fresh)))
    return with_step_before(document, target, fresh), target


def _relocated(document: Document, source: Address, target: Address) -> Edit:
    """With the step of one place in another, which is counted before it was taken out."""
    step = step_at(document, source)
    _check_depth(target, step)
    both = with_step_before(document, target, step)
    result, removed = without_step(both, after_insert(source, target))
    return result, after_removal(target, removed)


def _ids(document: Document) -> set[str]:
    return {step.id for step in all_steps(document)}


def _below(step: Step) -> list[tuple[Address, Step]]:
    return list(walk(Document.model_construct(name="", steps=[step])))


def _check_depth(target: Address, step: Step) -> None:
    depth = max(len(address) // 2 for address, _ in _below(step))
    if len(target) // 2 - 1 + depth > MAX_DEPTH:
        raise UsageError(f"Steps are nested at most {MAX_DEPTH} deep.")


def _check_size(document: Document, more: int) -> None:
    if len(_ids(document)) + more > MAX_STEPS:
        raise UsageError(f"A workflow has at most {MAX_STEPS:,} steps.")


def _group(kind: Kind, step_id: str, steps: list[Step]) -> Step:
    if kind == "chain":
        return ChainStep.model_construct({"id", "chain"}, id=step_id, chain=steps)
    return ParaStep.model_construct({"id", "para"}, id=step_id, para=steps)


def _turned(step: Step) -> Step:
    kept = {
        name: getattr(step, name)
        for name in step.model_fields_set & {"id", "notes", "when", "on_error"}
    }
    if isinstance(step, ChainStep):
        return ParaStep.model_construct({*kept, "para"}, **kept, para=step.chain)
    children = children_of(step)
    return ChainStep.model_construct({*kept, "chain"}, **kept, chain=children)


def _group_list(step: Step) -> str | None:
    return _kind_of_group(step) if children_of(step) else None


def _kind_of_group(step: Step) -> str:
    if not children_of(step):
        raise UsageError("A task has no steps of its own: wrap it (w) first.")
    return "chain" if isinstance(step, ChainStep) else "para"


def _group_around(address: Address, step: Step) -> Address | None:
    """The address of the group that is meant: the step itself, or the one that it is in."""
    if children_of(step):
        return address
    return address[:-2] if len(address) > 2 and address[-2] in GROUPS else None
