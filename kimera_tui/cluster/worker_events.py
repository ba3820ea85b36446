"""The facts in the events that workers send, whatever their shape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, get_args

from kimera_tui.cluster.facts import Fact, Report, TaskReported, WorkerHeard, WorkerLeft

DETAIL_CHARACTERS = 1_000
"""How much of an exception's text is kept."""
_REPORTS: Final = frozenset(get_args(Report))
_TASK = "task-"
_APART = 1e-6
"""Seconds between two events of one message, which keep their order by it."""


def facts_of(events: object, at: float) -> Iterator[Fact]:
    """The facts in one message: an event, or a list of them as prefork workers send.

    Args:
        events: The decoded message; anything that is not an event is left out.
        at: When it arrived, in seconds since the epoch.
    """
    for number, event in enumerate(events if isinstance(events, list) else [events]):
        if isinstance(event, Mapping):
            fact = _fact_of(event, at + number * _APART)
            if fact is not None:
                yield fact


def _fact_of(event: Mapping[str, Any], at: float) -> Fact | None:
    kind, worker = event.get("type"), event.get("hostname")
    if not isinstance(kind, str) or not isinstance(worker, str) or not worker:
        return None
    if kind.startswith(_TASK):
        return _task(event, kind[len(_TASK) :], worker, at)
    match kind:
        case "worker-offline":
            return WorkerLeft(at=at, worker=worker)
        case "worker-online" | "worker-heartbeat":
            return WorkerHeard(
                at=at,
                worker=worker,
                every=_number(event.get("freq")),
                online=kind == "worker-online",
                pid=_whole(event.get("pid")),
                active=_whole(event.get("active")),
                processed=_whole(event.get("processed")),
                load=_numbers(event.get("loadavg")),
                version=_text(event.get("sw_ver")),
            )
    return None


def _task(event: Mapping[str, Any], report: str, worker: str, at: float) -> Fact | None:
    task_id = event.get("uuid")
    if report not in _REPORTS or not isinstance(task_id, str):
        return None
    return TaskReported(
        at=at,
        task_id=task_id,
        report=report,  # type: ignore[arg-type]
        worker=worker,
        name=_text(event.get("name")),
        detail=_detail(event, report),
        queue=_text(event.get("queue")),
        retries=_whole(event.get("retries")),
        eta=_text(event.get("eta")),
        runtime=_number(event.get("runtime")),
    )


def _detail(event: Mapping[str, Any], report: str) -> str:
    if report == "revoked":
        if event.get("expired"):
            return "expired"
        return "terminated" if event.get("terminated") else ""
    return _text(event.get("exception"))[:DETAIL_CHARACTERS]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and value == value else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _numbers(value: object) -> tuple[float, ...]:
    if not isinstance(value, list | tuple):
        return ()
    return tuple(float(each) for each in value[:3] if isinstance(each, int | float))
