"""What a workflow reads besides its own file, and where it sends it."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping

from kimera_tui.config.friends import Friend
from kimera_tui.config.trust import Access
from kimera_tui.documents.document import Document, TaskStep, all_steps, called
from kimera_tui.documents.references import TemplateError, references_in
from kimera_tui.redaction import redact_text


def reads_of(document: Document, friends: Mapping[str, Friend], broker: str = "") -> list[Access]:
    """The files and environment variables that a run of a document reads.

    Args:
        document: The workflow.
        friends: The configured friends; some may have their own brokers.
        broker: The default broker's URL if it comes from a discovered file; else empty.
    """
    destinations = _destinations(document, friends, broker)
    reads: set[Access] = set()
    for name in document.env:
        reads |= {Access("variable", name, to) for to in destinations["env", name] or {""}}
    for name, spec in document.inputs.items():
        kind, _, place = (spec.from_ or "prompt").partition(":")
        if spec.type != "secret" or kind == "prompt":
            continue
        for to in destinations["inputs", name] or {""}:
            reads.add(Access("variable", place, to) if kind == "env" else _file(place, to))
    return sorted(reads)


def _file(place: str, to: str) -> Access:
    path = os.path.abspath(os.path.expanduser(place))  # noqa: PTH100, PTH111 - never raise
    return Access("file", path, to)


def _destinations(
    document: Document, friends: Mapping[str, Friend], broker: str
) -> Mapping[tuple[str, str], set[str]]:
    """Where each input and each variable is sent."""
    destinations: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for step in all_steps(document):
        if isinstance(step, TaskStep):
            for place in _looked_up(step, document):
                destinations[place].add(_destination(step, document, friends, broker))
    return destinations


def _looked_up(step: TaskStep, document: Document) -> Iterator[tuple[str, str]]:
    try:
        references = list(references_in([step.args, step.kwargs]))
    except TemplateError:  # reported by the checks; such a document is never sent
        return
    names = {"inputs": document.inputs, "env": document.env}
    for reference in references:
        if reference.path:
            yield reference.root, str(reference.path[0])
        else:
            yield from ((reference.root, name) for name in names.get(reference.root, ()))


def _destination(
    step: TaskStep, document: Document, friends: Mapping[str, Friend], broker: str
) -> str:
    friend, task = called(step, document)
    configured = friends.get(friend)
    url = (configured.broker if configured is not None else None) or broker
    return f"{friend}.{task} on {redact_text(url)}" if url else f"{friend}.{task}"
