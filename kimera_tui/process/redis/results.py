"""Reads and removes stored results by their keys, many in one round trip, none that is too big."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from redis.exceptions import ResponseError

from kimera_tui.process.outcome import FAILURE, Outcome, read_meta, unreadable
from kimera_tui.process.redis.reconnecting import Link
from kimera_tui.process.redis.wire import Wire, pack

PER_COMMAND = 250
LARGEST = 8 * 1024 * 1024
"""Bytes of the largest stored result that is read."""
_MOST_AT_ONCE = 4 * LARGEST


def too_large(size: int, key: bytes) -> Outcome:
    """The outcome of a task whose result isn't read because of its size.

    A failure, so that nobody takes a part for the whole and nobody removes it: the result stays
    in the backend until it expires there.
    """
    return Outcome(
        FAILURE,
        error_type="ResultTooLarge",
        error_message=f"the stored result is {size / 2**20:.1f} MiB, the most that is read is"
        f" {LARGEST // 2**20} MiB; it stays in the result backend under {key.decode()}",
    )


def read_result(key: bytes, raw: bytes) -> Outcome:
    """What a stored result tells; never raises."""
    if len(raw) > LARGEST:
        return too_large(len(raw), key)
    try:
        return read_meta(raw)
    except Exception as error:  # noqa: BLE001 - whatever was stored, the watcher lives on
        return unreadable(f"the stored result cannot be read ({type(error).__name__})")


async def look_up(wire: Wire, keys: Sequence[bytes]) -> list[Outcome | None]:
    """What is stored under each key; None for nothing yet.

    Sizes are asked first, so a task that hasn't ended costs a few bytes, and a result of
    gigabytes costs no more.

    Raises:
        WireLost: the connection went.
        ResponseError: the server doesn't say, such as one that is loading its data.
    """
    found: list[Outcome | None] = [None] * len(keys)
    sizes = await wire.call(b"".join(pack(b"STRLEN", key) for key in keys), len(keys))
    wanted: list[int] = []
    for at, size in enumerate(sizes):
        if isinstance(size, ResponseError):
            if "WRONGTYPE" not in str(size):
                raise size
            found[at] = unreadable("what is stored in place of the result is not a string")
        elif size > LARGEST:
            found[at] = too_large(size, keys[at])
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
    """Parts of what is wanted, each of a bearable size."""
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


async def unlink(link: Link, keys: Sequence[bytes], patience: float) -> None:
    """Remove keys, a few hundred per command.

    Raises:
        BrokerUnavailable: there is no connection within ``patience`` seconds.
        WireLost: the connection went.
    """
    wire = await link.connected(patience)
    calls = [
        wire.call(pack(b"UNLINK", *keys[start : start + PER_COMMAND]))
        for start in range(0, len(keys), PER_COMMAND)
    ]
    for call in calls:
        await call
