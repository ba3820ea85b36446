"""The inputs of a run, as words of the command line or from a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kimera_tui.cli.secret_sources import elsewhere, secrets_for
from kimera_tui.errors import UsageError
from kimera_tui.safetext import safe

if TYPE_CHECKING:
    from kimera_tui.documents.document import Document, Input
    from kimera_tui.execution.run_inputs import RunInputs
    from kimera_tui.runs.index import RunState

INPUT = click.option("-i", "--input", "inputs", multiple=True, metavar="NAME=VALUE", help="Input.")


def inputs_of(document: Document, words: Sequence[str], file: str = "") -> dict[str, Any]:
    """The inputs of the command line, added to those of a file.

    Raises:
        UsageError: a word isn't ``NAME=VALUE``, its value is invalid, or it is a secret; the hint
            lists the other invalid words.
    """
    values = dict(_from_file(file)) if file else {}
    errors: list[UsageError] = []
    for word in words:
        try:
            name, text = _pair(word)
            values[name] = _value(name, document.inputs.get(name), text)
        except UsageError as error:
            errors.append(error)
    if errors:
        others = [str(error) for error in errors[1:]]
        hints = dict.fromkeys(error.hint for error in errors if error.hint)
        raise UsageError(str(errors[0]), hint="\n".join([*others, *hints]))
    return values


def given_again(
    run: RunState, inputs: Sequence[str], secrets: Sequence[str], *, dry_run: bool = False
) -> RunInputs:
    """New inputs of a past run, and its secrets, which are not kept.

    Args:
        run: The past run.
        inputs: Words of ``-i``.
        secrets: Words of ``--secret``.
        dry_run: Whether no secret is needed.

    Raises:
        UsageError: an input or secret is invalid or unavailable.
        click.Abort: ctrl+c was pressed at a prompt.
    """
    from kimera_tui.documents.dump import document_from
    from kimera_tui.execution.run_inputs import RunInputs

    if not run.header:
        if inputs or secrets:
            raise UsageError("The run has no inputs: it was not started from a workflow.")
        return RunInputs()
    document = document_from(run.header)
    values = inputs_of(document, inputs)
    return RunInputs(values) if dry_run else RunInputs(values, secrets_for(document, secrets))


def overrides_of(words: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
    """New arguments of steps, from ``STEP.NAME=JSON``; what isn't JSON is taken as text.

    Raises:
        UsageError: a word has another form.
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
        return text  # an unknown input is reported together with the other invalid ones
    if spec.is_secret:
        raise UsageError(
            f"-i {name}: never put a secret on a command line, where other users can see it.",
            hint=elsewhere(name),
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
