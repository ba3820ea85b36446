"""The demo friends' tasks: small, harmless, and one for each thing that a console shows.

A chain feeds a step with the previous result: a dict as keywords, a list as positional arguments,
anything else as ``payload``. Tasks that make sense after others accept all three.
"""

from __future__ import annotations

import os
import time
from datetime import date
from typing import Any, Final

from celery import Task, shared_task

QUEUES: Final = ("calculator", "echo", "reports", "flaky")
"""One queue per friend, with the friend's name."""

Number = int | float

HOSTILE: Final = {
    "control": "bell \a, backspace \b\b\b, NUL \x00, vertical tab \v, C1 \x9b31m, DEL \x7f",
    "escape": "\x1b[2J\x1b[31mred\x1b[0m \x1b]0;your title is mine\a \x1b]52;c;cHduZWQ=\a"
    " \x1b]8;;https://example.invalid\x1b\\link\x1b]8;;\x1b\\ \x1b[?1049l\x1bc",
    "markup": "[/x] [bold [red]] [@click=app.quit]press me[/] [link=file:///]here[/link] \\[",
    "bidi": "invoice_\u202efdp.exe \u2066isolated\u2069 \u200eleft\u200fright \u202dend",
    "surrogate": "a lone surrogate \ud800 and its half \udfff",
}


def _flat(value: Any) -> list[Number]:
    """All numbers in nested lists, in order; None is skipped, anything else is an error."""
    if value is None:
        return []
    if isinstance(value, list | tuple):
        return [number for item in value for number in _flat(item)]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is not a number")
    return [value]


def _some(*values: Any) -> list[Number]:
    numbers = _flat(values)
    if not numbers:
        raise ValueError("no numbers were given")
    return numbers


@shared_task(name="calculator.add")
def add(a: Number | None = None, b: Number | None = None, payload: Any = None) -> Number:
    """Add two numbers and the previous result."""
    return sum(_some(a, b, payload))


@shared_task(name="calculator.multiply")
def multiply(a: Number | None = None, b: Number | None = None, payload: Any = None) -> Number:
    """Multiply two numbers and the previous result."""
    product: Number = 1
    for number in _some(a, b, payload):
        product *= number
    return product


@shared_task(name="calculator.divide")
def divide(a: Number | None = None, b: Number = 1, payload: Any = None) -> float:
    """Divide a, or else the previous result, by b; fails if b is 0."""
    return _some(payload if a is None else a)[0] / b


@shared_task(name="calculator.total")
def total(*args: Any, numbers: Any = None, payload: Any = None) -> Number:
    """Sum all numbers, however they are passed."""
    return sum(_some(args, numbers, payload))


@shared_task(name="calculator.stats")
def stats(*args: Any, numbers: Any = None, payload: Any = None) -> dict[str, Number]:
    """Return count, smallest, largest, sum and mean of the numbers."""
    found = _some(args, numbers, payload)
    return {
        "count": len(found),
        "least": min(found),
        "most": max(found),
        "total": sum(found),
        "mean": sum(found) / len(found),
    }


@shared_task(name="echo.value")
def value(payload: Any = None, *args: Any, **fed: Any) -> Any:
    """Return the payload, or all arguments if there are more."""
    if not args and not fed:
        return payload
    return {"args": [payload, *args], **fed}


@shared_task(name="echo.a_dict")
def a_dict(*args: Any, **fed: Any) -> dict[str, Any]:
    """Return a small dict; the next step gets its keys as keywords."""
    return {"city": "Lisbon", "visitors": 1290, **fed}


@shared_task(name="echo.a_list")
def a_list(*args: Any, **fed: Any) -> list[Any]:
    """Return three numbers; the next step gets them as positional arguments."""
    return [3, 5, 8]


@shared_task(name="echo.a_scalar")
def a_scalar(*args: Any, number: Number = 42, **fed: Any) -> Number:
    """Return one number; the next step gets it as ``payload``."""
    return number


