"""Values that a command takes from elsewhere than its own words, which everybody can see."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kimera_tui.cli.inputs import SOURCES, ask
from kimera_tui.errors import UsageError
from kimera_tui.safetext import safe

if TYPE_CHECKING:
    from kimera_tui.config.friends import Param
    from kimera_tui.documents.document import Document

SECRET = click.option(
    "--secret", "secrets", multiple=True, metavar="NAME=SOURCE", help=f"A secret from {SOURCES}."
)
_SOURCE = re.compile(r"env:\w+|file:.+|prompt|-", re.DOTALL)


class Sources:
    """Reads what a command's words name; standard input can be named once."""

    def __init__(self) -> None:
        self._stdin_of = ""

    def text(self, option: str, word: str) -> str:
        """What an option says: the word itself, of ``@FILE`` the file, of ``-`` standard input.

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
            UsageError: one can't be had; no message repeats a value.
        """
        found: dict[str, str] = {}
        for word in words:
            name, equals, source = word.partition("=")
            shown = safe(name if equals else "", 80)
            if not name or not _SOURCE.fullmatch(source):
                raise UsageError(f"--secret {shown}: write it as NAME=SOURCE, from {SOURCES}.")
            if name in found:
                raise UsageError(f"--secret {shown}: it is given twice.")
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
            raise UsageError(f"{option}: {self._stdin_of} reads standard input already.")
        self._stdin_of = option
        try:
            text = sys.stdin.buffer.read(MAX_BYTES + 1).decode()
        except UnicodeDecodeError:
            raise UsageError(f"{option}: standard input is not UTF-8.") from None
        if len(text) > MAX_BYTES:
            raise UsageError(f"{option}: standard input is longer than {MAX_BYTES} bytes.")
        return text


def secrets_for(document: Document, words: Sequence[str]) -> dict[str, str]:
    """The secrets that ``--secret`` names for a workflow.

    Raises:
        UsageError: the workflow asks for none of that name, or it can't be had.
    """
    asked = [name for name, spec in document.inputs.items() if spec.type == "secret"]
    for word in words:
        name, equals, _ = word.partition("=")
        if equals and name not in asked:
            known = f"its secrets: {', '.join(asked)}" if asked else "it has none"
            raise UsageError(
                f"--secret {safe(name, 80)}: the workflow has no such secret; {known}."
            )
    return Sources().secrets(words)


def call_secrets(
    params: Mapping[str, Param],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    given: Mapping[str, str],
    prompt: Callable[[str], str] = ask,
) -> dict[str, Any]:
    """The secret arguments of one call: those given, and those that have to be asked for.

    Args:
        params: The task's parameters as friends.yaml declares them, in their order.
        args: Positional arguments.
        kwargs: Named arguments.
        given: Secrets by the names of their arguments, as texts.
        prompt: Asks for one.

    Raises:
        UsageError: one is given twice, is not of its type, or is missing and nobody can be asked.
    """
    texts = dict(given)
    for option, names in (("--kwargs", kwargs), ("--args", [*params][: len(args)])):
        for name in texts:
            if name in names:
                raise UsageError(f"{safe(name, 80)} is given twice: by {option} and by --secret.")
    for name, param in [*params.items()][len(args) :]:
        if param.secret and param.required and name not in kwargs and name not in texts:
            texts[name] = prompt(name)
    return {name: _typed(name, params.get(name), text) for name, text in texts.items()}


def _typed(name: str, param: Param | None, text: str) -> Any:
    """A secret as its parameter wants it; no refusal repeats it, even where it isn't declared."""
    if param is None:
        return text
    return param.model_copy(update={"secret": True}).read(name, text)
