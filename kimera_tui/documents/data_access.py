"""What a workflow reads besides its own file, and where it sends that."""

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
        document: What is to be run.
        friends: The configured friends, some of which may have brokers of their own.
        broker: The default broker's URL where nobody but a found file named it.
    """
    sent = _sent(document, friends, broker)
    found: set[Access] = set()
    for name in document.env:
        found |= {Access("variable", name, to) for to in sent["env", name] or {""}}
    for name, spec in document.inputs.items():
        kind, _, place = (spec.from_ or "prompt").partition(":")
        if spec.type != "secret" or kind == "prompt":
            continue
        for to in sent["inputs", name] or {""}:
            found.add(Access("variable", place, to) if kind == "env" else _file(place, to))
    return sorted(found)


def _file(place: str, to: str) -> Access:
    path = os.path.abspath(os.path.expanduser(place))  # noqa: PTH100, PTH111 - never raise
    return Access("file", path, to)


def _sent(
    document: Document, friends: Mapping[str, Friend], broker: str
) -> Mapping[tuple[str, str], set[str]]:
    """Where each input and each variable goes."""
    found: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for step in all_steps(document):
        if isinstance(step, TaskStep):
            for place in _looked_up(step, document):
                found[place].add(_destination(step, document, friends, broker))
    return found


def _looked_up(step: TaskStep, document: Document) -> Iterator[tuple[str, str]]:
    try:
        references = list(references_in([step.args, step.kwargs]))
    except TemplateError:  # told as a mistake of the document, which is never sent
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
