"""The lines of the composer's tree: header, inputs, every step with its branches, ``finally``."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from kimera_tui.documents.addresses import Address, lists_of
from kimera_tui.documents.conditions import say
from kimera_tui.documents.document import (
    ChainStep,
    Document,
    ParaStep,
    Step,
    TaskStep,
    children_of,
)
from kimera_tui.redaction import redact
from kimera_tui.safetext import compact, safe, trimmed
from kimera_tui.ui.widgets.lines import Line, Span
from kimera_tui.values.durations import duration_text

GLYPHS = {"chain": "↓", "para": "⇉"}
WORDS = {"chain": "one after the other", "para": "all at once"}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the tree."""

    kind: Literal["header", "inputs", "step", "heading"]
    address: Address
    """Of the step, or of the list under a heading; empty for the document's own lines."""
    lead: str = ""
    """The branches drawn before it."""
    step: Step | None = None
    number: int = 0

    @property
    def title(self) -> str:
        """What the line is about."""
        if self.step is not None:
            return self.step.id
        if self.kind == "heading":
            return "Finally" if self.address[-1] == "finally" else "On error"
        return "Inputs" if self.kind == "inputs" else "Workflow"


def rows_of(document: Document) -> list[Row]:
    """All lines of a document."""
    rows, numbers = [Row("header", ()), Row("inputs", ())], itertools.count(1)
    _add_list(rows, numbers, ("steps",), document.steps, "")
    if document.finally_:
        rows.append(Row("heading", ("finally",)))
        _add_list(rows, numbers, ("finally",), document.finally_, "")
    return rows


def _add_list(
    rows: list[Row], numbers: Iterator[int], where: Address, steps: Sequence[Step], lead: str
) -> None:
    top = len(where) == 1
    for index, step in enumerate(steps):
        last = index == len(steps) - 1
        own = "" if top else "└─" if last else "├─"
        below = lead + ("" if top else "  " if last else "│ ")
        address = (*where, index)
        rows.append(Row("step", address, lead + own, step, next(numbers)))
        for name, children in lists_of(step):
            if name == "on_error":
                rows.append(Row("heading", (*address, name), f"{below}└╴"))
                _add_list(rows, numbers, (*address, name), children, below + "  ")
            else:
                _add_list(rows, numbers, (*address, name), children, below)


def header_line(document: Document, file: str, unsaved: bool) -> Line:
    """Name and file, and whether it is saved."""
    line: list[Span] = [
        ("   ■ ", "key"),
        (safe(document.name, 120), "strong"),
        (f"  {safe(file, 200)}" if file else "  not saved yet", "dim"),
    ]
    if unsaved and file:
        line.append(("  unsaved", "warning"))
    if document.description:
        line.append((f"  {safe(document.description, 120)}", "dim"))
    return line


def inputs_line(document: Document) -> Line:
    """What a run asks for."""
    if not document.inputs:
        return (("   ▷ ", "dim"), ("no inputs", "dim"))
    shown = [
        f"{name}{'*' if spec.required else ''} {spec.type}"
        for name, spec in list(document.inputs.items())[:20]
    ]
    return (("   ▷ ", "key"), ("inputs  ", ""), (", ".join(shown), "dim"))


def heading_line(row: Row) -> Line:
    """The title of a branch."""
    if row.address[-1] == "finally":
        return (("   ■ ", "key"), ("finally", "key"), ("  at the end, whatever happened", "dim"))
    return ((f"     {row.lead}", "dim"), ("on error", "bad"))


def step_row_line(
    row: Row, step: Step, wrong: bool, part: str, secret: Collection[str] = ()
) -> Line:
    """A step: its place, id, call, own arguments and marks.

    Args:
        row: Where it stands.
        step: The step.
        wrong: Whether there is a problem with it.
        part: How its result gets into the selected step, or an empty string.
        secret: Names of the arguments that its friend calls secret.
    """
    line: list[Span] = [(f"{row.number:>4}", "dim"), ("▸" if part else " ", "good")]
    line.append((row.lead, "dim"))
    if wrong:
        line.append(("⚠ ", "warning"))
    line += _task_spans(step, secret) if isinstance(step, TaskStep) else _group_spans(step)
    line += [(f"  {text}", style) for text, style in marks(step)]
    if part:
        line.append((f"  ▸ {part}", "good"))
    return line


def _task_spans(step: TaskStep, secret: Collection[str]) -> list[Span]:
    name = f"{step.friend}.{step.task}" if step.friend else step.task
    spans: list[Span] = [(f"{step.id}  ", "strong"), (safe(name, 120), "active")]
    if own := own_arguments(step, secret):
        spans.append((f"  {own}", "dim"))
    return spans


def _group_spans(step: Step) -> list[Span]:
    kind = "chain" if isinstance(step, ChainStep) else "para"
    name = step.id if step.id.startswith(kind) else f"{step.id}  {kind}"
    words = f"{WORDS[kind]}, {len(children_of(step))}"
    return [(f"{GLYPHS[kind]} ", "key"), (name, "strong"), (f"  {words}", "dim")]


def own_arguments(step: TaskStep, secret: Collection[str]) -> str:
    """A step's own arguments on one line, without secrets."""
    shown = [compact(redact(trimmed(value, 4, 60, 3), secret), 40) for value in step.args[:6]]
    for key, value in list(step.kwargs.items())[:8]:
        hidden = redact({key: trimmed(value, 4, 60, 3)}, secret)[key]
        shown.append(f"{safe(key, 40)}={_bare(hidden)}")
    return ", ".join(shown)


def _bare(value: Any) -> str:
    """A text, without quotes unless they are needed."""
    if isinstance(value, str) and value.isprintable() and value.strip() and '"' not in value:
        return safe(value, 40)
    return compact(value, 40)


def marks(step: Step) -> list[Span]:
    """What is special about a step, each mark in words."""
    found: list[Span] = []
    if step.when is not None:
        found.append((f"if {safe(say(step.when), 80)}", "queued"))
    if step.on_error == "continue":
        found.append(("continues after an error", "queued"))
    if isinstance(step, TaskStep):
        found += _task_marks(step)
    if isinstance(step, ParaStep):
        if step.gather == "dict":
            found.append(("by id", "queued"))
        if step.max_parallel is not None:
            found.append((f"{step.max_parallel} at a time", "queued"))
        if step.fail == "fast":
            found.append(("fails fast", "queued"))
    if step.notes:
        found.append(("¶", "dim"))
    return found


def _task_marks(step: TaskStep) -> list[Span]:
    found: list[Span] = []
    if step.pass_ in ("first", "payload", "none"):
        found.append((f"pass {step.pass_}", "queued"))
    if step.retry is not None:
        found.append((f"↻ {step.retry.max}", "queued"))
    if step.timeout is not None:
        found.append((f"⧖ {duration_text(step.timeout)}", "queued"))
    if step.start_timeout is not None:
        found.append((f"◷ {duration_text(step.start_timeout)}", "queued"))
    return found
