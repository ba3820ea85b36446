"""The inputs of a run as they are given on a command line, in a file, or typed when asked for."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import click

from kimera_tui.cli.program.shutdown import way_out
from kimera_tui.errors import UsageError
from kimera_tui.safetext import safe

if TYPE_CHECKING:
    from kimera_tui.documents.document import Document, Input

SOURCES = "env:NAME, file:PATH, prompt, or - for stdin"
INPUT = click.option("-i", "--input", "inputs", multiple=True, metavar="NAME=VALUE", help="Input.")


def inputs_of(document: Document, words: Sequence[str], file: str = "") -> dict[str, Any]:
    """The inputs of the command line over those of a file.

    Raises:
        UsageError: a word is no ``NAME=VALUE``, its value can't be read, or it is a secret; the
            hint has the other words that are wrong.
    """
    values = dict(_from_file(file)) if file else {}
    wrong: list[UsageError] = []
    for word in words:
        try:
            name, text = _pair(word)
            values[name] = _value(name, document.inputs.get(name), text)
        except UsageError as error:
            wrong.append(error)
    if wrong:
        others = [str(error) for error in wrong[1:]]
        hints = dict.fromkeys(error.hint for error in wrong if error.hint)
        raise UsageError(str(wrong[0]), hint="\n".join([*others, *hints]))
    return values


def ask_for_secrets(
    document: Document, given: Mapping[str, str] = MappingProxyType({})
) -> dict[str, str]:
    """The secrets that a run asks for, typed at the terminal without being shown.

    Args:
        document: What asks for them.
        given: Secrets that are there already; they are part of what is returned.

    Raises:
        UsageError: there is no terminal to ask at.
        click.Abort: ctrl+c was pressed.
    """
    prompted = dict(given)
    for name, spec in document.inputs.items():
        if name in prompted or spec.type != "secret" or (spec.from_ or "prompt") != "prompt":
            continue
        prompted[name] = ask(name)
    return prompted


def ask(name: str) -> str:
    """A secret typed at the terminal without being shown.

    Raises:
        UsageError: there is no terminal to ask at.
        click.Abort: ctrl+c was pressed.
    """
    if not sys.stdin.isatty():
        raise UsageError(
            f"{name}: it is asked for, and there is no terminal to ask at.", hint=_elsewhere(name)
        )
    with way_out.interruptible():
        return str(click.prompt(name, hide_input=True, err=True))


def _elsewhere(name: str) -> str:
    """How a secret gets to a command without a terminal."""
    return f"--secret {name}=SOURCE takes it from {SOURCES}; a workflow can say `from:`."


def overrides_of(words: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
    """New arguments of steps, from ``STEP.NAME=JSON``; a bare word is a text.

    Raises:
        UsageError: a word is written in another way.
    """
    found: dict[str, dict[str, Any]] = {}
    for word in words:
        place, equals, text = word.partition("=")
        step, dot, name = place.rpartition(".")
        if not equals or not dot or not step or not name:
            raise UsageError(f"--set {safe(word, 80)}: write it as STEP.NAME=VALUE.")
        found.setdefault(step, {})[name] = _json_or_text(text)
    return found


def _pair(word: str) -> tuple[str, str]:
    name, equals, text = word.partition("=")
    if not equals:
        raise UsageError(f"-i {safe(word, 80)}: write it as NAME=VALUE.")
    return name, text


def _json_or_text(text: str) -> Any:
    from kimera_tui.values.json_input import parse_json

    try:
        return parse_json(text, "value")
    except UsageError:
        return text


def _value(name: str, spec: Input | None, text: str) -> Any:
    if spec is None:
        return text  # that there is no such input is told with the others that are wrong
    if spec.is_secret:
        raise UsageError(
            f"-i {name}: a secret doesn't belong on a command line, where others see it.",
            hint=_elsewhere(name),
        )
    return spec.read(name, text)


def _from_file(name: str) -> dict[str, Any]:
    from kimera_tui.values.json_input import parse_json
    from kimera_tui.yaml.reading import parse_yaml, read_text

    path = Path(name)
    text = read_text(path)
    if path.suffix == ".json":
        found = parse_json(text, str(path))
    else:
        found = parse_yaml(text, str(path)).data
    if not isinstance(found, dict):
        raise UsageError(f"{path}: must be a mapping of inputs to values.")
    return found
