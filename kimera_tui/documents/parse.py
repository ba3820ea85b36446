"""Parse a workflow file into a document, and report all mistakes at once with their lines."""

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
"""Maximum number of problems reported for one file."""


@dataclass(frozen=True, slots=True)
class Read:
    """The document and the problems of a file."""

    document: Document | None
    """None if the format is wrong."""
    problems: list[Problem]
    """All problems, by line."""


def read_document(text: str, name: str, friends: Mapping[str, Friend] | None = None) -> Read:
    """Parse and check a document.

    Args:
        text: The content of the file.
        name: The name of the file in messages.
        friends: The configured friends; None to skip the checks against them.

    Raises:
        Malformed: not a plain YAML document, or another version of the format.
        ConfigError: the text is too long.
    """
    source = parse_yaml(text, name)
    _check_version(source, name)
    if problem := _too_many_steps(source):
        return Read(None, [problem])
    document, errors = validated(source.data)
    problems = _format_problems(errors)
    if document is not None:
        problems += problems_of(document, friends)
    else:
        problems += _other_problems(source, errors, friends)
    return Read(document, _by_line(source, problems))


def _other_problems(
    source: Source, errors: list[FormError], friends: Mapping[str, Friend] | None
) -> list[Problem]:
    """Further problems of a document that does not have the right format."""
    repair = repaired(source.data, errors)
    problems = _format_problems(repair.errors)
    if repair.document is not None:
        checked = problems_of(repair.document, friends)
        problems += [each for each in checked if not repair.explains(each.path)]
    return [replace(each, path=repair.written(each.path)) for each in problems]


def read_checked(path: Path, friends: Mapping[str, Friend] | None = None) -> Document:
    """Read a document without problems.

    Raises:
        ConfigError: it has problems; the message is the first one, the hint has the others.
    """
    read = read_document(read_text(path), str(path), friends)
    return _without_problems(read.document, read.problems, str(path))


def read_formed(text: str, name: str) -> Document:
    """Parse a document that has the right format; it may still have other problems.

    Raises:
        ConfigError: the format is wrong; the message is the first problem, the hint has the others.
    """
    source = parse_yaml(text, name)
    _check_version(source, name)
    if problem := _too_many_steps(source):
        return _without_problems(None, [problem], name)
    document, errors = validated(source.data)
    return _without_problems(document, _by_line(source, _format_problems(errors)), name)


def _without_problems(document: Document | None, problems: list[Problem], name: str) -> Document:
    if problems or document is None:
        lines = [f"{name}, line {each.line}: {each.text}" for each in problems]
        raise ConfigError(lines[0], hint="\n".join(lines[1:]))
    return document


def _check_version(source: Source, name: str) -> None:
    data = source.data
    if not isinstance(data, dict):
        raise Malformed(
            name,
            1,
            f"not a workflow; a workflow starts with `kimera: {VERSION}` and has `name` and"
            " `steps`.",
        )
    version, line = data.get("kimera"), source.line_of(("kimera",))
    if "kimera" not in data:
        raise Malformed(name, line, f"the line `kimera: {VERSION}` is missing.")
    if isinstance(version, bool) or not isinstance(version, int):
        raise Malformed(name, line, f"kimera: must be the number {VERSION}.")
    if version != VERSION:
        raise Malformed(name, line, f"kimera: {version}: this Kimera reads version {VERSION} only.")


def _too_many_steps(source: Source) -> Problem | None:
    """Count the steps before validating them, as each could bring many errors."""
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


def _format_problems(errors: Iterable[FormError]) -> list[Problem]:
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
    """The id of the innermost step on a path, or an empty string."""
    for length in range(len(path), 1, -1):
        if is_step(path[:length]):
            step = at(data, path[:length])
            step_id = step.get("id") if isinstance(step, dict) else None
            return step_id if isinstance(step_id, str) else ""
    return ""
