"""Evaluate conditions, and put them into words."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kimera_tui.depth import DEEPEST
from kimera_tui.documents.document import OPERATORS, Condition
from kimera_tui.documents.references import (
    Missing,
    Reference,
    TemplateError,
    look_up,
    not_written,
    parse_reference,
)
from kimera_tui.documents.template_filters import Incomplete, TooDeep
from kimera_tui.values.placeholders import NotKept

_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
_WORDS = {
    "eq": "is",
    "ne": "is not",
    "gt": "is over",
    "ge": "is at least",
    "lt": "is under",
    "le": "is at most",
    "in_": "is one of",
}


def holds(condition: Condition, scope: Mapping[str, Any]) -> bool:
    """Whether a condition holds.

    Args:
        condition: The condition.
        scope: What can be looked up, by root.

    Raises:
        TemplateError: what it looks up does not exist, was not saved, or cannot be compared.
    """
    if condition.all is not None:
        return all(holds(each, scope) for each in condition.all)
    if condition.any is not None:
        return any(holds(each, scope) for each in condition.any)
    if condition.not_ is not None:
        return not holds(condition.not_, scope)
    name, wanted = _operator(condition)
    reference = parse_reference(condition.ref or "")
    try:
        value = look_up(reference, scope)
    except Missing:
        if name == "exists":
            return not wanted
        if condition.missing == "error":
            raise
        return condition.missing == "true"
    if name == "exists":
        return bool(wanted)
    try:
        return _compared(reference, name, value, wanted)
    except Incomplete as error:
        raise not_written(reference, error.why) from None
    except TooDeep:
        raise TemplateError(f"`{reference}`: nested too deeply.") from None


def references_of(condition: Condition) -> Iterator[Reference]:
    """Everything that a condition looks up; raises TemplateError for a malformed ``ref``."""
    if condition.ref is not None:
        yield parse_reference(condition.ref)
    for each in [*(condition.all or ()), *(condition.any or ())]:
        yield from references_of(each)
    if condition.not_ is not None:
        yield from references_of(condition.not_)


def say(condition: Condition) -> str:
    """The condition in words, such as ``steps.load.result.rows is over 0``."""
    if condition.all is not None:
        return " and ".join(map(_part, condition.all))
    if condition.any is not None:
        return " or ".join(map(_part, condition.any))
    if condition.not_ is not None:
        return f"not {_part(condition.not_)}"
    name, wanted = _operator(condition)
    if name == "exists":
        return f"{condition.ref} {'exists' if wanted else 'does not exist'}"
    return f"{condition.ref} {_WORDS[name]} {json.dumps(wanted, ensure_ascii=False, default=str)}"


def _part(condition: Condition) -> str:
    joined = condition.all is not None or condition.any is not None
    return f"({say(condition)})" if joined else say(condition)


def _operator(condition: Condition) -> tuple[str, Any]:
    name = next(each for each in OPERATORS if each in condition.model_fields_set)
    return name, getattr(condition, name)


def _compared(reference: Reference, name: str, value: Any, wanted: Any) -> bool:
    match name:
        case "eq":
            return same(value, wanted)
        case "ne":
            return not same(value, wanted)
        case "in_":
            return any(same(value, each) for each in wanted)
    for each in (value, wanted):
        if isinstance(each, NotKept):
            raise Incomplete(each)
    numbers = _is_number(value) and _is_number(wanted)
    if not numbers and not (isinstance(value, str) and isinstance(wanted, str)):
        raise TemplateError(
            f"`{reference}` is {_kind(value)}, which can't be compared with {_kind(wanted)}."
        )
    return _ORDER[name](value, wanted)


def same(one: Any, other: Any, depth: int = DEEPEST) -> bool:
    """Equality as in JSON: true is not 1. Visits no more values than the smaller one has.

    Raises:
        Incomplete: the result depends on a value that was not saved.
        TooDeep: the result depends on a value deeper than ``depth`` levels.
    """
    if depth == 0:
        raise TooDeep
    for value in (one, other):
        if isinstance(value, NotKept):
            raise Incomplete(value)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(
            same(*each, depth - 1) for each in zip(one, other, strict=True)
        )
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(
            same(one[key], other[key], depth - 1) for key in one
        )
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _kind(value: Any) -> str:
    names = {dict: "a mapping", list: "a list", str: "a string", bool: "a boolean"}
    if value is None:
        return "null"
    return names.get(type(value), "a number" if _is_number(value) else type(value).__name__)
