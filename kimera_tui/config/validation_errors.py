"""Pydantic's errors as sentences that name file, line and key."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from kimera_tui.errors import ConfigError, near
from kimera_tui.yaml.reading import Key, Source

SENTENCES: Mapping[str, str] = {
    "missing": "is required",
    "string_type": "must be text; quote it",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be an integer",
    "int_parsing": "must be an integer",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "list_type": "must be a list",
    "dict_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
    "model_attributes_type": "must be a mapping of keys to values",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
    "finite_number": "must be a number that can be sent",
}
"""Sentences by pydantic's names of errors."""
_BOUNDS: Mapping[str, str] = {
    "greater_than": "must be greater than",
    "greater_than_equal": "must be at least",
    "less_than_equal": "must be at most",
    "string_too_long": "too long; the maximum number of characters is",
}
NONE: Mapping[str, str] = MappingProxyType({})


def problems_in(
    data: Any,
    error: ValidationError,
    keys_at: Callable[[Key], Iterable[str]],
    own: Mapping[str, str] = NONE,
) -> list[tuple[Key, str]]:
    """The first problem at each place.

    Args:
        data: The data that was validated.
        error: Pydantic's error.
        keys_at: The known keys in the place of an unknown one.
        own: Sentences of this kind of file, by pydantic's names of errors.
    """
    found: dict[Key, str] = {}
    for each in error.errors(include_url=False, include_input=False):
        place = place_of(data, each["loc"], each["type"])
        found.setdefault(place, sentence_of(each, place, at(data, place), keys_at(place), own))
    return list(found.items())


def refusal(path: Path, source: Source, problems: Iterable[tuple[Key, str]]) -> ConfigError:
    """The error to raise: its message is the first problem, its hint has the others."""
    first, *others = (
        f"{path}, line {source.line_of(place)}: {'.'.join(map(str, place)) or 'the file'}: {text}"
        for place, text in problems
    )
    return ConfigError(first, hint="\n".join(others))


def sentence_of(
    error: ErrorDetails,
    place: Key,
    value: Any,
    known: Iterable[str] = (),
    own: Mapping[str, str] = NONE,
) -> str:
    """The sentence that follows the place of an error.

    Args:
        error: Pydantic's error.
        place: Where it is.
        value: The value there.
        known: The known keys, where this one is unknown.
        own: Sentences of this kind of file, by pydantic's names of errors.
    """
    kind, context = error["type"], error.get("ctx", {})
    last = str(place[-1])[:80] if place else ""
    if kind == "extra_forbidden":
        return f"unknown key '{last}'.{near(last, known)}"
    if kind == "literal_error":
        return _one_of(value, context["expected"])
    if last in ("min", "max") and error["loc"][-1:] != place[-1:]:  # one of several types
        return "must be a number, or a date, time or duration as text."
    if kind in _BOUNDS:
        return f"{_BOUNDS[kind]} {next(iter(context.values()))}."
    if text := own.get(kind) or SENTENCES.get(kind):
        return f"{text}."
    text = error["msg"].removeprefix("Value error, ").removesuffix(".")
    return f"{text[:1].lower()}{text[1:]}."


def place_of(
    data: Any, loc: Sequence[str | int], kind: str, is_tag: Callable[[Key], bool] = lambda _: False
) -> Key:
    """The place of an error in the data, without the levels that only pydantic knows.

    Args:
        data: The data that was validated.
        loc: The place as pydantic gives it.
        kind: Pydantic's name of the error.
        is_tag: Whether pydantic puts the name of a type below a place.
    """
    place: Key = ()
    tagged = False
    for position, part in enumerate(loc):
        if not tagged and is_tag(place):
            tagged = True
            continue
        if _has(data, part):
            place, data, tagged = (*place, part), data[part], False
        elif kind == "missing" and position == len(loc) - 1:
            place = (*place, part)
    return place


def at(data: Any, path: Key) -> Any:
    """The value at a place; None where there is none."""
    for part in path:
        try:
            data = data[part]
        except (LookupError, TypeError):
            return None
    return data


def _has(value: Any, part: str | int) -> bool:
    if isinstance(value, dict):
        return part in value
    return isinstance(value, list) and isinstance(part, int) and part < len(value)


def _one_of(value: Any, expected: str) -> str:
    choices = expected.replace(" or ", ", ").replace("'", "")
    nearest = near(value[:80], choices.split(", ")) if isinstance(value, str) else ""
    return f"must be one of {choices}.{nearest}"
