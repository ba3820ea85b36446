"""Rename steps and inputs: find free ids, and update references."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from kimera_tui.documents.addresses import Address, lists_of, step_at, walk, with_step
from kimera_tui.documents.data_flow import fed_by
from kimera_tui.documents.document import (
    ChainStep,
    Condition,
    Document,
    ParaStep,
    Step,
    TaskStep,
    all_steps,
)
from kimera_tui.errors import UsageError

_TEMPLATE = re.compile(r"(?<!\$)\$\{\{(.*?)\}\}", re.DOTALL)
_QUOTED = r"'[^']*'|\"[^\"]*\""
_PART = re.compile(
    r"(?:\A|\.)\s*(?P<name>\w+)"
    r"|\[\s*(?:(?P<quote>['\"])(?P<key>.*?)(?P=quote)|(?P<index>-?\d{1,9}))\s*\]"
)
"""A name or a key of a path."""
_LONGEST = 40
_ID = re.compile(r"[a-z][a-z0-9_]{0,39}")


def free_id(wanted: str, taken: Container[str]) -> str:
    """An id derived from a name, with a number if it is taken: ``add``, ``add_2``."""
    base = wanted
    if not _ID.fullmatch(wanted):
        base = re.sub(r"[^a-z0-9_]+", "_", wanted.lower()[:200]).strip("_")
        base = (base if base[:1].isalpha() else f"step_{base}".rstrip("_"))[:_LONGEST]
    candidate, number = base, 1
    bare = re.sub(r"_\d+$", "", base)
    while candidate in taken:
        number += 1
        tail = f"_{number}"
        candidate = bare[: _LONGEST - len(tail)] + tail
    return candidate


def check_id(name: str) -> None:
    """Raise a UsageError if a name cannot be the id of a step or the name of an input."""
    if not _ID.fullmatch(name):
        raise UsageError(
            f"`{name[:80]}`: use up to 40 lowercase letters, digits and `_`, starting with a"
            " letter."
        )


def with_free_ids(step: Step, taken: set[str]) -> Step:
    """Give a step and everything below it free ids; references within it follow.

    Args:
        step: The step.
        taken: The ids of the document; receives the new ids.
    """
    inside = Document.model_construct(name="", steps=[step])
    new: dict[str, str] = {}
    for each in all_steps(inside):
        new[each.id] = free_id(each.id, taken)
        taken.add(new[each.id])
    changed = {old: other for old, other in new.items() if old != other}
    if not changed:
        return step
    fresh = _rewritten(step, partial(_renamed_many, names=changed), changed)
    inside = Document.model_construct(name="", steps=[fresh])
    return gathered_renamed(inside, changed).steps[0]


def with_id(step: Step, old: str, new: str) -> Step:
    """Change a step's id; its references to itself follow."""
    names = {old: new}
    return _rewritten(step, partial(_renamed_many, names=names), names)


def step_renamed(document: Document, old: str, new: str) -> Document:
    """Update the references to a renamed step."""
    rewrite = partial(_renamed_many, names={old: new})
    update: dict[str, object] = {
        "steps": [_rewritten(step, rewrite, {}) for step in document.steps],
        "finally_": [_rewritten(step, rewrite, {}) for step in document.finally_],
    }
    return document.model_copy(update=update)


def gathered_renamed(document: Document, names: Mapping[str, str]) -> Document:
    """Update look-ups into para results that are gathered by id.

    Args:
        document: The document, in which the branches already have their new ids.
        names: New ids by old ids.
    """
    steps = {step.id: step for step in all_steps(document)}

    def followed(expression: str, address: Address) -> str:
        parts = _path(expression)
        match [_key(part) for part in parts[:3]]:
            case ["prev", *_]:
                source, begin = fed_by(document, address), 1
                step = step_at(document, source) if source is not None else None
            case ["steps", name, "result"]:
                step, begin = steps.get(str(name)), 3
            case _:
                return expression
        for start, end, new in reversed(list(_renamed_keys(step, parts[begin:], names))):
            expression = expression[:start] + new + expression[end:]
        return expression

    for address, step in walk(document):
        changed = _rewritten_alone(step, partial(followed, address=address))
        if changed is not step:
            document = with_step(document, address, changed)
    return document


def _renamed_keys(
    step: Step | None, parts: Iterable[re.Match[str]], names: Mapping[str, str]
) -> Iterator[tuple[int, int, str]]:
    """Spans of a path into a step's result that name a branch by its old id, with the new id."""
    for part in parts:
        while isinstance(step, ChainStep):
            step = step.chain[-1]
        if not isinstance(step, ParaStep):
            return
        key, children = _key(part), step.para
        if step.gather == "list":
            there = isinstance(key, int) and -len(children) <= key < len(children)
            step = children[int(key)] if there else None
            continue
        new = names.get(str(key), key)
        step = next((child for child in children if child.id == new), None)
        if step is not None and new != key:
            yield (*part.span("name" if part["name"] else "key"), step.id)


def _path(expression: str) -> list[re.Match[str]]:
    """The parts of the path at the start of a look-up, the root first."""
    parts: list[re.Match[str]] = []
    while part := _PART.match(expression, parts[-1].end() if parts else 0):
        parts.append(part)
    return parts


def _key(part: re.Match[str]) -> str | int:
    if part["index"]:
        return int(part["index"])
    return part["name"] or part["key"] or ""


def input_renamed(document: Document, old: str, new: str) -> Document:
    """Update the references to a renamed input."""
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
    """Rewrite a step's references and replace its ids; returns the step itself if unchanged."""
    update: dict[str, Any] = {}
    if step.id in ids:
        update["id"] = ids[step.id]
    for name, children in lists_of(step):
        new = [_rewritten(child, rewrite, ids) for child in children]
        if any(one is not other for one, other in zip(new, children, strict=True)):
            update[name] = new
    own = _rewritten_alone(step, rewrite)
    return own.model_copy(update=update) if update else own


def _rewritten_alone(step: Step, rewrite: Callable[[str], str]) -> Step:
    """Rewrite a step's own references, without those of the steps below it."""
    update: dict[str, Any] = {}
    if step.when is not None:
        update["when"] = _condition(step.when, rewrite)
    if isinstance(step, TaskStep):
        update |= {"args": _value(step.args, rewrite), "kwargs": _value(step.kwargs, rewrite)}
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
    """Rewrite the templates of a value; returns the value itself if unchanged."""
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


def _renamed_many(expression: str, names: Mapping[str, str]) -> str:
    """Replace several step ids in a look-up at once, so two ids can be swapped."""
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

    return path.sub(put, expression)


def _renamed(expression: str, root: str, old: str, new: str) -> str:
    """Replace one name below a root in a look-up."""
    if old not in expression:
        return expression
    name = re.escape(old)
    path = re.compile(rf"({_QUOTED})|((?<![\w.\[]){root}(?:\.|\[\s*['\"])){name}(?!\w)")
    return path.sub(
        lambda match: match[0] if match[1] is not None else f"{match[2]}{new}", expression
    )
