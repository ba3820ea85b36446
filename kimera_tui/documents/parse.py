"""From a workflow file to its document; all mistakes are found at once, each with its line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kimera_tui.config.friends import Friend
from kimera_tui.config.validation_errors import at
from kimera_tui.documents.checks import Problem, problems_of, too_many
from kimera_tui.documents.document import MAX_STEPS, STEP_LISTS, Document
from kimera_tui.documents.repair import repaired
from kimera_tui.documents.schema_errors import FormError, is_step, validated
from kimera_tui.errors import ConfigError
from kimera_tui.yaml.reading import Key, Malformed, Source, parse_yaml, read_text

VERSION = 1
_MOST = 200
"""Problems that are told of one file."""


@dataclass(frozen=True, slots=True)
class Read:
    """What a file holds."""

    document: Document | None
    """None where it can't be made one."""
    problems: list[Problem]
    """All that is wrong with it, by line."""


def read_document(text: str, name: str, friends: Mapping[str, Friend] | None = None) -> Read:
    """The document in a text, and everything that is wrong with it.

    Args:
        text: What the file holds.
        name: What messages call it.
        friends: The configured friends; None leaves out what is checked against them.

    Raises:
        Malformed: it isn't one plain YAML document, or of another version of the format.
        ConfigError: it is too long.
    """
    source = parse_yaml(text, name)
    _check_version(source, name)
    if problem := _too_many_steps(source):
        return Read(None, [problem])
    document, errors = validated(source.data)
    found = _of_form(errors)
    if document is not None:
        found += problems_of(document, friends)
    else:
        found += _of_the_rest(source, errors, friends)
    return Read(document, _by_line(source, found))


def _of_the_rest(
    source: Source, errors: list[FormError], friends: Mapping[str, Friend] | None
) -> list[Problem]:
    """What else is wrong with a document whose form is."""
    repair = repaired(source.data, errors)
    found = _of_form(repair.errors)
    if repair.document is not None:
        checked = problems_of(repair.document, friends)
        found += [each for each in checked if not repair.explains(each.path)]
    return [replace(each, path=repair.written(each.path)) for each in found]


def read_checked(path: Path, friends: Mapping[str, Friend] | None = None) -> Document:
    """The document of a file in which nothing is wrong.

    Raises:
        ConfigError: something is; the message is the first problem, the hint has the others.
    """
    read = read_document(read_text(path), str(path), friends)
    return _right(read.document, read.problems, str(path))


def read_formed(text: str, name: str) -> Document:
    """The document in a text that has the format's form; what it says may still be wrong.

    Raises:
        ConfigError: it has not; the message is the first problem, the hint has the others.
    """
    source = parse_yaml(text, name)
    _check_version(source, name)
    if problem := _too_many_steps(source):
        return _right(None, [problem], name)
    document, errors = validated(source.data)
    return _right(document, _by_line(source, _of_form(errors)), name)


def _right(document: Document | None, problems: list[Problem], name: str) -> Document:
    if problems or document is None:
        lines = [f"{name}, line {each.line}: {each.told}" for each in problems]
        raise ConfigError(lines[0], hint="\n".join(lines[1:]))
    return document


def _check_version(source: Source, name: str) -> None:
    data = source.data
    if not isinstance(data, dict):
        raise Malformed(
            name,
            1,
            f"no workflow; one begins with `kimera: {VERSION}` and has `name` and `steps`.",
        )
    version, line = data.get("kimera"), source.line_of(("kimera",))
    if "kimera" not in data:
        raise Malformed(name, line, f"the line `kimera: {VERSION}` is missing.")
    if isinstance(version, bool) or not isinstance(version, int):
        raise Malformed(name, line, f"kimera: must be the number {VERSION}.")
    if version != VERSION:
        raise Malformed(name, line, f"kimera: {version}: this Kimera reads version {VERSION} only.")


def _too_many_steps(source: Source) -> Problem | None:
    """Counted before anything is made of them: each could be wrong in ways of its own."""
    waiting, count = [source.data], 0
    while waiting:
        step = waiting.pop()
        for name in STEP_LISTS:
            if isinstance(steps := step.get(name), list):
                count += len(steps)
                waiting += [each for each in steps if isinstance(each, dict)]
    if count <= MAX_STEPS:
        return None
    path: Key = ("steps",)
    return Problem(too_many(count), path=path, line=source.line_of(path))


def _of_form(errors: Iterable[FormError]) -> list[Problem]:
    return [Problem(each.sentence, path=each.path) for each in errors]


def _by_line(source: Source, problems: Iterable[Problem]) -> list[Problem]:
    """The first problems, with their steps and lines in the file."""
    placed = [
        replace(each, step=_step_of(source.data, each.path), line=source.line_of(each.path))
        for each in problems
    ]
    placed.sort(key=lambda each: each.line)
    return placed[:_MOST]


def _step_of(data: Any, path: Key) -> str:
    """The id of the step that a path leads into, or an empty string."""
    for length in range(len(path), 1, -1):
        if is_step(path[:length]):
            step = at(data, path[:length])
            known = step.get("id") if isinstance(step, dict) else None
            return known if isinstance(known, str) else ""
    return ""
