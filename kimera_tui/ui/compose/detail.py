"""The selected step in full: its call, its input and where that comes from, options, problems."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kimera_tui.config.friends import Friend, TaskInfo
from kimera_tui.documents.addresses import Address, kind_of, step_at
from kimera_tui.documents.checks import Problem
from kimera_tui.documents.data_access import reads_of
from kimera_tui.documents.data_flow import (
    UNKNOWN,
    fed_by,
    feed_words,
    known_feed,
    known_result,
    result_words,
)
from kimera_tui.documents.document import Document, Input, ParaStep, Step, TaskStep, called
from kimera_tui.documents.step_text import retry_words
from kimera_tui.execution.replay.from_run import LastRun
from kimera_tui.redaction import redact
from kimera_tui.safetext import compact, safe, trimmed
from kimera_tui.ui.compose.lookups import reference_lines
from kimera_tui.ui.compose.rows import WORDS, Row, marks
from kimera_tui.ui.theme import GLYPHS, STYLES
from kimera_tui.ui.widgets.lines import Line
from kimera_tui.values.durations import duration_text

NONE = LastRun("", {}, {})
"""Stands for the last run if there was none."""
_WIDTH = 10
_EMPTY: Line = (("", ""),)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known besides the document."""

    friends: Mapping[str, Friend] = field(default_factory=dict)
    last: LastRun = NONE
    problems: Sequence[Problem] = ()


def describe(document: Document, row: Row, known: Known) -> list[Line]:
    """All there is to say about a line of the tree."""
    if row.kind == "inputs":
        return _inputs(document, known)
    if row.kind == "header":
        return _header(document, known)
    if row.step is None:
        return _heading(row)
    step = row.step
    lines = _problems(step, known.problems)
    if isinstance(step, TaskStep):
        lines += _call(document, step, known)
    else:
        lines += _group(step)
    lines += _comes_in(document, row.address, step, known)
    lines += reference_lines(document, step, known.last.results, known.last.inputs)
    lines += _options(document, step)
    lines += _goes_out(step, known)
    return lines


def _labelled(title: str, text: str, style: str = "") -> Line:
    return ((f" {title:<{_WIDTH}}", "dim"), (text, style))


def _problems(step: Step, problems: Sequence[Problem]) -> list[Line]:
    own = [problem.sentence for problem in problems if problem.step == step.id]
    return [((" ⚠ ", "warning"), (safe(text, 400), "warning")) for text in own[:6]]


def _call(document: Document, step: TaskStep, known: Known) -> list[Line]:
    friend, name = called(step, document)
    config = known.friends.get(friend)
    info = config.tasks.get(name, TaskInfo()) if config is not None else TaskInfo()
    secret = {each for each, param in info.params.items() if param.secret}
    lines = [_labelled("task", f"{safe(friend, 80)}.{safe(name, 200)}", "strong")]
    if config is not None:
        route = "" if config.route == friend else f"{safe(config.route, 120)}.{safe(name, 200)} "
        lines.append((*lines.pop(), (f"  {route}on queue {safe(config.queue, 80)}", "dim")))
    if info.doc:
        lines.append(_labelled("", safe(info.doc, 300), "dim"))
    shown = {str(n): value for n, value in enumerate(redact(trimmed(step.args)))}
    if not step.args and not step.kwargs:
        return [*lines, _labelled("arguments", "none of its own", "dim")]
    lines += _values("args", shown)
    lines += _values("kwargs", redact(trimmed(step.kwargs), secret))
    return lines


def _values(title: str, values: Mapping[str, Any]) -> list[Line]:
    if not values:
        return []
    width = min(16, max(len(safe(name, 40)) for name in values))
    heads = [title, *[""] * (len(values) - 1)]
    return [
        (
            (f" {head:<{_WIDTH}}", "dim"),
            (f"{safe(name, 40):<{width}} ", "key"),
            (compact(value, 1000), ""),
        )
        for head, (name, value) in zip(heads, values.items(), strict=True)
    ]


def _group(step: Step) -> list[Line]:
    kind = kind_of(step)
    lines = [_labelled(kind, f"{step.id}, {WORDS[kind]}", "strong")]
    if isinstance(step, ParaStep) and step.max_parallel is not None:
        lines.append(_labelled("", f"at most {step.max_parallel} at a time"))
    return lines


def _comes_in(document: Document, address: Address, step: Step, known: Known) -> list[Line]:
    source_at = fed_by(document, address)
    lines: list[Line] = [_EMPTY, ((" What comes in", "key"),)]
    if source_at is None:
        why = "nothing: it is the first"
        if "on_error" in address:
            why = "nothing; ${{ error.message }} says what went wrong"
        elif address[0] == "finally":
            why = "nothing: finally steps run at the end, whatever happened"
        return [*lines, _labelled("", why, "dim")]
    source = step_at(document, source_at)
    value = known_feed(document, address, known.last.results)
    lines.append(_labelled("from", f"{source.id}: {result_words(source)}"))
    if isinstance(step, TaskStep):
        how = feed_words(step, source, value)
        lines.append(_labelled(f"({step.pass_})", how[0]))
        lines += [_labelled("", text) for text in how[1:]]
    else:
        first = "to its first step" if kind_of(step) == "chain" else "to each of its branches"
        lines.append(_labelled("", f"handed {first}"))
    if value is not UNKNOWN:
        lines.append(_labelled("last run", compact(redact(trimmed(value)), 600), "good"))
    return lines


