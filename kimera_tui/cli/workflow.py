"""``kimera-tui workflow``: check workflow files, list them, and print their schema."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kimera_tui.cli.json_output import objects
from kimera_tui.cli.json_output.objects import ListedWorkflow
from kimera_tui.cli.output import data, fail, narrate, perform
from kimera_tui.errors import ConfigError, KimeraError
from kimera_tui.jsontext import to_json
from kimera_tui.safetext import safe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kimera_tui.config.friends import Friend
    from kimera_tui.console.workflows import SavedWorkflow
    from kimera_tui.documents.document import Document

WRONG = 1
"""Exit code if a checked file has problems."""


@click.group(short_help="Check, list and describe workflow files.")
def workflow() -> None:
    """Check, list and describe workflow files."""


@workflow.command(short_help="Check files; print each problem with its line.")
@click.argument("files", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each problem.")
def check(files: tuple[str, ...], as_json: bool) -> None:
    """Check FILES (or names of workflows); print each problem with its line.

    Exit codes: 0 no problems, 1 problems, 2 a file can't be read.
    """
    try:
        friends = _friends()
    except ConfigError as error:
        fail(error)
    worst = 0
    for name in files:
        worst = max(worst, _check(name, friends, as_json=as_json))
    raise SystemExit(worst)


def _print_reads(
    path: Path, document: Document, friends: Mapping[str, Friend], *, as_json: bool
) -> None:
    """Print what a run of a document reads apart from its file, and what needs permission."""
    import os

    from kimera_tui.console.friends import find_friends_file
    from kimera_tui.console.permissions import Permissions

    permissions = Permissions(os.environ, find_friends_file(os.environ), friends)
    wanted = permissions.wants(document, path)
    for access in permissions.reads(document):
        allowed = access not in wanted
        if as_json:
            data(
                objects.FileReads(
                    file=str(path),
                    reads=access.kind,
                    name=access.name,
                    to=access.to or None,
                    allowed=allowed,
                ),
                as_json=True,
            )
        else:
            narrate(f"{path}: {access.sentence}")
    if wanted and not as_json:
        narrate(f"{path}: needs your permission: kimera-tui trust {path}")


def _friends() -> Mapping[str, Friend]:
    import os

    from kimera_tui.console.friends import read_friends

    return read_friends(os.environ, narrate)[1]


def _check(name: str, friends: Mapping[str, Friend], *, as_json: bool) -> int:
    from kimera_tui.documents.checks import Problem
    from kimera_tui.documents.parse import read_document
    from kimera_tui.documents.store import Library, workflows_folder
    from kimera_tui.yaml.reading import Malformed, read_text

    try:
        path = Library(workflows_folder()).find(name)
        checked = read_document(read_text(path), str(path), friends)
        found = checked.problems
        if checked.document is not None:
            _print_reads(path, checked.document, friends, as_json=as_json)
    except Malformed as error:
        found = [Problem(error.sentence, line=error.line)]
    except KimeraError as error:
        if as_json:
            data(objects.Problem(file=name, problem=str(error)), as_json=True)
        else:
            click.echo(safe(str(error), 2000))
        return error.exit_code
    for each in found:
        if as_json:
            data(
                objects.Problem(
                    file=str(path),
                    line=each.line,
                    path=each.where,
                    step=each.step,
                    problem=each.sentence,
                ),
                as_json=True,
            )
        else:
            click.echo(safe(f"{path}:{each.line}: {each.text}", 2000))
    if not found:
        narrate(f"{path}: no problems.")
    return WRONG if found else 0


@workflow.command(short_help="Print the format as a JSON schema.")
@click.option("--with-friends", is_flag=True, help="Include the tasks of friends.yaml.")
def schema(with_friends: bool) -> None:
    r"""Print the format as a JSON schema, for editors.

    \b
    kimera-tui workflow schema > workflows/schema.json
    and on top of a workflow file:
    # yaml-language-server: $schema=./schema.json
    """
    from kimera_tui.documents.json_schema import workflow_schema

    try:
        friends = _friends() if with_friends else None
    except ConfigError as error:
        fail(error)
    click.echo(to_json(workflow_schema(friends), indent=1, ascii_only=False))


@workflow.command(name="list", short_help="List the saved workflows.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")
def list_(as_json: bool) -> None:
    """List the saved workflows, each with its last run, usual duration and first problem."""
    perform(_list(as_json))


async def _list(as_json: bool) -> int:
    from kimera_tui.console.console import build_console

    async with build_console(say=narrate) as console:
        console.need_friends()
        await console.connection.open_journal()
        saved = await console.workflows.saved()
    for each in saved:
        if as_json:
            data(_public(each), as_json=True)
        else:
            click.echo(_line(each))
    if not saved:
        narrate("No workflows: save one in the composer, or write workflows/NAME.kimera.yaml.")
    return 0


def _public(saved: SavedWorkflow) -> ListedWorkflow:
    return ListedWorkflow(
        file=str(saved.path),
        name=saved.name,
        steps=saved.steps,
        problem=saved.problem,
        last_status=saved.last_state,
        last_started=saved.last_at,
        usual_seconds=saved.usual,
    )


def _line(saved: SavedWorkflow) -> str:
    last = saved.last_state or "never ran"
    if saved.last_at is not None:
        last += time.strftime(" %Y-%m-%d %H:%M", time.localtime(saved.last_at))
    usual = f"  usually {saved.usual:.3g} s" if saved.usual is not None else ""
    problem = f"  ! {saved.problem}" if saved.problem else ""
    name = Path(saved.path).name
    text = f"{name:<32}  {saved.steps:>4} steps  {last:<26}{usual}{problem}"
    return safe(text, 500)
