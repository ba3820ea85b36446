"""Check before a run starts whether its steps can succeed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from kimera_tui.cluster.view import ClusterView
from kimera_tui.config.friends import Friend
from kimera_tui.config.trust import Access
from kimera_tui.documents.addresses import Address, walk
from kimera_tui.documents.checks import call_problems
from kimera_tui.documents.document import Document, Input, TaskStep, all_steps, called
from kimera_tui.documents.inputs import secret_value
from kimera_tui.errors import UsageError
from kimera_tui.execution.run_inputs import RunInputs
from kimera_tui.values.durations import duration_text

WORKERS_NAMED = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check."""

    step: str
    """Id of the step; empty for the whole run."""
    sentence: str
    against: bool = True
    """Whether it is a reason not to run now."""

    @property
    def text(self) -> str:
        """The step and the sentence."""
        return f"{self.step}: {self.sentence}" if self.step else self.sentence


@dataclass(frozen=True, slots=True)
class Facts:
    """The current state of brokers, workers and queues."""

    view: ClusterView | None = None
    """The latest replies of the default broker's workers; None before the first reply."""
    depths: Mapping[str, int] = field(default_factory=dict)
    """Messages waiting in each queue; queues of unknown depth are left out."""
    usual: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """Median running time by friend and task, in seconds."""
    broker_problem: str = ""
    """Why the broker or the result backend cannot be used, or an empty string."""
    views: Mapping[str, ClusterView] = field(default_factory=dict)
    """What is known of the workers of friends that have their own broker, by friend."""


@dataclass(frozen=True, slots=True)
class Reads:
    """What a run reads besides its workflow file."""

    all: Sequence[Access] = ()
    not_allowed: Sequence[Access] = ()
    """Those that still need permission."""


NO_READS = Reads()


def queues_of(document: Document, friends: Mapping[str, Friend]) -> set[str]:
    """The queues of the default broker that a document sends to."""
    receivers = (friends.get(called(step, document)[0]) for step in _tasks(document))
    return {friend.queue for friend in receivers if friend is not None and friend.broker is None}


def tasks_of(document: Document) -> set[tuple[str, str]]:
    """Friend and name of each task that a document calls."""
    return {called(step, document) for step in _tasks(document)}


def preflight(
    document: Document,
    run_inputs: RunInputs,
    friends: Mapping[str, Friend],
    facts: Facts,
    environ: Mapping[str, str],
    reads: Reads = NO_READS,
) -> list[Finding]:
    """All findings: those about the whole run first, then in the order of the document.

    Args:
        document: The workflow.
        run_inputs: Its inputs.
        friends: The configured friends.
        facts: The state of workers, queues and past runs.
        environ: Where secrets may come from.
        reads: What the run reads.
    """
    findings = [*_whole(document, friends, facts), *_reads(reads)]
    if not reads.not_allowed:
        findings += _secrets(document, run_inputs, environ)
    for address, step in walk(document):
        if isinstance(step, TaskStep):
            findings += _step(document, address, step, friends, facts)
    return findings


def against(findings: Sequence[Finding]) -> list[Finding]:
    """The findings that are reasons not to run now."""
    return [finding for finding in findings if finding.against]


def _tasks(document: Document) -> Iterator[TaskStep]:
    return (step for step in all_steps(document) if isinstance(step, TaskStep))


def _whole(document: Document, friends: Mapping[str, Friend], facts: Facts) -> Iterator[Finding]:
    if facts.broker_problem:
        yield Finding("", facts.broker_problem)
    else:
        yield Finding("", "Broker and result backend are reachable.", against=False)
    names = sorted({friend for friend, _ in tasks_of(document)})
    danger = [name for name in names if name in friends and friends[name].danger]
    if danger:
        yield Finding("", f"Marked as dangerous: {', '.join(danger)}.")


def _reads(reads: Reads) -> Iterator[Finding]:
    for access in reads.all:
        missing = access in reads.not_allowed
        text = f"{access.sentence} Not allowed yet." if missing else access.sentence
        yield Finding("", text, against=missing)


def _secrets(
    document: Document, run_inputs: RunInputs, environ: Mapping[str, str]
) -> Iterator[Finding]:
    for name, spec in document.inputs.items():
        if spec.type == "secret":
            yield _secret(name, spec, run_inputs, environ)


def _secret(name: str, spec: Input, run_inputs: RunInputs, environ: Mapping[str, str]) -> Finding:
    try:
        secret_value(name, spec, environ, run_inputs.prompted)
    except UsageError as error:
        return Finding("", error.message)
    return Finding("", f"{name}: the secret is available.", against=False)


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
    view = facts.view if friend.broker is None else facts.views.get(name)
    if view is None:
        yield Finding(step.id, "No worker has answered yet.")
    else:
        yield from _workers(step, friend, (name, task), view, facts)


def _workers(
    step: TaskStep, friend: Friend, call: tuple[str, str], view: ClusterView, facts: Facts
) -> Iterator[Finding]:
    full_name = f"{friend.route}.{call[1]}"
    findings = view.findings(friend.queue, full_name)
    for sentence in findings:
        yield Finding(step.id, sentence)
    consumers = view.consumers(friend.queue)
    if not findings:
        registered = [each for each in consumers if full_name in view.tasks.get(each, ())]
        by = "No worker has reported its tasks yet"
        if registered:
            by = f"{full_name} is registered on {_names(registered)}"
        count = f"{len(consumers)} worker{'s' if len(consumers) != 1 else ''}"
        text = f"{by}; queue {friend.queue} is consumed by {count}."
        yield Finding(step.id, text, against=False)
    if depth := facts.depths.get(friend.queue):
        yield Finding(
            step.id, _backlog(depth, friend.queue, facts.usual.get(call), len(consumers)), False
        )


def _backlog(depth: int, queue: str, usual: float | None, workers: int) -> str:
    text = f"{depth:,} message{'s' if depth != 1 else ''} ahead of it in queue {queue}"
    if usual is None or not workers:
        return f"{text}."
    wait = duration_text(max(1, round(depth * usual / workers)))
    return f"{text}: if each takes as long as this task usually does, it starts within {wait}."


def _names(workers: list[str]) -> str:
    rest = len(workers) - WORKERS_NAMED
    more = f" and {rest} more" if rest > 0 else ""
    return ", ".join(workers[:WORKERS_NAMED]) + more
