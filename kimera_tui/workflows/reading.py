"""From a workflow file to its document; all mistakes are found at once, each with its line."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from kimera_tui.config.friends import Friend, near
from kimera_tui.config.yaml_source import Key, Source
from kimera_tui.errors import ConfigError
from kimera_tui.workflows.checks import Problem, problems_of
from kimera_tui.workflows.document import (
    KINDS,
    ChainStep,
    Concurrency,
    Condition,
    Defaults,
    Document,
    Input,
    ParaStep,
    Retry,
    TaskStep,
)
from kimera_tui.workflows.yaml_reading import MAX_BYTES, parse_yaml

VERSION = 1
STEP_LISTS = ("steps", "finally", "chain", "para", "on_error")
_ROUNDS = 3
_MOST = 200
"""Problems that are told of one file."""


@dataclass(frozen=True, slots=True)
class Read:
    """What a file holds."""

    document: Document | None
    """None where it can't be made one."""
    problems: list[Problem]
    """All that is wrong with it, by line."""


def read_text(path: Path) -> str:
    """A file's text; ConfigError where it can't be read, is too large, or is not UTF-8."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}).") from error
    if len(raw) > MAX_BYTES:
        raise ConfigError(f"{path}: larger than {MAX_BYTES} bytes.")
    try:
        return raw.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 at byte {error.start}.") from None


def read_document(text: str, name: str, friends: Mapping[str, Friend] | None = None) -> Read:
    """The document in a text, and everything that is wrong with it.

    Args:
        text: What the file holds.
        name: What messages call it.
        friends: The configured friends; None leaves out what is checked against them.

    Raises:
        ConfigError: it isn't one plain YAML document, or of another version of the format.
    """
    source = parse_yaml(text, name)
    _check_version(source, name)
    document, found = _validated(source)
    best, put_in = (document, []) if document is not None else _without(source.data, found)
    problems = _formal(source, found)
    if best is not None:
        problems += [
            _placed(source, each)
            for each in problems_of(best, friends)
            if not any(each.path[: len(place)] == place for place in put_in)
        ]
    problems.sort(key=lambda each: each.line)
    return Read(document, problems[:_MOST])


def read_checked(path: Path, friends: Mapping[str, Friend] | None = None) -> Document:
    """The document of a file in which nothing is wrong.

    Raises:
        ConfigError: something is; the message is the first problem, the hint has the others.
    """
    read = read_document(read_text(path), str(path), friends)
    if read.problems or read.document is None:
        lines = [f"{path}, line {each.line}: {each.told}" for each in read.problems]
        raise ConfigError(lines[0], hint="\n".join(lines[1:]))
    return read.document


def read_formed(text: str, name: str) -> Document:
    """The document in a text that has the format's form; what it says may still be wrong.

    Raises:
        ConfigError: it has not; the message is the first problem, the hint has the others.
    """
    source = parse_yaml(text, name)
    _check_version(source, name)
    document, found = _validated(source)
    if document is None:
        problems = sorted(_formal(source, found), key=lambda each: each.line)
        lines = [f"{name}, line {each.line}: {each.told}" for each in problems[:_MOST]]
        raise ConfigError(lines[0], hint="\n".join(lines[1:]))
    return document


def _check_version(source: Source, name: str) -> None:
    data = source.data
    if not isinstance(data, dict):
        raise ConfigError(
            f"{name}, line 1: no workflow; one begins with `kimera: {VERSION}` and has `name`"
            " and `steps`."
        )
    version, line = data.get("kimera"), source.line_of(("kimera",))
    if "kimera" not in data:
        raise ConfigError(f"{name}, line {line}: the line `kimera: {VERSION}` is missing.")
    if isinstance(version, bool) or not isinstance(version, int):
        raise ConfigError(f"{name}, line {line}: kimera: must be the number {VERSION}.")
    if version != VERSION:
        raise ConfigError(
            f"{name}, line {line}: kimera: {version}: this Kimera reads version {VERSION} only."
        )


def _validated(source: Source) -> tuple[Document | None, list[Any]]:
    try:
        return Document.model_validate(source.data), []
    except ValidationError as error:
        return None, error.errors(include_url=False)
    except RecursionError:
        return None, [{"type": "deep", "loc": (), "msg": "Steps are nested too deep"}]


def _without(data: Any, found: list[Any]) -> tuple[Document | None, list[Key]]:
    """The document without what is wrong with its form, so that the rest can be checked too.

    Returns:
        The document, and the places of steps for which something else was put in.
    """
    rest, put_in = copy.deepcopy(data), list[Key]()
    for _ in range(_ROUNDS):
        for number, error in enumerate(reversed(found)):
            path = _path(error["loc"])
            if error["type"] not in ("missing", "step_kind"):
                _remove(rest, path)
            elif path == ("name",):
                rest["name"] = "unnamed"
            else:
                put_in.append(_put_in(rest, path, number))
        try:
            return Document.model_validate(rest), put_in
        except ValidationError as error:
            found = error.errors(include_url=False)
        except RecursionError:
            break
    return None, []


def _remove(data: Any, path: Key) -> None:
    owner = _at(data, path[:-1])
    if path and isinstance(owner, dict):
        owner.pop(path[-1], None)


def _put_in(data: Any, path: Key, number: int) -> Key:
    """Put a step that says nothing where one can't be made out; returns its place."""
    while path and not (isinstance(path[-1], int) and path[-2] in STEP_LISTS):
        path = path[:-1]
    steps = _at(data, path[:-1]) if path else None
    if isinstance(steps, list):
        old = steps[int(path[-1])]
        kept = old.get("id") if isinstance(old, dict) else None
        steps[int(path[-1])] = {
            "id": kept if isinstance(kept, str) else f"step_without_id_{number}",
            "task": "unknown",
        }
    return path


