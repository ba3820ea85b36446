"""Reads and removes stored results by key, many in one round trip; skips those too large."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from redis.exceptions import ResponseError

from kimera_tui.process.outcome import Outcome, read_meta, unreadable
from kimera_tui.process.redis.reconnecting import RedisConnection
from kimera_tui.process.redis.wire import Wire, pack
from kimera_tui.process.stored_form import state_in

PER_COMMAND = 250
LARGEST = 8 * 1024 * 1024
"""The largest stored result that is read, in bytes."""
_MOST_AT_ONCE = 4 * LARGEST
_HEAD = 1024
"""How many bytes are read of a result that is too large."""


def too_large(size: int, key: bytes, head: bytes) -> Outcome:
    """The outcome of a task whose result is too large to read; it stays in the backend.

    Args:
        size: Its size in bytes.
        key: Where it is stored.
        head: Its first bytes, which tell the state.
    """
    return unreadable(
        f"the stored result is {size / 2**20:.1f} MiB, the limit is {LARGEST // 2**20} MiB;"
        f" it stays in the result backend under {key.decode()}",
        state_in(head),
    )


def read_result(key: bytes, raw: bytes) -> Outcome:
    """The outcome in a stored result; never raises."""
    if len(raw) > LARGEST:
        return too_large(len(raw), key, raw[:_HEAD])
    try:
        return read_meta(raw)
    except Exception as error:  # noqa: BLE001 - no stored value may stop the watcher
        return unreadable(f"the stored result cannot be read ({type(error).__name__})")


async def look_up(wire: Wire, keys: Sequence[bytes]) -> list[Outcome | None]:
    """What is stored under each key; None for nothing yet.

    Sizes are read first, so a task that has not ended costs a few bytes, and so does a result of
    gigabytes.

    Raises:
        WireLost: the connection was lost.
        ResponseError: the server refuses, for example while it loads its data.
    """
    found: list[Outcome | None] = [None] * len(keys)
    sizes = await wire.call(b"".join(pack(b"STRLEN", key) for key in keys), len(keys))
    wanted: list[int] = []
    for at, size in enumerate(sizes):
        if isinstance(size, ResponseError):
            if "WRONGTYPE" not in str(size):
                raise size
            found[at] = unreadable("the stored result is not a string")
        elif size > LARGEST:
            head = (await wire.call(pack(b"GETRANGE", keys[at], b"0", b"%d" % (_HEAD - 1))))[0]
            if isinstance(head, ResponseError):
                raise head
            found[at] = too_large(size, keys[at], head)
        elif size > 0:
            wanted.append(at)
    for portion in _portions(wanted, sizes):
        values = (await wire.call(pack(b"MGET", *(keys[at] for at in portion))))[0]
        if isinstance(values, ResponseError):
            raise values
        for at, value in zip(portion, values, strict=True):
            found[at] = None if value is None else read_result(keys[at], value)
    return found


def _portions(wanted: Sequence[int], sizes: Sequence[Any]) -> Iterator[list[int]]:
    """The wanted keys in portions of bounded size."""
    portion: list[int] = []
    total = 0
    for at in wanted:
        if portion and total + sizes[at] > _MOST_AT_ONCE:
            yield portion
            portion, total = [], 0
        portion.append(at)
        total += sizes[at]
    if portion:
        yield portion


async def unlink(connection: RedisConnection, keys: Sequence[bytes], patience: float) -> None:
    """Remove keys, some hundred per command.

    Raises:
        BrokerUnavailable: there is no connection within ``patience`` seconds.
        WireLost: the connection was lost.
    """
    wire = await connection.connected(patience)
    calls = [
        wire.call(pack(b"UNLINK", *keys[start : start + PER_COMMAND]))
        for start in range(0, len(keys), PER_COMMAND)
    ]
    for call in calls:
        await call
