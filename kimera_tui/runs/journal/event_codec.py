"""Events as rows and back: named by their classes, stored as plain JSON, without secrets."""

from __future__ import annotations

import dataclasses
import json
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kimera_tui.depth import is_too_deep, may_be_too_deep
from kimera_tui.process import events as e
from kimera_tui.process.engine import Receipt
from kimera_tui.redaction import by_place
from kimera_tui.runs import events as r
from kimera_tui.runs.journal.plan_codec import plain_plan, plan_from, written_payload
from kimera_tui.runs.journal.value_codec import Packer, args_from, kwargs_from, unpack
from kimera_tui.runs.plan import Node

LARGEST_RESULT = 8 * 1024 * 1024
"""Largest result that is kept, in bytes of JSON: as much as the engine reads."""
_LARGEST_TEXT = 512 * 1024 * 1024
"""Largest row that is read, in bytes: the plan of a hundred thousand steps takes some 50 MB."""
COMPRESSED_FROM = 4096
"""Bytes from which a row's data is compressed."""

_BASES = (e.TaskEvent, r.RunEvent)
KINDS: Mapping[str, type[e.Event]] = {
    kind.__name__: kind
    for module in (e, r)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, _BASES) and kind not in _BASES
}
"""Every kind of event that is written: all that happens to tasks and runs."""

_DEEPEST_ROW = 800
"""Levels of JSON: the deepest plan with the deepest values has fewer."""
_COLUMNS = frozenset({"at", "run_id", "path", "task_id"})
_NOT_IN_COLUMNS = {"StepRetried": frozenset({"task_id"})}
"""Fields that have a column's name but not its value: here, the id of the new task."""
_LEFT_OUT = {
    "RunAdopted": frozenset({"past", "secrets"}),
    "RunStarted": frozenset({"secrets"}),
    "Sending": frozenset({"args", "kwargs", "secret"}),
}
"""Fields that are stored elsewhere in the journal, as payloads are in the step's intent."""
VALUES = frozenset({"args", "kwargs", "result", "meta", "inputs", "header"})
"""Fields that hold arbitrary values from outside."""
_FIELDS = {
    name: tuple(
        field.name
        for field in dataclasses.fields(kind)
        if field.name in _NOT_IN_COLUMNS.get(name, ())
        or field.name not in _COLUMNS | _LEFT_OUT.get(name, frozenset())
    )
    for name, kind in KINDS.items()
}
_ALL_FIELDS = {
    name: {field.name for field in dataclasses.fields(kind)} for name, kind in KINDS.items()
}

_PLAIN: Mapping[str, Any] = {
    "str": str,
    "int": int,
    "float": int | float,
    "bool": bool,
    "str | None": str | None,
    "int | None": int | None,
    "float | None": int | float | None,
    "Mapping[str, Any]": Mapping,
}
_TYPES = {
    name: {
        field.name: _PLAIN[str(field.type)]
        for field in dataclasses.fields(kind)
        if str(field.type) in _PLAIN
    }
    for name, kind in KINDS.items()
}

_to_json = json.JSONEncoder(separators=(",", ":")).encode

Data = str | bytes
"""JSON as text, or compressed if it is long."""


def encode(event: e.Event, packer: Packer) -> Data:
    """The row's data: everything but time, run, path and task, which have columns.

    Args:
        event: An event of one of the ``KINDS``.
        packer: The packer of the event's run.
    """
    learn(event, packer)
    fields = _FIELDS[type(event).__name__]
    if not fields:
        return "{}"
    plain = {field: _written(event, field, packer) for field in fields}
    text = _to_json(plain)
    if len(text) > LARGEST_RESULT and "result" in plain:
        plain["result"] = {"$size": len(text)}
        text = _to_json(plain)
    return text if len(text) < COMPRESSED_FROM else zlib.compress(text.encode(), 1)


def decode(kind: str, data: Data, columns: Mapping[str, Any]) -> e.Event | None:
    """The event of a row; None for kinds and shapes that this version does not know.

    Args:
        kind: The name of the event's class.
        data: What ``encode`` returned.
        columns: ``at``, ``run_id``, ``path`` and ``task_id``, and the fields that were left out.
    """
    known = KINDS.get(kind)
    if known is None:
        return None
    try:
        text = _inflated(data) if isinstance(data, bytes) else data
        plain = json.loads(text)
        if may_be_too_deep(text, _DEEPEST_ROW) and is_too_deep(plain, _DEEPEST_ROW):
            return None
        fields = {name: _read(name, value) for name, value in plain.items()}
        own = _ALL_FIELDS[kind]
        values = {name: value for name, value in {**columns, **fields}.items() if name in own}
        return known(**values) if _types_match(kind, values) else None
    except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError, zlib.error):
        return None
    except RecursionError:
        return None


def _inflated(data: bytes) -> str:
    inflater = zlib.decompressobj()
    text = inflater.decompress(data, _LARGEST_TEXT)
    if not inflater.eof:
        raise ValueError("truncated, or far too large")
    return text.decode()


def _types_match(kind: str, fields: Mapping[str, Any]) -> bool:
    """Whether plain fields have the right types; another program may have written them."""
    types = _TYPES[kind]
    return all(isinstance(value, types[name]) for name, value in fields.items() if name in types)


def learn(event: e.Event, packer: Packer) -> None:
    """Teach the packer the secrets that an event contains."""
    match event:
        case r.RunStarted():
            packer.learn(event.secrets, event.secrets.keys())
            for _, node in event.plan.walk():
                args, kwargs = written_payload(node)
                secret = node.task.secret if node.task is not None else ()
                packer.learn(kwargs, secret)
                packer.learn(by_place(args), secret)
        case r.StepIntended() | r.StepHandedOver() | e.Sending():
            packer.learn(event.kwargs, event.secret)
            packer.learn(by_place(event.args), event.secret)
        case r.RunAdopted():
            packer.learn(event.secrets, event.secrets.keys())
        case e.Succeeded() | e.FinishedLate() | r.ResultKept() | r.StepReused():
            packer.learn(event.result, ())


def _written(event: e.Event, field: str, packer: Packer) -> Any:
    value = getattr(event, field)
    if field in VALUES:
        if field == "args":
            value = list(value)
        return packer.pack(value, field, getattr(event, "secret", ()))
    if isinstance(value, str):
        return packer.text(value)
    if isinstance(value, Node):
        return plain_plan(value, packer)
    if field == "receipts":
        return [[each.worker, packer.text(each.answer), each.ok] for each in value]
    if isinstance(value, frozenset):
        return sorted(value)
    if field in ("despite", "why_not"):
        return [packer.text(sentence) for sentence in value]
    return list(value) if isinstance(value, tuple) else value


def _receipts(rows: Iterable[Any]) -> tuple[Receipt, ...]:
    return tuple(Receipt(worker, answer, ok) for worker, answer, ok in rows)


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "args": args_from,
    "kwargs": kwargs_from,
    "result": unpack,
    "meta": unpack,
    "plan": plan_from,
    "receipts": _receipts,
    "secret": frozenset,
    "revoked": tuple,
    "paths": tuple,
    "children": tuple,
    "despite": tuple,
    "workers": tuple,
    "why_not": tuple,
    "inputs": unpack,
    "header": unpack,
}


def _read(field: str, plain: Any) -> Any:
    read = _READERS.get(field)
    return plain if read is None else read(plain)
