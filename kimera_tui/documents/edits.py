"""Edits of a document: each takes a document and an address, and returns the new ones.

The document is not validated again as a whole, because thousands of steps must be edited between
two key presses. A valid step in a valid document gives a valid document.
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
    Input,
    ParaStep,
    Step,
    all_steps,
    children_of,
)
from kimera_tui.documents.renaming import (
    check_id,
    free_id,
    gathered_renamed,
    input_renamed,
    step_renamed,
    with_free_ids,
    with_id,
)
from kimera_tui.errors import UsageError

Edit = tuple[Document, Address]
"""The new document, and the address of the step for the cursor."""
Kind = Literal["chain", "para"]


def add_after(document: Document, address: Address, step: Step) -> Edit:
    """Insert a step after another in the same list; for the empty address, after the last one.

    Ids that are taken get a number.

    Raises:
        UsageError: the document would become too large or too deep.
    """
    if not address:
        address = ("steps", len(document.steps) - 1)
    return _inserted(document, (*address[:-1], int(address[-1]) + 1), step)


def add_into(document: Document, address: Address, step: Step, name: str = "") -> Edit:
    """Append a step to a list of another step: its children, or the list called ``name``.

    Args:
        document: The document.
        address: A chain or para; any step for ``on_error``; empty for ``steps`` and ``finally``.
        step: The new step; ids that are taken get a number.
        name: ``on_error``, ``steps`` or ``finally``; empty for the children.

    Raises:
        UsageError: there is no such list, or the document would become too large or too deep.
    """
    if not address:
        where: Address = (name if name in ROOTS else "steps",)
    else:
        where = (*address, name or _kind_of_group(step_at(document, address)))
    return _inserted(document, (*where, len(list_at(document, where))), step)


def replace(document: Document, address: Address, step: Step) -> Edit:
    """Replace a step; if its id changes, references to it follow."""
    old = step_at(document, address)
    if step.id == old.id:
        return with_step(document, address, step), address
    renamed, _ = rename(document, address, step.id)
    # The new step still refers to itself by its old id, so rename within it too.
    return with_step(renamed, address, with_id(step, old.id, step.id)), address


def delete(document: Document, address: Address) -> Edit:
    """Delete a step; a chain or para goes with its last step."""
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
    """Insert a copy of a step after it, under new ids."""
    return add_after(document, address, step_at(document, address))


def move(document: Document, address: Address, by: int) -> Edit:
    """Move a step one place up (-1) or down (1).

    A task moves into a chain or para next to it, and out again at its end; a chain or para swaps
    places with its neighbour. At either end of the document nothing changes.
    """
    where, index = address[:-1], int(address[-1])
    steps = list_at(document, where)
    other = index + by
    if 0 <= other < len(steps):
        neighbour = steps[other]
        into = _group_list(neighbour) if not children_of(steps[index]) else None
        if into is None:
            return _relocated(document, address, (*where, other if by < 0 else other + 1))
        end = len(children_of(neighbour)) if by < 0 else 0
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
    """Move a step to the end of the chain or para before it.

    Raises:
        UsageError: there is no chain or para before it.
    """
    where, index = address[:-1], int(address[-1])
    previous = list_at(document, where)[index - 1] if index else None
    into = _group_list(previous) if previous is not None else None
    if previous is None or into is None:
        raise UsageError("No chain or para right before this step: wrap the one before (w) first.")
    return _relocated(document, address, (*where, index - 1, into, len(children_of(previous))))


def outdent(document: Document, address: Address) -> Edit:
    """Move a step out of its chain, para or error handler, and after it.

    Raises:
        UsageError: it is at the top level.
    """
    where = address[:-1]
    if len(where) == 1:
        raise UsageError("Already at the top level.")
    return _relocated(document, address, (*where[:-2], int(where[-2]) + 1))


def wrap(document: Document, address: Address, kind: Kind) -> Edit:
    """Wrap a step into a new chain or para."""
    step = step_at(document, address)
    group = _group(kind, free_id(kind, _ids(document)), [step])
    _check_depth(address, group)
    _check_size(document, 1)
    return with_step(document, address, group), (*address, kind, 0)


def unwrap(document: Document, address: Address) -> Edit:
    """Replace a chain or para by its steps; for a task, the chain or para around it.

    Raises:
        UsageError: there is no chain or para.
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
    """Turn a chain into a para or back; for a task, the group around it, or all top-level steps."""
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
    """Change a step's id; references to it in templates and conditions follow.

    Raises:
        UsageError: the id is taken or malformed.
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
    """Move a step; ``target`` is counted before the step is removed."""
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
        raise UsageError(f"Steps can be nested at most {MAX_DEPTH} levels deep.")


def _check_size(document: Document, more: int) -> None:
    if len(_ids(document)) + more > MAX_STEPS:
        raise UsageError(f"A workflow can have at most {MAX_STEPS:,} steps.")


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
        raise UsageError("A task cannot contain steps: wrap it (w) first.")
    return "chain" if isinstance(step, ChainStep) else "para"


def _group_around(address: Address, step: Step) -> Address | None:
    """The address of the step itself if it is a group, else of the group around it."""
    if children_of(step):
        return address
    return address[:-2] if len(address) > 2 and address[-2] in GROUPS else None


def set_input(document: Document, name: str, spec: Input, old: str = "") -> Document:
    """Add an input, or replace ``old``; if its name changes, references follow.

    Raises:
        UsageError: the name is taken or malformed.
    """
    if name != old and name in document.inputs:
        raise UsageError(f"Another input is called `{name}`.")
    check_id(name)
    if not old:
        return document.model_copy(update={"inputs": {**document.inputs, name: spec}})
    inputs = {
        (name if key == old else key): (spec if key == old else value)
        for key, value in document.inputs.items()
    }
    changed = document.model_copy(update={"inputs": inputs})
    return changed if name == old else input_renamed(changed, old, name)


def move_input(document: Document, name: str, by: int) -> Document:
    """Move an input one place up (-1) or down (1); at the ends nothing changes."""
    names = list(document.inputs)
    place = names.index(name)
    if not 0 <= place + by < len(names):
        return document
    names.insert(place + by, names.pop(place))
    return document.model_copy(update={"inputs": {each: document.inputs[each] for each in names}})


def delete_input(document: Document, name: str) -> Document:
    """Delete an input; references to it become problems."""
    left = {key: value for key, value in document.inputs.items() if key != name}
    return document.model_copy(update={"inputs": left})


def with_header(document: Document, header: Document) -> Document:
    """Take over everything from another document except its inputs and steps."""
    names = header.model_fields_set | document.model_fields_set
    names -= {"inputs", "steps", "finally_"}
    return document.model_copy(update={name: getattr(header, name) for name in names})
