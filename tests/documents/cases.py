"""Workflow texts that several tests read: one with every key, and those that are made to hurt."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

from kimera_tui.config.friends import Friend, load_friends
from tests.conftest import REPO

EXAMPLES = sorted((REPO / "workflows").glob("*.kimera.yaml"))
FRIENDS: dict[str, Friend] = load_friends(REPO / "friends.yaml")
HEAD = "kimera: 1\nname: x\nsteps:\n"
EVERYTHING = """\
# Every key of the format, commented.
kimera: 1
name: everything   # what it is called
description: Uses every key there is

env: [HOME, LANG]
inputs:
  text: {type: string, default: "no", pattern: "[a-z]+", max_length: 40}   # matched as a whole
  count: {type: int, required: true, min: 1, max: 10}
  share: {type: float, default: 0.5, min: 0, max: 1}
  sure: {type: bool, default: true}
  # the day
  day: {type: date, default: 2026-01-31, min: 2026-01-01, max: 2026-12-31}
  moment: {type: datetime, default: "2026-01-31T12:30:00Z"}
  wait: {type: duration, default: 1m30s, max: 1h}
  paper: {type: enum, values: [A4, A5, 7], default: A4}
  rest: {type: json, default: {a: [1, null]}}
  key: {type: secret, from: "env:EVERYTHING_KEY", description: Never written down}
defaults:
  friend: echo   # of those that name none
  timeout: 2m
  start_timeout: 30s
  on_timeout: revoke
  retry: {max: 1, delay: 1s}
concurrency: {key: "all-${{ inputs.day }}", limit: 2, on_conflict: reject}
timeout: 1h

steps:
  # first of all
  - id: first
    task: value
    kwargs: {payload: "${{ inputs.text }} of ${{ env.HOME | default('nobody') }}"}
    notes: |
      Several lines
      of notes.
    timeout: 1m
    start_timeout: 10s
    on_timeout: terminate
    retry: {max: 2, delay: 500ms, factor: 2, max_delay: 1m, on: [ConnectionError, TIMEOUT]}
    idempotent: true
  - id: work
    when:
      all:
        - {ref: inputs.sure, eq: true}
        - {not: {ref: steps.first.result, in: [a, b], missing: "false"}}
        - {any: [{ref: inputs.count, gt: 0}, {ref: run.id, exists: true}]}
    gather: dict
    max_parallel: 2
    fail: fast
    para:
      # in brackets
      - {id: left, friend: echo, task: value, pass: payload}   # at its end
      - id: right
        chain:
          - {id: inner, task: echo.value, args: ["${{ prev }}"], pass: none}
          - id: last   # of the chain
            task: calculator.add
            pass: first
            on_error: continue
  - id: report
    task: reports.render
    pass: none
    kwargs:
      # above the day
      day: "${{ inputs.day }}"   # the day
      title: "${{ steps.work.result['left'] | str | upper }}"
      token: "${{ inputs.key }}"
    on_error:
      # for help
      - {id: alert, task: echo.value, kwargs: {payload: "${{ error.message }}"}}
    # below it

finally:
  - id: tidy
    task: echo.value
    kwargs: {payload: "${{ run.id }}: ${{ steps.report.status }}"}
