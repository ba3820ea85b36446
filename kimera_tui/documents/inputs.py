"""The inputs of a run, checked as its workflow declares them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kimera_tui.documents.document import Input
from kimera_tui.errors import UsageError, near
from kimera_tui.jsontext import to_json
from kimera_tui.values.json_input import parse_json
from kimera_tui.values.spec import ORDERED, Spec

MAX_SECRET_BYTES = 64 * 1024
_INT = re.compile(r"-?[1-9][0-9]{0,299}|0")


def resolve(specs: Mapping[str, Input], provided: Mapping[str, Any]) -> dict[str, Any]:
    """All inputs but the secrets, defaults filled in, as plain JSON.

    Dates stay as they are written; durations are seconds.

    Args:
        specs: The inputs as the workflow declares them.
        provided: Values by name.

    Raises:
        UsageError: a value is missing, invalid, or of an unknown input; the hint has all problems
            but the first.
    """
    problems = [
        f"{_shown_name(name)}: the workflow has no such input.{near(name, specs)}"
        for name in provided
        if name not in specs
    ]
    values: dict[str, Any] = {}
    for name, spec in specs.items():
        if spec.is_secret:
            if name in provided:
                problems.append(f"{name}: a secret is not given with the other inputs.")
            continue
        value = provided.get(name, spec.default)
        if value is None:
            if spec.required:
                problems.append(f"{name} is required.")
            values[name] = None
            continue
        try:
            values[name] = spec.check(name, value)
        except UsageError as error:
            problems.append(error.message)
    if problems:
        raise UsageError(problems[0], hint="\n".join(problems[1:]))
    return values


def _shown_name(name: str) -> str:
    """The name, masked unless it looks like one: it may come from a file with other contents."""
    return name if re.fullmatch(r"[\w.-]{1,40}", name) else "…"


def secret_value(
    name: str, spec: Input, environ: Mapping[str, str], prompted: Mapping[str, str]
) -> str:
    """A secret from where its input says; no message repeats its value.

    Args:
        name: The input's name.
        spec: The input as the workflow declares it.
        environ: The environment.
        prompted: Secrets that somebody typed, by name.

    Raises:
        UsageError: it isn't there; the message names the variable or the file.
    """
    kind, _, place = (spec.from_ or "prompt").partition(":")
    if name in prompted:
        return prompted[name]
    if kind == "env":
        if not environ.get(place):
            raise UsageError(f"{name}: the environment variable {place} is not set.")
        return environ[place]
    if kind == "file":
        return _from_file(name, Path(os.path.expanduser(place)))  # noqa: PTH111 - never raises
    raise UsageError(f"{name}: a run asks for it at its start, and it was not given.")


def _from_file(name: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_SECRET_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{name}: {path} cannot be read ({error.strerror}).") from error
    except ValueError:
        raise UsageError(f"{name}: the file name contains a NUL byte.") from None
    if len(raw) > MAX_SECRET_BYTES:
        raise UsageError(f"{name}: {path} is larger than {MAX_SECRET_BYTES} bytes.")
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise UsageError(f"{name}: {path} is not UTF-8.") from None
    return text.removesuffix("\n").removesuffix("\r")


# An input as the composer's form edits it


def input_from(typed: Mapping[str, Any]) -> Input:
    """The input made from a form's fields.

    Args:
        typed: ``type``, ``required``; ``default``, ``values``, ``min``, ``max``, ``pattern``,
            ``max_length``, ``from`` and ``description`` as texts, empty for none.

    Raises:
        UsageError: a field is invalid; the sentence begins with its name.
        ValidationError: the format doesn't allow a value.
    """
    kind = typed["type"]
    data: dict[str, Any] = {"type": kind} if kind != "string" else {}
    if typed["required"]:
        data["required"] = True
    if typed["values"].strip():
        data["values"] = parse_choices(typed["values"])
    for key in ("min", "max"):
        if typed[key].strip():
            data[key] = _as_written(Spec(type=kind if kind in ORDERED else "string"), key, typed)
    for key in ("pattern", "from", "description"):
        if typed[key].strip():
            data[key] = typed[key].strip()
    if typed["max_length"].strip():
        data["max_length"] = Spec(type="int").read("max_length", typed["max_length"])
    spec = _sensible(Input.model_validate(data))
    if not typed["default"].strip():
        return spec
    default = _as_written(spec, "default", typed)
    return _sensible(Input.model_validate({**data, "default": default}))


def _as_written(spec: Spec, key: str, typed: Mapping[str, Any]) -> Any:
    """A field's value as a file holds it, in which durations stay texts."""
    value = spec.read(key, typed[key])
    return typed[key].strip() if spec.type == "duration" else value


def _sensible(spec: Input) -> Input:
    for key, sentence in spec.problems(""):
        raise UsageError(f"{key}: {sentence}")
    return spec


def parse_choices(text: str) -> list[Any]:
    """The choices of an enum: a JSON list, or words between commas."""
    if text.strip().startswith("["):
        value = parse_json(text, "values")
        return value if isinstance(value, list) else [value]
    return [_word(part.strip()) for part in text.split(",") if part.strip()]


def _word(text: str) -> Any:
    """A number as one, everything else as text."""
    return int(text) if _INT.fullmatch(text) else text


def choices_text(values: list[Any]) -> str:
    """The choices of an enum as ``parse_choices`` reads them."""
    text = ", ".join(map(str, values))
    if text.isprintable() and not text.startswith("["):
        back = parse_choices(text)
        if _as_json(back) == _as_json(values):
            return text
    return _as_json(values)


def _as_json(value: Any) -> str:
    return to_json(value, ascii_only=False)
