"""Writes docs/json.md from the models of what ``--json`` prints: python -m tests.cli.json_page."""

from __future__ import annotations

import ast
import inspect
import textwrap
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from kimera_tui.cli.json_output import compare, objects
from kimera_tui.cli.json_output.objects import Printed
from kimera_tui.runs.status import Status
from tests.conftest import REPO

PAGE = REPO / "docs" / "json.md"

HEAD = """\
# What `--json` prints

<!-- Generated from kimera_tui/cli/json_output/ by `python -m tests.cli.json_page`. -->

With `--json` a command prints JSON on stdout and everything else on stderr: one object on one line
where it answers once, one object a line where it lists or streams. It is always valid JSON
(RFC 8259), in ASCII.

- JSON has no number for NaN and the infinities: they are the texts `"NaN"`, `"Infinity"` and
  `"-Infinity"`, wherever they are in a value. That holds for everything that Kimera prints,
  exports, saves or copies as JSON; what is sent to tasks is not touched.
- Values that JSON does not know (of tasks whose results are pickled) are texts, and so are keys.
  A value that is nested too deep to be written is cut at 200 levels.
- Times are seconds since the epoch, unless it says "seconds". Secrets are masked.
- Fields are only ever added. Those marked *optional* are left out where they say nothing; `null`
  means "not known", unless it says otherwise.
- `send` prints its object however it ends, also if nothing was sent; only a wrong option or a
  broken `.env` comes before that. Other commands that fail before they begin print nothing on
  stdout. The [exit code](../README.md#without-a-screen) says why.
"""

SECTIONS: tuple[tuple[str, str, tuple[type[Printed], ...]], ...] = (
    ("send", "One object, however it ends.", (objects.SendEnd, objects.LastKnown)),
    (
        "run",
        "An object for each event; the last one is the end.",
        (objects.RunEvent, objects.RunEnd, objects.Step),
    ),
    ("run --detach", "One object.", (objects.Detached,)),
    ("run --dry-run", "An object for each call.", (objects.DryCall,)),
    (
        "watch, replay, resume",
        "One object for each run, also if it outlasts the `watch`. Its steps are those of `run`.",
        (objects.RunReport, objects.Cancelling),
    ),
    ("cancel", "One object.", (objects.CancelledRun, objects.LeftTask)),
    ("replay --dry-run", "An object for each step that would run.", (objects.ReplayedCall,)),
    ("runs", "An object for each run, the newest first.", (objects.ListedRun,)),
    (
        "compare",
        "One object.",
        (
            compare.Comparison,
            compare.ComparedRun,
            compare.ComparedPair,
            compare.ComparedStep,
            compare.Change,
        ),
    ),
    (
        "friends",
        "An object for each friend.",
        (objects.ListedFriend, objects.TaskOfFriend, objects.Param),
    ),
    ("workflow list", "An object for each file.", (objects.ListedWorkflow,)),
    (
        "workflow check",
        "An object for each thing that a workflow reads apart from its file, and for each problem.",
        (objects.FileReads, objects.Problem),
    ),
    ("trust --list", "An object for each thing that a file was allowed.", (objects.Allowed,)),
    (
        "export",
        "`x` in History writes a run to `run-ID.json`: one object on several lines.",
        (objects.ExportedRun,),
    ),
)
"""Each command, what it prints, and the models of that."""

_KINDS = {str: "text", int: "integer", float: "number", bool: "true or false", NoneType: "null"}


def page() -> str:
    """The page."""
    parts = [HEAD]
    for command, intro, models in SECTIONS:
        parts.append(f"## {command}\n{intro}\n")
        parts += map(_table, models)
    parts.append(
        "## workflow schema\nThe [JSON schema](https://json-schema.org) of a workflow file, on"
        " several lines; it needs no `--json`.\n"
    )
    return "\n".join(parts)


def _table(model: type[Printed]) -> str:
    rows = ["| field | type | what it says |", "|---|---|---|"]
    texts = _texts_of(model)
    for name in model.order():
        field = model.model_fields[name]
        optional = "" if field.is_required() else ", optional"
        rows.append(f"| `{name}` | {_type(field.annotation)}{optional} | {texts.get(name, '')} |")
    title = f"**{model.__name__}**: {_first_line(model)}"
    return "\n".join([title, "", *rows, ""])


def _first_line(model: type[Printed]) -> str:
    text = " ".join((inspect.getdoc(model) or "").split())
    return f"{text[:1].lower()}{text[1:]}"


def _texts_of(model: type[Printed]) -> dict[str, str]:
    """What the docstrings below the fields say, those of its bases too."""
    found: dict[str, str] = {}
    for each in reversed(model.__mro__):
        if not (isinstance(each, type) and issubclass(each, Printed)):
            continue
        (body,) = ast.parse(textwrap.dedent(inspect.getsource(each))).body
        assert isinstance(body, ast.ClassDef)
        for one, following in zip(body.body, body.body[1:], strict=False):
            match one, following:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(text))),
                ):
                    found[name] = " ".join(text.split())
    return found


def _type(annotation: Any) -> str:
    origin, args = get_origin(annotation), get_args(annotation)
    if annotation is Any:
        return "any value"
    if annotation is Status:
        return "a state"
    if annotation in _KINDS:
        return _KINDS[annotation]
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in args)
    if origin in (Union, UnionType):
        return " or ".join(map(_type, args))
    if origin is list:
        return f"list of {_type(args[0])}"
    if origin is dict:
        return f"object of {_type(args[1])}"
    return str(annotation.__name__)


if __name__ == "__main__":
    Path(PAGE).write_text(page())
