"""What speaks for and against a run before it is started, step by step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from kimera_tui.cluster.inspector import ClusterView
from kimera_tui.config.friends import Friend
from kimera_tui.config.trust import Access
from kimera_tui.documents.addresses import Address, walk
from kimera_tui.documents.call_checks import call_problems
from kimera_tui.documents.document import Document, Input, TaskStep, all_steps, called
from kimera_tui.documents.inputs import secret_value
from kimera_tui.errors import UsageError
from kimera_tui.execution.run_setup import Given
from kimera_tui.values.durations import duration_text

WORKERS_NAMED = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    step: str
    """Id of the step; empty for what is about the whole run."""
    sentence: str
    against: bool = True
    """Whether it speaks against running now."""

    @property
    def told(self) -> str:
        """Step and sentence."""
        return f"{self.step}: {self.sentence}" if self.step else self.sentence


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known at the moment."""

    view: ClusterView | None = None
    """What the workers of the default broker answered last; None before the first answer."""
    depths: Mapping[str, int] = field(default_factory=dict)
    """Messages that wait, by queue; queues of which nothing is known are left out."""
    usual: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """Median running time of tasks by friend and task, in seconds."""
    broker_problem: str = ""
    """Why broker or result backend can't be used, or an empty string."""


@dataclass(frozen=True, slots=True)
class Reads:
    """What a run reads besides its workflow's file."""

    all: Sequence[Access] = ()
    not_allowed: Sequence[Access] = ()
    """Those of them that nobody has allowed."""


NO_READS = Reads()


def queues_of(document: Document, friends: Mapping[str, Friend]) -> set[str]:
    """The queues of the default broker that a run of a document sends to."""
    found = (friends.get(called(step, document)[0]) for step in _tasks(document))
    return {friend.queue for friend in found if friend is not None and friend.broker is None}


def tasks_of(document: Document) -> set[tuple[str, str]]:
    """Friend and name of every task that a document calls."""
    return {called(step, document) for step in _tasks(document)}


def preflight(
    document: Document,
    given: Given,
    friends: Mapping[str, Friend],
    facts: Facts,
    environ: Mapping[str, str],
    reads: Reads = NO_READS,
) -> list[Finding]:
    """Everything that was looked at, in the order of the document; the whole run first.

    Args:
        document: What is to be run.
        given: What it is given.
        friends: The configured friends.
        facts: What is known of workers, queues and past runs.
        environ: Where secrets may come from.
        reads: What the run reads.
    """
    found = list(_whole(document, given, friends, facts))
    found += _reads(reads)
    if not reads.not_allowed:
        found += _secrets(document, given, environ)
    for address, step in walk(document):
        if isinstance(step, TaskStep):
            found += _step(document, address, step, friends, facts)
    return found


def against(findings: Sequence[Finding]) -> list[Finding]:
    """Those that speak against running."""
    return [finding for finding in findings if finding.against]


def _tasks(document: Document) -> Iterator[TaskStep]:
    return (step for step in all_steps(document) if isinstance(step, TaskStep))


def _whole(
    document: Document,
    given: Given,
    friends: Mapping[str, Friend],
    facts: Facts,
) -> Iterator[Finding]:
    if facts.broker_problem:
        yield Finding("", facts.broker_problem)
    else:
        yield Finding("", "Broker and result backend answer.", against=False)
    names = sorted({friend for friend, _ in tasks_of(document)})
    danger = [name for name in names if name in friends and friends[name].danger]
    if danger:
        yield Finding("", f"Marked as dangerous: {', '.join(danger)}.")


def _reads(reads: Reads) -> Iterator[Finding]:
    for access in reads.all:
        wanted = access in reads.not_allowed
        text = f"{access.sentence} Nobody has allowed that." if wanted else access.sentence
        yield Finding("", text, against=wanted)


def _secrets(document: Document, given: Given, environ: Mapping[str, str]) -> Iterator[Finding]:
    for name, spec in document.inputs.items():
        if spec.type == "secret":
            yield _secret(name, spec, given, environ)


def _secret(name: str, spec: Input, given: Given, environ: Mapping[str, str]) -> Finding:
    try:
        secret_value(name, spec, environ, given.prompted)
    except UsageError as error:
        return Finding("", error.message)
    return Finding("", f"{name}: the secret is there.", against=False)


def _step(
    document: Document,
    address: Address,
    step: TaskStep,
    friends: Mapping[str, Friend],
    facts: Facts,
) -> Iterator[Finding]:
    name, task = called(step, document)
    friend = friends.get(name)
    if friend is None:
        yield Finding(step.id, f"No friend `{name}` is configured.")
        return
    if friend.read_only:
        yield Finding(step.id, f"Friend `{name}` is read-only in friends.yaml.")
    for _, sentence in call_problems(document, address, step, friend, task):
        yield Finding(step.id, sentence)
    if friend.broker is not None:
        text = f"Friend `{name}` has a broker of its own: its workers are not asked."
        yield Finding(step.id, text, against=False)
    elif facts.view is None:
        yield Finding(step.id, "No worker has answered yet.")
    else:
        yield from _workers(step, friend, (name, task), facts.view, facts)


def _workers(
    step: TaskStep, friend: Friend, call: tuple[str, str], view: ClusterView, facts: Facts
) -> Iterator[Finding]:
    full_name = f"{friend.route}.{call[1]}"
    findings = view.findings(friend.queue, full_name)
    for sentence in findings:
        yield Finding(step.id, sentence)
    consumers = view.consumers(friend.queue)
    if not findings:
        knowing = [each for each in consumers if full_name in view.tasks.get(each, ())]
        by = "No worker has told its tasks yet"
        if knowing:
            by = f"{full_name} is registered by {_names(knowing)}"
        count = f"{len(consumers)} worker{'s' if len(consumers) != 1 else ''}"
        text = f"{by}; queue {friend.queue} is consumed by {count}."
        yield Finding(step.id, text, against=False)
    if depth := facts.depths.get(friend.queue):
        yield Finding(
            step.id, _backlog(depth, friend.queue, facts.usual.get(call), len(consumers)), False
        )


def _backlog(depth: int, queue: str, usual: float | None, workers: int) -> str:
    text = f"{depth:,} in queue {queue} before it"
    if usual is None or not workers:
        return f"{text}."
    wait = duration_text(max(1, round(depth * usual / workers)))
    return f"{text}: if they take as long as it usually does, it starts within {wait}."


def _names(workers: list[str]) -> str:
    rest = len(workers) - WORKERS_NAMED
    more = f" and {rest} more" if rest > 0 else ""
    return ", ".join(workers[:WORKERS_NAMED]) + more