@shared_task(name="echo.nothing")
def nothing(*args: Any, **fed: Any) -> None:
    """Return nothing; the next step is fed nothing."""


@shared_task(name="echo.big")
def big(size_kb: int = 1024, *args: Any, **fed: Any) -> str:
    """Return text of that many kilobytes, in numbered lines."""
    if not 0 <= size_kb <= 65_536:
        raise ValueError("size_kb must be between 0 and 65536")
    lines = (f"{number:07d} the quick brown fox jumps over the lazy dog" for number in range(10**7))
    text: list[str] = []
    missing = size_kb * 1024
    while missing > 0:
        line = next(lines)[: missing - 1] + "\n"
        text.append(line)
        missing -= len(line)
    return "".join(text)


@shared_task(name="reports.fetch")
def fetch(day: str = "", count: int = 3, payload: Any = None, **fed: Any) -> dict[str, Any]:
    """Return the rows of a day, by default today's."""
    cities = ("Lisbon", "Nairobi", "Osaka", "Quito", "Oslo")
    rows = [
        {"city": cities[number % len(cities)], "amount": 100 + 37 * number}
        for number in range(count)
    ]
    return {"day": day or payload or date.today().isoformat(), "rows": rows}  # noqa: DTZ011


@shared_task(name="reports.render", bind=True)
def render(
    self: Task[..., Any],
    /,
    day: str = "",
    title: str = "Report",
    seconds: float = 4.0,
    pages: int = 8,
    rows: list[Any] | None = None,
    paper: str = "A4",
    token: str | None = None,
    **fed: Any,
) -> dict[str, Any]:
    """Render a document page by page, reporting progress."""
    for page in range(1, pages + 1):
        time.sleep(seconds / pages)
        self.update_state(state="PROGRESS", meta={"current": page, "total": pages})
    day = day or date.today().isoformat()  # noqa: DTZ011
    return {
        "day": day,
        "rows": rows or [],
        "document": f"{title.lower().replace(' ', '-')}-{day}-{paper.lower()}.pdf",
        "pages": pages,
    }


@shared_task(name="reports.summarise")
def summarise(
    day: str = "",
    rows: list[Any] | None = None,
    document: str = "",
    payload: Any = None,
    **fed: Any,
) -> str:
    """Return a sentence about the rows of a day."""
    rows = rows or []
    amount = sum(row.get("amount", 0) for row in rows if isinstance(row, dict))
    where = f" in {document}" if document else ""
    also = f"; also {payload}" if payload is not None else ""
    return f"{day or 'today'}: {len(rows)} rows{where}, {amount} in all{also}"


@shared_task(name="flaky.fail")
def fail(message: str = "this task always fails", *args: Any, **fed: Any) -> None:
    """Raise ValueError with that message."""
    raise ValueError(message)


@shared_task(name="flaky.retry", bind=True)
def retry(
    self: Task[..., Any], /, times: int = 2, wait: float = 1.0, *args: Any, **fed: Any
) -> dict[str, int]:
    """Fail that many times, waiting some seconds before each retry, then succeed."""
    done = self.request.retries or 0
    if done < times:
        raise self.retry(
            countdown=wait,
            max_retries=times,
            exc=ConnectionError(f"attempt {done + 1} of {times + 1} failed on purpose"),
        )
    return {"attempts": done + 1}


@shared_task(name="flaky.sleep")
def sleep(seconds: float = 10.0, *args: Any, **fed: Any) -> float:
    """Sleep for some seconds: something to wait for, cancel or terminate."""
    time.sleep(seconds)
    return seconds


@shared_task(name="flaky.hostile")
def hostile(kind: str = "all", *args: Any, **fed: Any) -> str:
    """Text that breaks careless terminals and markup readers."""
    if kind == "all":
        return "\n".join(text for name, text in HOSTILE.items() if name != "surrogate")
    return HOSTILE[kind]


@shared_task(name="flaky.crash")
def crash(code: int = 1, *args: Any, **fed: Any) -> None:
    """Kill the worker's pool process in the middle of the task."""
    os._exit(code)