def _goes_out(step: Step, known: Known) -> list[Line]:
    value = known_result(step, known.last.results)
    words = result_words(step)
    lines: list[Line] = [_EMPTY, ((" What goes out", "key"),)]
    if words != "its result":
        lines.append(_labelled("", words))
    if value is not UNKNOWN:
        return [*lines, _labelled("last run", compact(redact(trimmed(value)), 600), "good")]
    if (ending := known.last.endings.get(step.id)) is not None:
        return [*lines, _labelled("last run", safe(ending, 600), "warning")]
    return [*lines, _labelled("", "no result of a past run is known", "dim")]


def _options(document: Document, step: Step) -> list[Line]:
    lines = [_labelled("", text, style) for text, style in marks(step) if text[0] not in "¶↻⧖◷"]
    defaults = document.defaults
    if isinstance(step, TaskStep):
        if step.retry is not None:
            lines.append(_labelled("retry", retry_words(step.retry)))
        elif defaults.retry is not None:
            lines.append(_labelled("retry", f"{retry_words(defaults.retry)}, by default", "dim"))
        if step.timeout is not None:
            lines.append(_labelled("timeout", duration_text(step.timeout)))
        elif defaults.timeout is not None:
            lines.append(
                _labelled("timeout", f"{duration_text(defaults.timeout)}, by default", "dim")
            )
        if step.start_timeout is not None:
            lines.append(_labelled("", f"at most {duration_text(step.start_timeout)} in the queue"))
        if step.idempotent:
            lines.append(_labelled("", "may run twice (idempotent)"))
    lines += [_labelled("notes", safe(text, 400), "dim") for text in step.notes.splitlines()[:20]]
    return [_EMPTY, ((" Options", "key"),), *lines] if lines else []


def _heading(row: Row) -> list[Line]:
    if row.address[-1] == "finally":
        return [
            _labelled(
                "finally", "Steps that run at the end, whatever happened: also after a failure"
            ),
            _labelled("", "and when the run is cancelled. z adds one."),
        ]
    return [
        _labelled("on error", "Steps that run when the step above failed; then the run fails."),
        _labelled("", "They can use ${{ error.message }}. f on a step adds one."),
    ]


def _header(document: Document, known: Known) -> list[Line]:
    last = known.last
    lines = [_labelled("name", safe(document.name, 200), "strong")]
    lines += [
        _labelled("", safe(text, 400), "dim") for text in document.description.splitlines()[:40]
    ]
    if document.timeout is not None:
        lines.append(_labelled("timeout", f"{duration_text(document.timeout)} for the whole run"))
    defaults = document.defaults
    if defaults.friend is not None:
        lines.append(_labelled("friend", f"{safe(defaults.friend, 80)}, by default"))
    if defaults.timeout is not None:
        lines.append(_labelled("step", f"{duration_text(defaults.timeout)} for a step, by default"))
    if defaults.retry is not None:
        lines.append(_labelled("retry", f"{retry_words(defaults.retry)}, by default"))
    if document.concurrency is not None:
        key, limit = document.concurrency.key, document.concurrency.limit
        lines.append(_labelled("at once", f"{limit} with the same key {safe(key, 120)}"))
    for number, access in enumerate(reads_of(document, known.friends)):
        lines.append(_labelled("" if number else "access", safe(access.sentence, 300), "warning"))
    if last.run_id:
        when = time.strftime("%d %b %Y %H:%M", time.localtime(last.started))
        lines.append(
            (
                (f" {'last run':<{_WIDTH}}", "dim"),
                (f"{GLYPHS[last.status]} {last.status.value}", STYLES[last.status]),
                (f"  {when}", "dim"),
            )
        )
    lines += [_EMPTY, _labelled("", "e edits the header, i the inputs; a adds a step.", "dim")]
    return lines


def _inputs(document: Document, known: Known) -> list[Line]:
    if not document.inputs:
        return [
            _labelled("inputs", "none: a run asks for nothing."),
            _labelled("", "i adds inputs; steps use them as ${{ inputs.day }}.", "dim"),
        ]
    lines: list[Line] = []
    for name, spec in document.inputs.items():
        lines.append(((f" {name}  ", "strong"), (spec_words(spec), "")))
        if spec.description:
            lines.append((("   ", ""), (safe(spec.description, 300), "dim")))
        if name in known.last.inputs and spec.type != "secret":
            shown = redact({name: trimmed(known.last.inputs[name])})[name]
            lines.append((("   last run ", "dim"), (compact(shown, 300), "good")))
    return lines


def spec_words(spec: Input) -> str:
    """What an input may be, in a few words."""
    words: list[str] = [spec.type]
    if spec.required:
        words.append("required")
    if spec.values:
        words.append("|".join(safe(value, 40) for value in spec.values[:12]))
    if spec.default is not None:
        words.append(f"default {compact(spec.default, 80)}")
    if spec.min is not None:
        words.append(f"from {compact(spec.min, 40)}")
    if spec.max is not None:
        words.append(f"up to {compact(spec.max, 40)}")
    if spec.from_ is not None:
        words.append(f"from {safe(spec.from_, 80)}")
    return ", ".join(words)
