"""Saving over what somebody wrote by hand: comments, order and style stay as they were."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimera_tui.documents import edits
from kimera_tui.documents.addresses import step_at, walk
from kimera_tui.documents.document import TaskStep, all_steps
from kimera_tui.documents.parse import read_formed
from kimera_tui.documents.save import text_of
from kimera_tui.errors import UsageError
from tests.documents.cases import EVERYTHING
from tests.documents.test_edits import ACTS, act, place
from tests.documents.test_save import COMMENTED, says


@pytest.mark.parametrize("name", COMMENTED)
def test_a_document_over_its_own_text_changes_nothing(name: str) -> None:
    text = COMMENTED[name]
    assert text_of(read_formed(text, "f"), text) == text


HAND_WRITTEN = """\
%YAML 1.2
---
kimera: 1 # one
"name":   'x'
steps:
- id: a
  task:   lab.step  # dashes without indent
  kwargs: {x: 0x1F,
      y: +5, z: ~,   w: 2026-01-31 12:30:00}
  timeout: 90s
  notes: >
     folded
     text

# above b
-   id: b
    task: lab.step
    retry:

      # of retry
      max: 2
      factor: 2
      delay:  60s
    when: {ref: steps.a.result, gt: 1.50}
    args: []
    on_error: fail  # says nothing
-
  # above c
  id: c
  chain:
      - {id: d, task: lab.step}   # in brackets
      -
        id: e
        task: lab.step
        notes: |+
          kept

