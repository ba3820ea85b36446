"""What makes a publish safe to repeat: a marker per task, set in one go with the push."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.exceptions import ResponseError

from kimera_tui.process.redis.capture import Commands
from kimera_tui.process.redis.wire import Wire, WireLost, pack, refusal_in

MARKER = "kimera:pub:"
"""Prefix of the key that says a task id has been published; the broker's key prefix precedes it."""
MARKER_SECONDS = 7 * 86_400

# For each marker in KEYS: set it, and only if it was new carry out the task's commands.
# ARGV: seconds, then per task the number of its commands and verb, key, value of each.
# Answers per task 1 (published), 0 (had been published before) or what the server refused.
_SCRIPT = b"""
local at, answers = 2, {}
for task, marker in ipairs(KEYS) do
  local last = at + 3 * tonumber(ARGV[at])
  local set = redis.pcall('SET', marker, '1', 'NX', 'EX', ARGV[1])
  if type(set) == 'table' and set.err then
    answers[task] = set.err
  elseif not set then
    answers[task] = 0
  else
    answers[task] = 1
    local pushed = false
    for each = at + 1, last, 3 do
      local verb = ARGV[each]
      local done = redis.pcall(verb, ARGV[each + 1], ARGV[each + 2])
      if verb == 'LPUSH' or verb == 'PUBLISH' then
        if not (type(done) == 'table' and done.err) then
          pushed = true
        elseif not pushed then
          redis.call('DEL', marker)
          answers[task] = done.err
          break
        end
      end
    end
  end
  at = last + 1
end
return answers
"""
_TRIES = 5
_PUSHES = (b"LPUSH", b"PUBLISH")
_SECONDS = b"%d" % MARKER_SECONDS

Offer = tuple[bytes, Commands]
"""A marker's key and the commands that it guards."""


def scripted(offers: Sequence[Offer]) -> bytes:
    """The EVAL command for a slice of tasks; its reply has one answer per task."""
    parts = [b"EVAL", _SCRIPT, b"%d" % len(offers)]
    parts += [marker for marker, _ in offers]
    parts.append(_SECONDS)
    for _, commands in offers:
        parts.append(b"%d" % len(commands))
        for command in commands:
            parts += command
    return pack(*parts)


def forbids_scripts(refusal: ResponseError) -> bool:
    """Whether the server refused EVAL itself, so that nothing of it was carried out."""
    text = str(refusal).lower()
    return "eval" in text and ("noperm" in text or "no permissions" in text or "unknown" in text)


async def by_transaction(wire: Wire, offers: Sequence[Offer]) -> list[Any]:
    """The same answers as the script's, with WATCH and MULTI, in two round trips.

    Nothing else may use WATCH on this wire meanwhile.

    Raises:
        WireLost: the connection went; the tasks may or may not be published.
        ResponseError: the server doesn't say what is published; it got nothing more.
    """
    markers = [marker for marker, _ in offers]
    for _ in range(_TRIES):
        look = pack(b"WATCH", *markers) + b"".join(pack(b"EXISTS", each) for each in markers)
        _, *exist = looked = await wire.call(look, 1 + len(markers))
        if (refusal := refusal_in(looked)) is not None:
            await wire.call(pack(b"UNWATCH"))
            raise refusal
        fresh = [offer for offer, found in zip(offers, exist, strict=True) if found == 0]
        if not fresh:
            await wire.call(pack(b"UNWATCH"))
            return [0] * len(offers)
        payload, replies = _transaction(fresh)
        queued = await wire.call(payload, replies)
        done = queued[-1]
        if isinstance(done, ResponseError):
            why = next(reply for reply in queued if isinstance(reply, ResponseError))
            return [str(why).encode()] * len(offers)
        if done is not None:
            answers = dict(zip((marker for marker, _ in fresh), _answers(fresh, done), strict=True))
            if failed := [marker for marker, answer in answers.items() if answer != 1]:
                await wire.call(pack(b"DEL", *failed))
            return [answers.get(marker, 0) for marker in markers]
    raise WireLost("somebody else kept publishing the same tasks")


def _answers(offers: Sequence[Offer], done: Sequence[Any]) -> list[Any]:
    """Per task 1, or why its push was refused, from what EXEC returned."""
    answers: list[Any] = []
    replies = iter(done)
    for _, commands in offers:
        answer: Any = 1
        next(replies)  # the marker's
        for verb, _, _ in commands:
            reply = next(replies)
            if verb in _PUSHES and answer == 1 and isinstance(reply, Exception):
                answer = str(reply).encode()
        answers.append(answer)
    return answers


def _transaction(offers: Sequence[Offer]) -> tuple[bytes, int]:
    chunks = [pack(b"MULTI")]
    for marker, commands in offers:
        chunks.append(pack(b"SET", marker, b"1", b"NX", b"EX", _SECONDS))
        chunks += [pack(*command) for command in commands]
    chunks.append(pack(b"EXEC"))
    return b"".join(chunks), len(chunks)
