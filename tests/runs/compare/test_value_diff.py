"""Where values differ: complete, bounded, and without secrets."""

from __future__ import annotations

import copy
import math
import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimera_tui.redaction import MASK
from kimera_tui.runs.compare.value_diff import (
    MAX_CHANGES,
    MAX_LEAVES,
    MAX_LINES,
    Change,
    changes,
    line_changes,
)
from kimera_tui.values.placeholders import Opaque, TooLarge, Withheld

KEYS = st.sampled_from("abc")
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.floats(), st.text("xy\n", max_size=4)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)


def canonical(value: Any) -> str:
    """Equal for values that mean the same, also for those that aren't equal to themselves."""
    match value:
        case dict():
            members = ",".join(f"{key}:{canonical(value[key])}" for key in sorted(value))
            return f"{{{members}}}"
        case list():
            return f"[{','.join(map(canonical, value))}]"
        case float() if value.is_integer():
            return repr(int(value))
    return repr(value)


def patched(value: Any, found: tuple[Change, ...]) -> Any:
    """The value with the changes made to it; what is taken out of a list goes from its end."""
    root = {"v": copy.deepcopy(value)}
    removed = [change for change in found if change.kind == "removed"]
    for change in [*(each for each in found if each.kind != "removed"), *reversed(removed)]:
        *way, last = re.findall(r"\w+", change.path)
        parent: Any = root
        for step in way:
            parent = parent[int(step) if isinstance(parent, list) else step]
        at: Any = int(last) if isinstance(parent, list) else last
        if change.kind == "removed":
            del parent[at]
        elif isinstance(parent, list) and at == len(parent):
            parent.append(change.new)
        else:
            parent[at] = change.new
    return root["v"]


@given(VALUES)
def test_a_value_does_not_differ_from_itself(value: Any) -> None:
    assert changes(value, copy.deepcopy(value), "v") == ()


@given(VALUES, VALUES)
def test_nothing_is_reported_only_of_values_that_mean_the_same(old: Any, new: Any) -> None:
    assert (changes(old, new, "v") == ()) == (canonical(old) == canonical(new))


@given(VALUES, VALUES)
def test_the_old_value_with_the_changes_made_is_the_new_one(old: Any, new: Any) -> None:
    assert canonical(patched(old, changes(old, new, "v"))) == canonical(new)


@given(VALUES, VALUES)
def test_the_other_way_round_the_same_places_differ(old: Any, new: Any) -> None:
    there = {(change.path, change.kind) for change in changes(old, new, "v")}
    turned = {"added": "removed", "removed": "added"}
    back = {
        (change.path, turned.get(change.kind, change.kind)) for change in changes(new, old, "v")
    }
    assert there == back


def test_each_change_names_its_place_and_how_much_a_number_grew() -> None:
    old = {"rows": [{"amount": 10}, {"amount": 5}], "day": "mon", "odd key": 1}
    new = {"rows": [{"amount": 12.5}], "day": "tue", "odd key": 1, "extra": None}
    assert changes(old, new, "result") == (
        Change("result.rows[0].amount", "changed", 10, 12.5, 2.5),
        Change("result.rows[1]", "removed", {"amount": 5}),
        Change("result.day", "changed", "mon", "tue"),
        Change("result.extra", "added"),
    )
    assert changes({"odd key": 1}, {"odd key": 2}, "r")[0].path == "r['odd key']"
    assert changes(Decimal("1.10"), Decimal("1.15"), "r")[0].delta == Decimal("0.05")


@pytest.mark.parametrize(
    ("old", "new"),
    [(1, True), ([], {}), (1, "1"), (math.inf, 1), (10**400, 1.5), (Decimal("sNaN"), Decimal(1))],
)
def test_what_looks_alike_or_cannot_be_reckoned_with_differs_without_a_number(
    old: Any, new: Any
) -> None:
    (change,) = changes(old, new, "r")
    assert change.kind == "changed"
    assert change.delta is None


def test_an_object_that_cannot_be_compared_goes_by_its_representation() -> None:
    class Odd:
        def __eq__(self, other: object) -> bool:
            raise RuntimeError("no")

        __hash__ = object.__hash__

        def __repr__(self) -> str:
            return "odd"

    assert changes(Odd(), Odd(), "r") == ()


