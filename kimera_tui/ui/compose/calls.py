"""The calls of a dry run in lines: each with its payload, and what it will be fed with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kimera_tui.documents.addresses import Address, step_at, walk
from kimera_tui.documents.data_flow import fed_by, feed_words, result_words, takes_result
from kimera_tui.documents.document import Document, TaskStep
from kimera_tui.safetext import compact, safe
from kimera_tui.ui.compose.rows import marks
from kimera_tui.ui.widgets.lines import Line, Span

_LEAD = "     "


def calls_lines(document: Document, calls: Iterable[Mapping[str, Any]]) -> list[Line]:
    """The lines of all calls that a run of a document would make."""
    steps = {
        step.id: (address, step) for address, step in walk(document) if isinstance(step, TaskStep)
    }
    lines: list[Line] = []
    for call in calls:
        address, step = steps[call["step"]]
        lines += [_head(call, step), *_payload(call), *_comes_in(document, address, step)]
    return lines


def _head(call: Mapping[str, Any], step: TaskStep) -> Line:
    special: list[Span] = [
        (f"  {text}", style) for text, style in marks(step) if text[:1] not in "⧖¶"
    ]
    return (
        (f" {safe(call['step'], 60)}  ", "strong"),
        (f"{safe(call['friend'], 80)}.{safe(call['task'], 200)}", "active"),
        (f"  on {safe(call['queue'], 80)}" if call["queue"] else "", "dim"),
        (f"  within {safe(call['timeout'], 20)}", "dim"),
        *special,
    )


def _payload(call: Mapping[str, Any]) -> list[Line]:
    own = {str(number): value for number, value in enumerate(call["args"])} | call["kwargs"]
    if not own:
        return [((f"{_LEAD}no arguments of its own", "dim"),)]
    return [
        ((f"{_LEAD}{safe(name, 40):<12} ", "key"), (compact(value, 2000), ""))
        for name, value in own.items()
    ]


def _comes_in(document: Document, address: Address, step: TaskStep) -> list[Line]:
    source_at = fed_by(document, address)
    if source_at is None or not takes_result(step):
        return []
    source = step_at(document, source_at)
    ways = feed_words(step, source)
    how = ways[0] if len(ways) == 1 else "put in by its kind"
    return [
        (
            (f"{_LEAD}+ {source.id:<10} ", "good"),
            (f"{result_words(source)}: {how}", "dim"),
        )
    ]