...
# the end
"""


def changed_lines(old: str, new: str) -> tuple[list[str], list[str]]:
    """Lines that went, and lines that came."""
    old_lines, new_lines = old.splitlines(), new.splitlines()
    return [each for each in old_lines if each not in new_lines], [
        each for each in new_lines if each not in old_lines
    ]


@pytest.mark.parametrize("break_", ["\n", "\r\n"])
def test_only_what_changed_is_written_anew(break_: str) -> None:
    text = HAND_WRITTEN.replace("\n", break_)
    document = read_formed(text, "f")
    assert text_of(document, text) == text
    first = document.steps[0].model_copy(update={"timeout": 120.0})
    changed, _ = edits.replace(document, ("steps", 0), first)
    new = text_of(changed, text)
    assert changed_lines(text, new) == (["  timeout: 90s"], ["  timeout: 2m"])
    assert new.count(break_) == new.count("\n") == text.count("\n")


def test_a_comment_stays_with_the_value_that_it_stands_at() -> None:
    text = EVERYTHING.replace("timeout: 1h", "timeout: 1h   # of all")
    document = read_formed(text, "f")
    first = document.steps[0].model_copy(update={"timeout": None, "notes": "short"})
    document, _ = edits.replace(document, ("steps", 0), first)
    document = document.model_copy(update={"timeout": 60.0, "name": "other"})
    gone, come = changed_lines(text, text_of(document, text))
    assert come == [
        "name: other   # what it is called",
        "timeout: 1m   # of all",
        "    notes: short",
    ]
    assert "    timeout: 1m" in gone


def test_a_new_key_stands_where_a_person_would_write_it() -> None:
    text = "kimera: 1\nname: x\nsteps:\n  - id: a\n    task: lab.step\n    timeout: 5s   # t\n"
    document = read_formed(text, "f")
    step = document.steps[0].model_copy(update={"kwargs": {"x": 1}, "idempotent": True})
    document, _ = edits.replace(document, ("steps", 0), step)
    document = document.model_copy(update={"description": "d", "timeout": 5.0})
    assert text_of(document, text) == (
        "kimera: 1\nname: x\ndescription: d\ntimeout: 5s\nsteps:\n  - id: a\n    task: lab.step\n"
        "    kwargs: {x: 1}\n    timeout: 5s   # t\n    idempotent: true\n"
    )


def test_what_says_nothing_may_stay() -> None:
    text = (
        "kimera: 1\nname: x\nenv: []   # none\nsteps:\n  - {id: a, task: b, args: [], pass: auto}\n"
    )
    document = read_formed(text, "f")
    changed, _ = edits.rename(document, ("steps", 0), "c")
    assert "env: []   # none" in text_of(changed, text)


def test_steps_between_blank_lines_get_new_ones_between_blank_lines() -> None:
    text = COMMENTED["careful-import.kimera.yaml"]
    document = read_formed(text, "f")
    document, _ = edits.add_after(document, ("steps", 1), TaskStep(id="new", task="echo.value"))
    document, _ = edits.move(document, ("steps", 0), 1)
    new = text_of(document, text)
    assert "steps:\n  - id: check\n" in new
    assert re.search(r"\n\n  - id: new\n    task: echo\.value\n\n  - id: enforce", new)
    assert "\n\n\n" not in new


def test_a_step_in_brackets_stays_there_while_it_fits() -> None:
    text = COMMENTED["everything"]
    document = read_formed(text, "f")
    at = place(document, "left")
    short = step_at(document, at).model_copy(update={"notes": "brief"})
    document, _ = edits.replace(document, at, short)
    line = (
        "      - {id: left, task: value, friend: echo, pass: payload, notes: brief}   # at its end"
    )
    assert line in text_of(document, text).splitlines()
    long = short.model_copy(update={"notes": "long " * 20})
    document, _ = edits.replace(document, at, long)
    assert "      - id: left   # at its end\n        task: value" in text_of(document, text)


def test_a_renamed_step_keeps_its_comments() -> None:
    document = read_formed(EVERYTHING, "f")
    document, at = edits.rename(document, place(document, "report"), "paper")
    document, at = edits.move(document, at, -1)
    text = text_of(document, EVERYTHING)
    assert "  - id: paper" in text
    for comment in ("# above the day", "# the day", "# for help", "# below it"):
        assert comment in text


# Any sequence of edits

MARK = re.compile(r"#([a-z]+\d*(?:_\d+)?)\b")


def marked(text: str) -> str:
    """The text with a comment above, at, in and below each step that names the step."""
    lines: list[str] = []
    step, indent = "", 0
    for line in text.splitlines():
        found = re.match(r"( *)- (\{?)id: (\w+)", line)
        if found and found[2]:
            lines += [f"{found[1]}#{found[3]} above", f"{line} #{found[3]} at"]
            continue
        if found:
            step, indent = found[3], len(found[1]) + 2
            lines += [f"{found[1]}#{step} above", f"{line} #{step} at"]
            continue
        if step and line.startswith(" " * indent + "task:"):
            lines += [f"{' ' * indent}#{step} in", line, f"{' ' * indent}#{step} below"]
            continue
        lines.append(line)
    return "\n".join(lines) + "\n"


MARKED = {
    name: marked(re.sub(r"(?m) *#.*$", "", text)) for name, text in COMMENTED.items()
}  # fmt: skip


def comments(text: str) -> list[str]:
    return [line.partition("#")[2] for line in text.splitlines() if "#" in line]


@pytest.mark.parametrize("name", MARKED)
@given(script=st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 10_000)), max_size=12))
def test_every_comment_stays_as_long_as_its_step_does(
    name: str, script: list[tuple[str, int]]
) -> None:
    text = MARKED[name]
    document = read_formed(text, "f")
    old_ids = [step.id for step in all_steps(document)]
    for what, number in script:
        places = [address for address, _ in walk(document)] or [()]
        if what != "rename":
            try:
                document, _ = act(document, what, places[number % len(places)], number)
            except UsageError:
                continue
    kept = {step.id for step in all_steps(document)} & set(old_ids)
    new = text_of(document, text)
    assert says(new, document)
    mine = [each for each in comments(text) if each.split()[0] in kept]
    theirs = comments(new)
    assert sorted(each for each in theirs if each.split()[0] in kept) == sorted(mine)
    check_places(new, kept)


def check_places(text: str, kept: set[str]) -> None:
    """Each comment stands at the step that it names."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        found = re.search(r"#(\w+) (above|at)$", line)
        if found and found[1] in kept:
            own = next(each for each in lines[number:] if re.match(r" *- ", each))
            assert re.search(rf"id: {found[1]}\b", own), text


@given(script=st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 10_000)), max_size=12))
def test_saving_after_each_edit_says_the_same_as_saving_at_the_end(
    script: list[tuple[str, int]],
) -> None:
    document, text = read_formed(EVERYTHING, "f"), EVERYTHING
    for what, number in script:
        places = [address for address, _ in walk(document)] or [()]
        try:
            document, _ = act(document, what, places[number % len(places)], number)
        except UsageError:
            continue
        text = text_of(document, text)
        assert says(text, document)