def test_texts_of_several_lines_differ_by_lines() -> None:
    old = "\n".join(f"line {n}" for n in range(5000))
    new = old.replace("line 2500\n", "line two\nand a half\n")
    (change,) = changes(old, new, "log")
    assert change.lines == (
        "@@ line 2500 @@",
        " line 2499",
        "-line 2500",
        "+line two",
        "+and a half",
        " line 2501",
    )
    assert line_changes("a", "a\n") == ("@@ line 1 @@", " a", "+")


def test_texts_that_differ_from_end_to_end_are_not_reported_line_by_line() -> None:
    old = "\n".join(f"old {n}" for n in range(MAX_LINES + 1))
    new = "\n".join(f"new {n}" for n in range(MAX_LINES + 1))
    (change,) = changes(old, new, "log")
    assert change.lines == ()
    assert change.old != change.new


def test_long_texts_are_shown_from_shortly_before_they_differ() -> None:
    (change,) = changes("x" * 5000 + "old", "x" * 5000 + "new", "r")
    assert (change.old, change.new) == (f"…{'x' * 20}old", f"…{'x' * 20}new")


def test_of_many_changes_the_first_are_reported_and_that_there_are_more() -> None:
    found = changes([0] * 1000, [1] * 1000, "r")
    assert len(found) == MAX_CHANGES + 1
    assert found[-1] == Change(f"r[{MAX_CHANGES}]", "differs")


def test_far_into_a_large_value_only_the_first_place_that_differs_is_reported() -> None:
    old = list(range(MAX_LEAVES * 3))
    assert changes(old, list(old), "r") == ()
    new = [*old[:-2], -1, -1]
    assert changes(old, new, "r") == (Change(f"r[{len(old) - 2}]", "differs"),)


def test_a_change_holds_no_more_than_a_glimpse() -> None:
    huge = {"rows": [{"text": "x" * 100_000} for _ in range(1000)]}
    (change,) = changes({}, huge, "r")
    assert len(repr(change)) < 200_000
    deep: Any = 1
    for _ in range(20_000):
        deep = [deep]
    assert changes(deep, 1, "r")[0].new == 1
    other: Any = 2
    for _ in range(20_000):
        other = [other]
    assert [change.old for change in changes(deep, other, "r")] == [1]


SECRETS = st.text("abcdefgh0123456789", min_size=8, max_size=12).map("canary-".__add__)
HIDDEN = st.sampled_from(
    [
        lambda secret: {"token": secret},
        lambda secret: {"pin": secret},
        lambda secret: {"pin": [{"deep": secret}]},
        lambda secret: {"url": f"redis://user:{secret}@host/0"},
        lambda secret: {"head": f"Authorization: Bearer {secret}"},
        lambda secret: {"text": f"many\nlines\nBearer {secret}\nend"},
        lambda secret: [{"password": secret}],
    ]
)


@given(SECRETS, SECRETS, HIDDEN, HIDDEN, VALUES)
def test_no_change_holds_a_secret(old: str, new: str, one: Any, other: Any, value: Any) -> None:
    sides = [{"x": one(old), "y": value}, {"x": other(new), "z": value}]
    found = [changes(*sides, "kwargs", {"pin"}), changes(one(old), other(new), "r", {"pin"})]  # type: ignore[arg-type,call-arg]
    assert "canary" not in repr([*found, changes(one(old), 1, "r", {"pin"})])


def test_no_path_holds_a_secret() -> None:
    key = "redis://user:canary@host"
    (change,) = changes({key: 1}, {key: 2}, "r")
    assert change.path == f"r['redis://user:{MASK}@host']"


@given(SECRETS, SECRETS)
def test_secrets_differ_only_by_their_names(old: str, new: str) -> None:
    before = {"token": old, "pin": [old], "url": f"redis://u:{old}@host"}
    after = {"token": new, "pin": [new], "url": f"redis://u:{new}@host"}
    assert changes(before, after, "kwargs", {"pin"}) == ()
    assert changes(before, {}, "kwargs", {"pin"})[0] == Change("kwargs.token", "removed", MASK)
    kept = {"token": Withheld("kwargs.token"), "pin": MASK, "url": f"redis://u:{MASK}@host"}
    assert changes(before, kept, "kwargs", {"pin"}) == ()


def test_what_was_not_kept_goes_by_what_stands_for_it() -> None:
    assert changes(TooLarge(9), TooLarge(9), "r") == ()
    assert changes(TooLarge(9), TooLarge(10), "r")[0].new == "… 10 bytes"
    assert changes(Opaque("<x>"), Opaque("<x>"), "r") == ()
