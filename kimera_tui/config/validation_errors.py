"""Why pydantic refuses a file, in sentences that name file, line and key."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

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
"""What is wrong, by pydantic's names of errors, where no more has to be known."""


def refusal(
    path: Path,
    source: Source,
    error: ValidationError,
    keys_at: Callable[[Key], Iterable[str]],
    own: Mapping[str, str],
) -> ConfigError:
    """The error to raise: its message is the first sentence, its hint has the others.

    Args:
        path: The file.
        source: What was read from it.
        error: What pydantic says.
        keys_at: The keys that would have been right where an unknown one stands.
        own: The file's own words for some kinds of errors.
    """

    def sentence(problem: ErrorDetails) -> str:
        where: Key = tuple(part for part in problem["loc"] if part != "[key]")
        dotted = ".".join(str(part) for part in where) or "the file"
        said = _said(problem, where, keys_at, own)
        return f"{path}, line {source.line_of(where)}: {dotted}: {said}"

    first, *others = map(sentence, error.errors())
    return ConfigError(first, hint="\n".join(others))


def _said(
    problem: ErrorDetails,
    where: Key,
    keys_at: Callable[[Key], Iterable[str]],
    own: Mapping[str, str],
) -> str:
    kind, context = problem["type"], problem.get("ctx", {})
    if kind == "extra_forbidden":
        return f"unknown key '{where[-1]}'.{near(str(where[-1]), keys_at(where))}"
    if kind == "literal_error":
        return f"must be one of {context['expected'].replace(' or ', ', ')}."
    if kind == "value_error":
        return f"{context['error']}."
    return f"{own.get(kind) or SENTENCES.get(kind) or problem['msg']}."