# the end
""".replace("500ms", "0.5s")


def task(name: str, more: str = "") -> str:
    return f"  - {{id: {name}, task: echo.value{more}}}\n"


def nested(levels: int) -> str:
    """A task within chains, so many levels in all."""
    inner = "{id: a, task: echo.value}"
    for level in range(levels - 1):
        inner = f"{{id: c{level}, chain: [{inner}]}}"
    return f"{HEAD}  - {inner}\n"


def condition(kind: str, levels: int) -> str:
    inner = "{ref: run.id, eq: 1}"
    for _ in range(levels):
        inner = f"{{{kind}: {inner}}}" if kind == "not" else f"{{{kind}: [{inner}]}}"
    return HEAD + task("a", f", when: {inner}")


def bomb() -> str:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    pairs = zip("abcdefgh", "bcdefghi", strict=True)
    lines += [f"{name}: &{name} [{', '.join([f'*{of}'] * 9)}]" for of, name in pairs]
    return "\n".join(lines)


def many(count: int, more: Callable[[int], str] = lambda number: "") -> str:
    return HEAD + "".join(task(f"step_{number}", more(number)) for number in range(count))


def patterned(pattern: str, count: int = 1) -> str:
    spec = f"{{pattern: '{pattern}', default: '{'a' * 990}!'}}"
    inputs = "".join(f"  i{number}: {spec}\n" for number in range(count))
    return f"kimera: 1\nname: x\ninputs:\n{inputs}steps:\n{task('a')}"


CAPS: dict[str, Callable[[], str]] = {
    "an alias bomb": bomb,
    "50,000 nested brackets": lambda: "[" * 50_000,
    "50,000 nested brackets in a step": lambda: HEAD + task("a", ", args: " + "[" * 50_000),
    "1 MiB of dashes": lambda: "- " * (1 << 19),
    "a value of 256 KiB": lambda: HEAD + task("a", f", args: [{'x' * (1 << 18)}]"),
    "a value over 256 KiB": lambda: HEAD + task("a", f", args: [{'x' * ((1 << 18) + 1)}]"),
    "256 KiB of templates": lambda: HEAD + task("a", f', args: ["{"${{ run.id }}" * 18_000}"]'),
    "256 KiB of opened templates": lambda: HEAD + task("a", f', args: ["{"${{" * 87_000}"]'),
    "256 KiB of escapes": lambda: HEAD + task("a", f', args: ["{"$${{" * 65_000}"]'),
    "49,000 values": lambda: HEAD + task("a", f", args: [{'1,' * 49_000}]"),
    "50,001 values": lambda: HEAD + task("a", f", args: [{'1,' * 50_001}]"),
    "48,000 values, 190 deep": lambda: (
        HEAD + task("a", f", args: {'[' * 190}{'1,' * 48_000}{']' * 190}")
    ),
    "24,000 unknown keys": lambda: (
        HEAD + task("a", ", " + ", ".join(f"k{number}: 1" for number in range(24_000)))
    ),
    "45,000 steps that are none": lambda: HEAD + "  - 1\n" * 45_000,
    "2,000 steps, each looking up the one before": lambda: many(
        2000, lambda number: f', args: ["${{{{ steps.step_{max(0, number - 1)}.result }}}}"]'
    ),
    "2,000 steps, each with a misspelt look-up": lambda: many(
        2000, lambda number: f', args: ["${{{{ steps.stp_{number}.result }}}}"]'
    ),
    "2,000 steps, each with an unknown key": lambda: many(2000, lambda number: ", kwarg: 1"),
    "2,000 steps with one id": lambda: HEAD + task("a") * 2000,
    "2,001 steps": lambda: many(2001),
    "depth 40": lambda: nested(40),
    "depth 41": lambda: nested(41),
    "depth 98": lambda: nested(98),
    "depth 10,000": lambda: nested(10_000),
    **{
        f"{kind} {levels} deep": partial(condition, kind, levels)
        for kind in ("all", "any", "not")
        for levels in (40, 97, 190, 5_000)
    },
    "nested repetitions": lambda: patterned("((a+)+b?)+"),
    "a hundred thousand ways": lambda: patterned("(a|a)*(a|aa)*(.*)*(.*)*x"),
    "counted repetitions": lambda: patterned("(a{0,100}b?){0,100}!!"),
    "a pattern that is too large": lambda: patterned(r"(\w{1000}){1000}"),
    "21 inputs with a pattern": lambda: patterned("a", 21),
    "a million columns": lambda: HEAD + " " * ((1 << 20) - 100) + "- 1\n",
    "half a million lines": lambda: HEAD + "\n" * ((1 << 20) - 100),
}
"""What could be slow, large or deep enough to do harm, by name."""

HOSTILE: list[Any] = [
    Decimal("1E+4000000"),
    Decimal("-1E+999999999"),
    Decimal("1E-4000000"),
    Decimal("7" * 1_000_000),
    Decimal("0." + "7" * 1_000_000),
    Decimal("NaN"),
    Decimal("Infinity"),
    10**5000,
    float("inf"),
    "9" * 1_000_000,
    "ΐ" * 4_000_000,
    b"9" * 1_000_000,
    UUID(int=7),
    [0] * 2_000_000,
    [["x"] * 1000] * 1000,
    {str(n): n for n in range(100_000)},
    {"x" * 1_000_000: 1},
]
"""What a task may return to hurt whoever filters it."""
LARGEST: list[Any] = [
    "ΐ" * (256 * 1024),
    "Σ" * (256 * 1024),
    [1.5] * 4_999,
    ["é\n" * 20] * 4_999,
    {str(n): 1.23456 for n in range(4_999)},
]
"""The most that a filter takes."""
