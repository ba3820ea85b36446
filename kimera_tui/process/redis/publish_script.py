"""Makes a publish safe to repeat: one marker per task, set atomically with the push."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.exceptions import ResponseError

from kimera_tui.process.redis.capture import Commands
from kimera_tui.process.redis.wire import Wire, WireLost, pack, refusal_in

MARKER = "kimera:pub:"
"""Prefix of marker keys, after the broker's own key prefix."""
MARKER_SECONDS = 7 * 86_400

# For each marker in KEYS: set it, and run the task's commands only if it is new.
# ARGV: seconds, then per task the number of its commands and verb, key, value of each.
# Returns per task 1 (published), 0 (already published) or the server's error.
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

GuardedCommands = tuple[bytes, Commands]
"""A marker's key and the commands it guards."""


def publish_command(tasks: Sequence[GuardedCommands]) -> bytes:
    """The EVAL command for a slice of tasks; the reply has one answer per task."""
    parts = [b"EVAL", _SCRIPT, b"%d" % len(tasks)]
    parts += [marker for marker, _ in tasks]
    parts.append(_SECONDS)
    for _, commands in tasks:
        parts.append(b"%d" % len(commands))
        for command in commands:
            parts += command
    return pack(*parts)


def forbids_scripts(refusal: ResponseError) -> bool:
    """Whether the server refused EVAL itself, so that nothing was executed."""
    text = str(refusal).lower()
    return "eval" in text and ("noperm" in text or "no permissions" in text or "unknown" in text)


async def publish_by_transaction(wire: Wire, tasks: Sequence[GuardedCommands]) -> list[Any]:
    """Do the script's work with WATCH and MULTI, in two round trips; same answers.

    Nothing else may use WATCH on this wire meanwhile.

    Raises:
        WireLost: the connection was lost; the tasks may or may not be published.
        ResponseError: the server refused before anything was published.
    """
    markers = [marker for marker, _ in tasks]
    for _ in range(_TRIES):
        checks = pack(b"WATCH", *markers) + b"".join(pack(b"EXISTS", each) for each in markers)
        _, *exist = replies = await wire.call(checks, 1 + len(markers))
        if (refusal := refusal_in(replies)) is not None:
            await wire.call(pack(b"UNWATCH"))
            raise refusal
        fresh = [task for task, found in zip(tasks, exist, strict=True) if found == 0]
        if not fresh:
            await wire.call(pack(b"UNWATCH"))
            return [0] * len(tasks)
        payload, count = _transaction(fresh)
        queued = await wire.call(payload, count)
        done = queued[-1]
        if isinstance(done, ResponseError):
            why = next(reply for reply in queued if isinstance(reply, ResponseError))
            return [str(why).encode()] * len(tasks)
        if done is not None:
            answers = dict(zip((marker for marker, _ in fresh), _answers(fresh, done), strict=True))
            if failed := [marker for marker, answer in answers.items() if answer != 1]:
                await wire.call(pack(b"DEL", *failed))
            return [answers.get(marker, 0) for marker in markers]
    raise WireLost("another client keeps publishing the same tasks")


def _answers(tasks: Sequence[GuardedCommands], done: Sequence[Any]) -> list[Any]:
    """Per task 1 or the error of its push, from the reply to EXEC."""
    answers: list[Any] = []
    replies = iter(done)
    for _, commands in tasks:
        answer: Any = 1
        next(replies)  # the marker's
        for verb, _, _ in commands:
            reply = next(replies)
            if verb in _PUSHES and answer == 1 and isinstance(reply, Exception):
                answer = str(reply).encode()
        answers.append(answer)
    return answers


def _transaction(tasks: Sequence[GuardedCommands]) -> tuple[bytes, int]:
    chunks = [pack(b"MULTI")]
    for marker, commands in tasks:
        chunks.append(pack(b"SET", marker, b"1", b"NX", b"EX", _SECONDS))
        chunks += [pack(*command) for command in commands]
    chunks.append(pack(b"EXEC"))
    return b"".join(chunks), len(chunks)
