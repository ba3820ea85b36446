"""Ids of steps: free ones, and references that follow when one changes."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping
from functools import partial
from typing import Any

from kimera_tui.errors import UsageError
from kimera_tui.workflows.addresses import lists_of
from kimera_tui.workflows.document import Condition, Document, Step, TaskStep, all_steps

_TEMPLATE = re.compile(r"(?<!\$)\$\{\{(.*?)\}\}", re.DOTALL)
_QUOTED = r"'[^']*'|\"[^\"]*\""
_LONGEST = 40
_ID = re.compile(r"[a-z][a-z0-9_]{0,39}")


def free_id(wanted: str, taken: Container[str]) -> str:
    """An id made of a name, with a number where it is taken: ``add``, ``add_2``."""
    base = wanted
    if not _ID.fullmatch(wanted):
        base = re.sub(r"[^a-z0-9_]+", "_", wanted.lower()[:200]).strip("_")
        base = (base if base[:1].isalpha() else f"step_{base}".rstrip("_"))[:_LONGEST]
    found, number = base, 1
    bare = re.sub(r"_\d+$", "", base)
    while found in taken:
        number += 1
        tail = f"_{number}"
        found = bare[: _LONGEST - len(tail)] + tail
    return found


def check_id(name: str) -> None:
    """Raise a UsageError where a name can't be the id of a step or the name of an input."""
    if not _ID.fullmatch(name):
        raise UsageError(
            f"`{name[:80]}`: small letters, digits and `_`, beginning with a letter; at most 40."
        )


def with_free_ids(step: Step, taken: set[str]) -> Step:
    """The step with ids that nobody has; references among its own steps follow.

    Args:
        step: A step with everything below it.
        taken: The ids of the document; the new ones are put in.
    """
    inside = Document.model_construct(name="", steps=[step])
    new: dict[str, str] = {}
    for each in all_steps(inside):
        new[each.id] = free_id(each.id, taken)
        taken.add(new[each.id])
    changed = {old: other for old, other in new.items() if old != other}
    if not changed:
        return step
    rewrite = partial(_renamed_many, names=changed)
    return _rewritten(step, rewrite, changed)


def with_id(step: Step, old: str, new: str) -> Step:
    """The step under a new id; what it says of the old one follows."""
    names = {old: new}
    return _rewritten(step, partial(_renamed_many, names=names), names)


def steps_below(document: Document, root: str, old: str, new: str, para: str) -> list[Step]:
    """The steps of ``steps`` or ``finally``, with references to a step following its new id.

    Args:
        document: The document.
        root: ``steps`` or ``finally``.
        old: The id that the references name.
        new: The one that they are to name.
        para: Id of the para that gathers the step's result under its id, or an empty string.
    """
    steps = document.finally_ if root == "finally" else document.steps
    rewrite = partial(_renamed_many, names={old: new}, para=para)
    return [_rewritten(step, rewrite, {}) for step in steps]


def input_renamed(document: Document, old: str, new: str) -> Document:
    """The document with references to an input following its new name."""
    rewrite = partial(_renamed, root="inputs", old=old, new=new)
    update: dict[str, object] = {
        "steps": [_rewritten(step, rewrite, {}) for step in document.steps],
        "finally_": [_rewritten(step, rewrite, {}) for step in document.finally_],
    }
    concurrency = document.concurrency
    if concurrency is not None and (key := _in_templates(concurrency.key, rewrite)):
        update["concurrency"] = concurrency.model_copy(update={"key": key})
    return document.model_copy(update=update)


def _rewritten(step: Step, rewrite: Callable[[str], str], ids: Mapping[str, str]) -> Step:
    """The step with its references rewritten and its ids replaced; itself where nothing changes."""
    update: dict[str, Any] = {}
    if step.id in ids:
        update["id"] = ids[step.id]
    if step.when is not None:
        update["when"] = _condition(step.when, rewrite)
    if isinstance(step, TaskStep):
        update |= {"args": _value(step.args, rewrite), "kwargs": _value(step.kwargs, rewrite)}
    for name, children in lists_of(step):
        new = [_rewritten(child, rewrite, ids) for child in children]
        if any(one is not other for one, other in zip(new, children, strict=True)):
            update[name] = new
    changed = {name: value for name, value in update.items() if value is not getattr(step, name)}
    return step.model_copy(update=changed) if changed else step


def _condition(condition: Condition, rewrite: Callable[[str], str]) -> Condition:
    update: dict[str, Any] = {}
    for name in condition.model_fields_set:
        value = getattr(condition, name)
        if name == "ref" and isinstance(value, str):
            update[name] = rewrite(value)
        elif name in ("all", "any") and value is not None:
            update[name] = [_condition(each, rewrite) for each in value]
        elif isinstance(value, Condition):
            update[name] = _condition(value, rewrite)
        else:
            update[name] = _value(value, rewrite)
    same = all(value == getattr(condition, name) for name, value in update.items())
    return condition if same else condition.model_copy(update=update)


def _value(value: Any, rewrite: Callable[[str], str]) -> Any:
    """The value with its templates rewritten; itself where nothing changes."""
    if isinstance(value, str):
        new = _in_templates(value, rewrite)
        return value if new == value else new
    if isinstance(value, dict):
        changed = {key: _value(child, rewrite) for key, child in value.items()}
        same = all(changed[key] is child for key, child in value.items())
        return value if same else changed
    if isinstance(value, list):
        items = [_value(child, rewrite) for child in value]
        same = all(one is other for one, other in zip(items, value, strict=True))
        return value if same else items
    return value


def _in_templates(text: str, rewrite: Callable[[str], str]) -> str:
    if "${{" not in text:
        return text
    return _TEMPLATE.sub(lambda match: f"${{{{{rewrite(match[1])}}}}}", text)


def _renamed_many(expression: str, names: Mapping[str, str], para: str = "") -> str:
    """The look-up with several steps' ids replaced at once; a swap of two stays one."""
    if not any(old in expression for old in names):
        return expression
    any_old = "|".join(sorted(map(re.escape, names), key=len, reverse=True))
    path = re.compile(
        rf"(?P<quoted>{_QUOTED})|(?<![\w.\[])steps(?P<dot>\.(?P<id>{any_old})(?!\w)"
        rf"|\[\s*['\"](?P<key>{any_old})['\"]\s*\])"
    )

    def put(match: re.Match[str]) -> str:
        if match["quoted"] is not None:
            return match[0]
        old = match["id"] or match["key"]
        return "steps" + match["dot"].replace(old, names[old], 1)

    result = path.sub(put, expression)
    if para:
        for old, new in names.items():
            gathered = rf"(?<![\w.\[])steps\.{re.escape(para)}\.result"
            result = re.sub(rf"({gathered}\.){re.escape(old)}(?!\w)", rf"\g<1>{new}", result)
            result = re.sub(
                rf"({gathered}\[\s*['\"]){re.escape(old)}(?=['\"]\s*\])", rf"\g<1>{new}", result
            )
    return result


def _renamed(expression: str, root: str, old: str, new: str) -> str:
    """The look-up with one name below a root replaced."""
    if old not in expression:
        return expression
    name = re.escape(old)
    path = re.compile(rf"({_QUOTED})|((?<![\w.\[]){root}(?:\.|\[\s*['\"])){name}(?!\w)")
    return path.sub(
        lambda match: match[0] if match[1] is not None else f"{match[2]}{new}", expression
    )
