"""Secrets and arguments from elsewhere than the command line, which other users can see."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kimera_tui.cli.program.shutdown import way_out
from kimera_tui.errors import UsageError
from kimera_tui.safetext import safe

if TYPE_CHECKING:
    from kimera_tui.config.friends import Param
    from kimera_tui.documents.document import Document

SOURCES = "env:NAME, file:PATH, prompt, or - for stdin"
SECRET = click.option(
    "--secret", "secrets", multiple=True, metavar="NAME=SOURCE", help=f"A secret from {SOURCES}."
)
_SOURCE = re.compile(r"env:\w+|file:.+|prompt|-", re.DOTALL)


def ask(name: str) -> str:
    """Ask for a secret at the terminal, without echo.

    Raises:
        UsageError: there is no terminal.
        click.Abort: ctrl+c was pressed.
    """
    if not sys.stdin.isatty():
        raise UsageError(
            f"{name}: this secret is asked for, but there is no terminal.", hint=elsewhere(name)
        )
    with way_out.interruptible():
        return str(click.prompt(name, hide_input=True, err=True))


def elsewhere(name: str) -> str:
    """How to pass a secret to a command without a terminal."""
    return f"--secret {name}=SOURCE takes it from {SOURCES}; a workflow can say `from:`."


class Sources:
    """Reads the sources that a command line names; only one may be standard input."""

    def __init__(self) -> None:
        self._stdin_of = ""

    def text(self, option: str, word: str) -> str:
        """The value of an option: ``@FILE`` reads the file, ``-`` standard input.

        Raises:
            UsageError: it can't be read, or isn't UTF-8.
        """
        if word == "-":
            return self._stdin(option)
        if not word.startswith("@"):
            return word
        from kimera_tui.yaml.reading import read_text

        return read_text(Path(word[1:]))

    def secrets(self, words: Sequence[str]) -> dict[str, str]:
        """The secrets that ``--secret NAME=SOURCE`` names.

        Raises:
            UsageError: one is unavailable; no message repeats a value.
        """
        found: dict[str, str] = {}
        for word in words:
            name, equals, source = word.partition("=")
            shown = safe(name if equals else "", 80)
            if not name or not _SOURCE.fullmatch(source):
                raise UsageError(f"--secret {shown}: write it as NAME=SOURCE, from {SOURCES}.")
            if name in found:
                raise UsageError(f"--secret {shown}: given twice.")
            found[name] = self._secret(name, source)
        return found

    def _secret(self, name: str, source: str) -> str:
        from kimera_tui.documents.document import Input
        from kimera_tui.documents.inputs import secret_value

        if source == "-":
            return self._stdin(f"--secret {name}").removesuffix("\n").removesuffix("\r")
        if source == "prompt":
            return ask(name)
        spec = Input.model_validate({"type": "secret", "from": source})
        return secret_value(name, spec, os.environ, {})

    def _stdin(self, option: str) -> str:
        from kimera_tui.values.json_input import MAX_BYTES

        if self._stdin_of:
            raise UsageError(f"{option}: {self._stdin_of} already reads standard input.")
        self._stdin_of = option
        try:
            text = sys.stdin.buffer.read(MAX_BYTES + 1).decode()
        except UnicodeDecodeError:
            raise UsageError(f"{option}: standard input is not UTF-8.") from None
        if len(text) > MAX_BYTES:
            raise UsageError(f"{option}: standard input is longer than {MAX_BYTES} bytes.")
        return text


def secrets_for(document: Document, words: Sequence[str]) -> dict[str, str]:
    """The secrets of a workflow: those that ``--secret`` names, and the others that it asks for.

    Raises:
        UsageError: the workflow has no secret of that name, or one is unavailable.
        click.Abort: ctrl+c was pressed at a prompt.
    """
    secrets = {name: spec for name, spec in document.inputs.items() if spec.type == "secret"}
    for word in words:
        name, equals, _ = word.partition("=")
        if equals and name not in secrets:
            known = f"its secrets: {', '.join(secrets)}" if secrets else "it has none"
            raise UsageError(
                f"--secret {safe(name, 80)}: the workflow has no such secret; {known}."
            )
    values = Sources().secrets(words)
    for name, spec in secrets.items():
        if name not in values and (spec.from_ or "prompt") == "prompt":
            values[name] = ask(name)
    return values


def call_secrets(
    params: Mapping[str, Param],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    provided: Mapping[str, str],
    prompt: Callable[[str], str] = ask,
) -> dict[str, Any]:
    """The secret arguments of one call: those given, and the others, which are asked for.

    Args:
        params: The task's parameters as friends.yaml declares them, in their order.
        args: Positional arguments.
        kwargs: Named arguments.
        provided: Secrets as texts, by the names of their arguments.
        prompt: Asks for one.

    Raises:
        UsageError: one is given twice, has the wrong type, or is missing and there is no terminal.
    """
    texts = dict(provided)
    for option, names in (("--kwargs", kwargs), ("--args", [*params][: len(args)])):
        for name in texts:
            if name in names:
                raise UsageError(f"{safe(name, 80)} is given twice: by {option} and by --secret.")
    for name, param in [*params.items()][len(args) :]:
        if param.secret and param.required and name not in kwargs and name not in texts:
            texts[name] = prompt(name)
    return {name: _typed(name, params.get(name), text) for name, text in texts.items()}


def _typed(name: str, param: Param | None, text: str) -> Any:
    """A secret converted to the type of its parameter; no error repeats it."""
    if param is None:
        return text
    return param.model_copy(update={"secret": True}).read(name, text)