# Problems in words


def _path(loc: tuple[str | int, ...]) -> Key:
    """Where an error is, in the words of the file."""
    path: list[str | int] = []
    for position, part in enumerate(loc):
        if part in ("[key]", "constrained-str") or str(part).startswith(("function-", "list[")):
            continue
        behind = loc[position - 1] if position else None
        # The kind of step that pydantic chose: the file has no such level.
        if part in KINDS and isinstance(behind, int):
            continue
        # One of the words of ``on_error`` was expected too.
        if str(part).startswith("literal["):
            continue
        path.append(part)
    return tuple(path)


def _formal(source: Source, found: list[Any]) -> list[Problem]:
    """What is wrong with the form, one problem a place."""
    by_path = {_path(error["loc"]): error for error in reversed(found)}
    return [_told(source, path, error) for path, error in by_path.items()]


def _told(source: Source, path: Key, error: Any) -> Problem:
    step = _step_of(source.data, path)
    return Problem(_sentence(source.data, path, error), step, path, source.line_of(path))


def _placed(source: Source, problem: Problem) -> Problem:
    """A problem of the document with its line in the file."""
    return replace(problem, line=source.line_of(problem.path))


def _step_of(data: Any, path: Key) -> str:
    """The id of the step that a path leads into, or an empty string."""
    found = ""
    for position, part in enumerate(path):
        try:
            data = data[part]
        except (LookupError, TypeError):
            break
        if isinstance(part, int) and path[position - 1] in STEP_LISTS and isinstance(data, dict):
            found = data["id"] if isinstance(data.get("id"), str) else found
    return found


_SENTENCES = {
    "missing": "is required",
    "string_type": "must be text; quote it",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "list_type": "must be a list",
    "dict_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
    "model_attributes_type": "must be a mapping of keys to values",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
    "deep": "steps are nested too deep",
    "finite_number": "must be a number that can be sent",
}


def _sentence(data: Any, path: Key, error: Any) -> str:
    kind, last = error["type"], str(path[-1]) if path else ""
    if kind == "extra_forbidden":
        return f"unknown key '{last}'.{near(last, _known_keys(data, path[:-1]))}"
    if last == "on_error":
        return "must be fail, continue, or a list of steps."
    if kind in _SENTENCES:
        return f"{_SENTENCES[kind]}."
    context = error.get("ctx", {})
    if kind == "string_pattern_mismatch":
        return f"{_form_of(path)}."
    if kind == "literal_error":
        choices = context["expected"].replace(" or ", ", ").replace("'", "")
        given = _at(data, path)
        nearest = near(given, choices.split(", ")) if isinstance(given, str) else ""
        return f"must be one of {choices}.{nearest}"
    text = str(error["msg"]).removeprefix("Value error, ").removesuffix(".")
    return f"{text[:1].lower()}{text[1:]}."


def _form_of(path: Key) -> str:
    last = path[-1] if path else ""
    if last == "task":
        return "a task is written as friend.task, in letters, digits and _ . : -"
    if last == "from":
        return "a secret comes from env:NAME, file:PATH or prompt"
    return (
        "small letters, digits and `_`, beginning with a letter; at most 40"
        if last == "id" or (len(path) > 1 and path[-2] == "inputs")
        else "has a character that doesn't belong there"
    )


def _at(data: Any, path: Key) -> Any:
    for part in path:
        try:
            data = data[part]
        except (LookupError, TypeError):
            return None
    return data


_MODELS: Mapping[str, type[BaseModel]] = {
    "concurrency": Concurrency,
    "defaults": Defaults,
    "retry": Retry,
    "when": Condition,
    "not": Condition,
}
_STEPS: Mapping[str, type[BaseModel]] = {"task": TaskStep, "chain": ChainStep, "para": ParaStep}


def _known_keys(data: Any, path: Key) -> Iterator[str]:
    """The keys that would have been right at a place."""
    here = _at(data, path)
    model: type[BaseModel] = Document
    if path:
        model = _MODELS.get(str(path[-1]), Document)
        if len(path) == 2 and path[0] == "inputs":
            model = Input
        elif isinstance(path[-1], int) and path[-2] in ("all", "any"):
            model = Condition
        elif isinstance(path[-1], int):
            kinds = [kind for kind in KINDS if isinstance(here, dict) and kind in here]
            model = _STEPS[kinds[0]] if kinds else TaskStep
    for name, each in model.model_fields.items():
        yield each.alias or name
