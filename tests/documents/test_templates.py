"""Templates and conditions: what they look up, what they refuse, and how far they may grow."""

from __future__ import annotations

import tracemalloc
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimera_tui.documents.conditions import holds, references_of, say
from kimera_tui.documents.document import Condition
from kimera_tui.documents.references import (
    MAX_RENDERED,
    Missing,
    Reference,
    TemplateError,
    escape,
    parse_reference,
    references_in,
    render,
)
from kimera_tui.documents.template_filters import FILTERS
from kimera_tui.values.placeholders import NotKept, TooLarge, Withheld, is_whole
from tests.documents.cases import HOSTILE

SCOPE: dict[str, Any] = {
    "inputs": {
        "day": "2026-01-31", "none": None, "text": "  aB ", "five": "5", "nan": float("nan"),
    },
    "steps": {"load": {"result": {"rows": [{"id": 1}, {"id": 2}], "a b": 3, "0": "zero"}}},
    "prev": [1, 2.5, "x", True, None],
}  # fmt: skip
PAST: dict[str, Any] = {
    "inputs": {"token": Withheld("inputs.token")},
    "steps": {
        "login": {
            "result": {
                "name": "x",
                "token": Withheld("result.token"),
                "url": Withheld("result.url", "a://b:•@c"),
            },
        },
        "big": {"result": TooLarge(9 << 20)},
    },
    "prev": [1, [Withheld("result.1.0")]],
}  # fmt: skip
"""As the journal tells it: what it withheld has stand-ins."""


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("{{ x }}", "{{ x }}"),
        ("$ {{", "$ {{"),
        ("${{inputs.day}}", "2026-01-31"),
        ("${{ inputs.day }}", "2026-01-31"),
        ("${{\n inputs . day\t}}".replace(" . ", "."), "2026-01-31"),
        ("Day ${{ inputs.day }}!", "Day 2026-01-31!"),
        ("${{ steps.load.result.rows }}", [{"id": 1}, {"id": 2}]),
        ("${{ steps.load.result.rows[1].id }}", 2),
        ("${{ steps.load.result.rows[-1]['id'] }}", 2),
        ('${{ steps["load"].result["a b"] }}', 3),
        ("${{ steps.load.result['0'] }}", "zero"),
        ("${{ inputs.none }}", None),
        ("rows: ${{ steps.load.result.rows }}", 'rows: [{"id": 1}, {"id": 2}]'),
        ("${{ prev[3] }} ${{ prev[1] }}", "true 2.5"),
        ("$${{ inputs.day }}", "${{ inputs.day }}"),
        ("$$${{ inputs.day }}", "$${{ inputs.day }}"),
        ("${{ inputs.day }}${{ inputs.day }}", "2026-01-312026-01-31"),
        ("${{ inputs.no | default('x') }}", "x"),
        ("${{ inputs.none | default(7) }}", 7),
        ("${{ inputs.none | default(null) }}", None),
        ("${{ inputs.no.deeper[0] | default(true) }}", True),
        ("${{ inputs.text | trim | upper }}", "AB"),
        ("${{ inputs.text | lower }}", "  ab "),
        ("${{ inputs.five | int }}", 5),
        ("${{ inputs.five | float }}", 5.0),
        ("${{ prev | length }}", 5),
        ("${{ prev | first }}", 1),
        ("${{ prev | last }}", None),
        ("${{ prev | join('-') }}", "1-2.5-x-true-null"),
        ("${{ prev | join }}", "1, 2.5, x, true, null"),
        ("${{ prev | json }}", '[1, 2.5, "x", true, null]'),
        ("${{ prev | str }}", '[1, 2.5, "x", true, null]'),
        ("${{ inputs.day | str }}", "2026-01-31"),
    ],
)
def test_a_template_becomes_what_it_looks_up(text: str, value: Any) -> None:
    found = render(text, SCOPE)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("${{ }}", "Template `${{ }}`: what to look up is missing."),
        ("${{ inputs.day", "Template `${{ inputs.day`: `}}` is missing."),
        ("on ${{ inputs.day | uper }} at", "Template `${{ inputs.day | uper }}`: no filter"),
        ("${{ prev[0] }} ${{ prev.0 }}", "Template `${{ prev.0 }}`: write `.0` as `[0]`."),
        ("${{ prev.-1.x }}", "Template `${{ prev.-1.x }}`: write `.-1` as `[-1]`."),
        ("${{ inputs." + "a" * 80, "Template `${{ inputs." + "a" * 49 + "…`: `}}` is missing."),
        ("${{ inputs.day }", "Template `${{ inputs.day }`: `}}` is missing."),
        ("${{ inputs. }}", "Template `${{ inputs. }}`: a name after `.` is missing."),
        ("${{ inputs..day }}", "Template `${{ inputs..day }}`: a name after `.` is missing."),
        (
            "${{ inputs[day] }}",
            "Template `${{ inputs[day] }}`: `day` is not a value; put text in quotes.",
        ),
        ("${{ inputs[true] }}", "Template `${{ inputs[true] }}`: put a quoted text or an integer"),
        ("${{ inputs['day }}", "Template `${{ inputs['day }}`: ' is not closed."),
        ("${{ inputs['day' }}", "Template `${{ inputs['day' }}`: `]` is missing."),
        (
            "${{ item }}",
            "Template `${{ item }}`: `item` can't be looked up; choose from inputs, steps",
        ),
        ("${{ 1 + 1 }}", "Template `${{ 1 + 1 }}`: what to look up is missing."),
        ("${{ inputs.day + 1 }}", "Template `${{ inputs.day + 1 }}`: `}}` is missing."),
        (
            "${{ inputs.day | uper }}",
            "Template `${{ inputs.day | uper }}`: no filter `uper`. Near: `up",
        ),
        (
            "${{ inputs.day | default( }}",
            "Template `${{ inputs.day | default( }}`: a value is missing.",
        ),
        (
            "${{ inputs.day | default('x' }}",
            "Template `${{ inputs.day | default('x' }}`: `)` is missing",
        ),
        (
            "${{ inputs.day | lower() }}",
            "Template `${{ inputs.day | lower() }}`: a value is missing.",
        ),
        ("${{ prev" + "[0]" * 33 + " }}", "Template `${{ prev[0]"),
        ("${{ prev" + " | json" * 9 + " }}", "Template `${{ prev | json"),
        ("${{ inputs.no }}", "`inputs.no`: `inputs` has no `no`."),
        ("${{ inputs.dya }}", "`inputs.dya`: `inputs` has no `dya`. Near: `day`."),
        ("${{ run.id }}", "`run.id`: there is no `run` here."),
        ("${{ prev[5] }}", "`prev[5]`: `prev` is a list of 5; it has no `5`."),
        ("${{ prev.x }}", "`prev.x`: `prev` is a list of 5; it has no `x`."),
        (
            "${{ inputs.day.year }}",
            "`inputs.day.year`: `inputs.day` is str; it has no `year`.",
        ),
        ("${{ inputs.none.x }}", "`inputs.none.x`: `inputs.none` is null; it has no `x`."),
        ("${{ steps.load.result[0] }}", "`steps.load.result[0]`: `steps.load.result` has no `0`."),
        ("a ${{ inputs.none }}", "`inputs.none` is null inside a text; add | default"),
        ("a ${{ inputs.nan }}", "`inputs.nan`: is not JSON-serializable."),
        (
            "${{ inputs.nan | json }}",
            "`inputs.nan | json`: does not accept this value of type float.",
        ),
        ("${{ inputs.day | int }}", "`inputs.day | int`: does not accept this value of type str."),
        (
            "${{ inputs.nan | int }}",
            "`inputs.nan | int`: does not accept this value of type float.",
        ),
        (
            "${{ inputs.nan | float }}",
            "`inputs.nan | float`: does not accept this value of type float.",
        ),
        ("${{ prev | upper }}", "`prev | upper`: does not accept this value of type list."),
        (
            "${{ inputs.none | length }}",
            "`inputs.none | length`: does not accept this value of type NoneType.",
        ),
        (
            "${{ inputs.day | join }}",
            "`inputs.day | join`: does not accept this value of type str.",
        ),
    ],
)
def test_what_cannot_be_filled_in_is_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(TemplateError) as caught:
        render({"a": [text]}, SCOPE)
    assert caught.value.message.startswith(sentence)


def test_nothing_of_python_can_be_reached() -> None:
    for path in ("day.__class__", "__class__", "day['__len__']", "items", "keys()"):
        with pytest.raises(TemplateError):
            render(f"${{{{ inputs.{path} }}}}", SCOPE)


def test_what_was_looked_up_is_not_looked_through_again() -> None:
    scope = {"inputs": {"s": "${{ inputs.secret }}", "secret": "canary"}}
    assert render("v=${{ inputs.s }}", scope) == "v=${{ inputs.secret }}"
    assert render("${{ inputs.s }}", scope) == "${{ inputs.secret }}"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "Bearer ${{ steps.login.result.token }}",
            "`steps.login.result.token` was not saved: needs result.token again.",
        ),
        ("${{ inputs.token }}!", "`inputs.token` was not saved: needs inputs.token again."),
        ("${{ steps.login.result.token | upper }}", "`steps.login.result.token` was not saved"),
        ("${{ steps.login.result.url | str }}", "`steps.login.result.url` was not saved"),
        ("${{ steps.login.result | json }}", "`steps.login.result` was not saved: needs r"),
        ("as told: ${{ steps.login.result }}", "`steps.login.result` was not saved: needs"),
        ("${{ prev | join }}", "`prev` was not saved: needs result.1.0 again."),
        (
            "${{ steps.big.result | default('none') }}",
            "`steps.big.result` was not saved: its result was not kept (9.0 MiB).",
        ),
        ("${{ steps.big.result.rows }}", "`steps.big.result.rows` was not saved: its resu"),
        ("${{ steps.big.result[0] | default(1) }}", "`steps.big.result[0]` was not saved:"),
    ],
)
def test_what_was_not_written_down_is_never_filled_in_as_a_text(text: str, sentence: str) -> None:
    with pytest.raises(TemplateError) as caught:
        render({"a": [text]}, PAST)
    assert caught.value.message.startswith(sentence)
    assert not isinstance(caught.value, Missing)


def test_what_was_not_written_down_stays_what_it_is_where_it_stands_alone() -> None:
    assert isinstance(render("${{ steps.login.result.token }}", PAST), Withheld)
    assert not is_whole(render(["${{ steps.login.result }}", "${{ prev }}"], PAST))
    assert isinstance(render("${{ steps.big.result }}", PAST), NotKept)
    assert render("${{ steps.login.result.name | upper }}!", PAST) == "X!"


def test_a_value_that_is_nested_too_deep_is_a_sentence() -> None:
    deep: Any = []
    for _ in range(5_000):
        deep = [deep]
    with pytest.raises(TemplateError, match="`prev`: nested too deep"):
        render("${{ prev | json }}", {"prev": deep})
    with pytest.raises(TemplateError, match="`prev`: nested too deep"):
        holds(condition(ref="prev", eq=deep), {"prev": deep})


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: type(value).__name__)
def test_a_filter_is_bounded_whatever_a_task_returned(name: str, value: Any) -> None:
    for text in ("${{ prev | %s }}", "of ${{ prev | %s }}"):
        try:
            found = render(text % name, {"prev": value})
        except TemplateError:
            continue
        assert found is value or not isinstance(found, str) or len(found) <= 2 * MAX_RENDERED


@pytest.mark.parametrize(
    ("value", "name", "found"),
    [
        (Decimal("12.9"), "int", 12),
        (Decimal("-12.9"), "int", -12),
        (Decimal("1E+300"), "int", 10**300),
        (Decimal("1E-4000000"), "int", 0),
        (Decimal("0." + "9" * 1000), "int", 0),
        (Decimal("0.1"), "float", 0.1),
        (Decimal("1E-4000000"), "float", 0.0),
        (True, "int", 1),
    ],
)
def test_numbers_of_any_kind_are_read(value: Any, name: str, found: Any) -> None:
    assert render(f"${{{{ prev | {name} }}}}", {"prev": value}) == found


@pytest.mark.parametrize(
    ("value", "name", "sentence"),
    [
        (Decimal("1E+4000000"), "int", "`prev | int`: does not accept this value of type Decimal."),
        ([0] * 5_001, "json", "`prev | json`: the value is too large."),
        ([0] * 5_001, "join", "`prev | join`: the value is too large."),
        (["x" * 1000] * 1000, "join", "`prev | join`: the value is too large."),
        ("x" * 300_000, "upper", "`prev | upper`: the value is too large."),
        ([0] * 5_001, "first", None),
        ([0] * 1_000_000, "length", None),
    ],
)
def test_what_is_too_large_for_a_filter_is_a_sentence(
    value: Any, name: str, sentence: str | None
) -> None:
    if sentence is None:
        render(f"${{{{ prev | {name} }}}}", {"prev": value})
        return
    with pytest.raises(TemplateError) as caught:
        render(f"${{{{ prev | {name} }}}}", {"prev": value})
    assert caught.value.message == sentence


def test_what_is_too_large_for_a_text_is_a_sentence() -> None:
    with pytest.raises(TemplateError, match="`prev`: too large to be part of a text"):
        render("all: ${{ prev }}", {"prev": [0] * 5_001})
    assert render("${{ prev }}", {"prev": [0] * 5_001}) == [0] * 5_001


def test_keys_are_never_filled_in() -> None:
    assert render({"${{ inputs.day }}": 1}, SCOPE) == {"${{ inputs.day }}": 1}


def test_what_is_looked_up_is_reported_in_its_order() -> None:
    value = {
        "a": ["x ${{ inputs.a }} ${{ steps['b-c'].result[0] }}"],
        "b": "${{ prev }} $${{ no }}",
    }
    assert list(map(str, references_in(value))) == ["inputs.a", "steps['b-c'].result[0]", "prev"]


@given(st.recursive(st.text("${} ainputs.|", max_size=20) | st.integers(), st.lists, max_leaves=5))
def test_what_is_escaped_comes_out_as_it_was(value: Any) -> None:
    assert render(escape(value), {}) == value
    assert list(references_in(escape(value))) == []


@given(
    st.lists(
        st.text(st.characters(exclude_characters="'\"")) | st.integers(-999_999_999, 999_999_999)
    )
)
def test_a_look_up_is_written_as_it_is_read(path: list[str | int]) -> None:
    reference = Reference("steps", tuple(path[:32]))
    assert parse_reference(str(reference)) == reference


@pytest.mark.parametrize(
    ("text", "inputs"),
    [
        ("${{ inputs.a }}" * 10_000, {"a": "x" * 200_000}),
        ("${{ inputs.a }}" * 10_000, {"a": list(range(50_000))}),
        ("${{ inputs.a | join('" + "x" * 200_000 + "') }}", {"a": list(range(50_000))}),
        ("${{ inputs.a" + " | json" * 8 + " }}", {"a": '"\\' * 100_000}),
    ],
)
def test_nothing_grows_over_a_mebibyte(text: str, inputs: dict[str, Any]) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(TemplateError):
            render(text, {"inputs": inputs})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 64 << 20


# Conditions


def condition(**fields: Any) -> Condition:
    return Condition.model_validate(fields)


@pytest.mark.parametrize(
    ("fields", "holding"),
    [
        ({"ref": "prev[0]", "eq": 1}, True),
        ({"ref": "prev[0]", "eq": 1.0}, True),
        ({"ref": "prev[0]", "eq": True}, False),
        ({"ref": "prev[3]", "eq": 1}, False),
        ({"ref": "prev[0]", "ne": 2}, True),
        ({"ref": "prev[4]", "eq": None}, True),
        ({"ref": "prev[4]", "ne": None}, False),
        ({"ref": "prev", "eq": [1, 2.5, "x", True, None]}, True),
        ({"ref": "prev", "eq": [1, 2.5, "x", 1, None]}, False),
        ({"ref": "steps.load.result.rows[0]", "eq": {"id": 1}}, True),
        ({"ref": "steps.load.result.rows[0]", "eq": {"id": True}}, False),
        ({"ref": "prev[1]", "gt": 2}, True),
        ({"ref": "prev[1]", "ge": 2.5}, True),
        ({"ref": "prev[1]", "lt": 2.5}, False),
        ({"ref": "prev[1]", "le": 2.5}, True),
        ({"ref": "inputs.day", "gt": "2026-01-30"}, True),
        ({"ref": "inputs.day", "in": ["x", "2026-01-31"]}, True),
        ({"ref": "prev[0]", "in": [True]}, False),
        ({"ref": "prev[0]", "in": []}, False),
        ({"ref": "inputs.day", "exists": True}, True),
        ({"ref": "inputs.no", "exists": True}, False),
        ({"ref": "inputs.no", "exists": False}, True),
        ({"ref": "inputs.none", "exists": True}, True),
        ({"ref": "inputs.no", "eq": 1, "missing": "false"}, False),
        ({"ref": "inputs.no", "eq": 1, "missing": "true"}, True),
        ({"all": [{"ref": "prev[0]", "eq": 1}, {"ref": "prev[0]", "eq": 2}]}, False),
        ({"any": [{"ref": "prev[0]", "eq": 1}, {"ref": "prev[0]", "eq": 2}]}, True),
        ({"not": {"ref": "prev[0]", "eq": 2}}, True),
        ({"not": {"all": [{"any": [{"not": {"ref": "prev[0]", "eq": 1}}]}]}}, True),
    ],
)
def test_a_condition_holds_or_not(fields: dict[str, Any], holding: bool) -> None:
    assert holds(condition(**fields), SCOPE) is holding


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"ref": "inputs.no", "eq": 1}, "`inputs.no`: `inputs` has no `no`."),
        (
            {"ref": "inputs.day", "gt": 5},
            "`inputs.day` is a string, which can't be compared with a n",
        ),
        ({"ref": "prev[3]", "gt": 0}, "`prev[3]` is a boolean, which can't be compared with a"),
        (
            {"ref": "prev[4]", "lt": "x"},
            "`prev[4]` is null, which can't be compared with a string.",
        ),
        ({"ref": "prev", "lt": [1]}, "`prev` is a list, which can't be compared with a list."),
        ({"ref": "prev.0", "eq": 1}, "Look-up `prev.0`: write `.0` as `[0]`."),
        ({"ref": "prev x", "eq": 1}, "Look-up `prev x`: unexpected text after it."),
        ({"ref": "", "eq": 1}, "Look-up ``: what to look up is missing."),
        ({"ref": "${{ prev }}", "eq": 1}, "Look-up `${{ prev }}`: what to look up is missing."),
    ],
)
def test_what_cannot_be_compared_is_a_sentence(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(TemplateError) as caught:
        holds(condition(**fields), SCOPE)
    assert caught.value.message.startswith(sentence)


@pytest.mark.parametrize(
    "fields",
    [
        {"ref": "steps.login.result.token", "eq": "x"},
        {"ref": "steps.login.result.token", "ne": "x"},
        {"ref": "steps.login.result.token", "gt": "x"},
        {"ref": "steps.login.result", "in": [{"name": "x", "token": "x", "url": "x"}]},
        {"ref": "prev", "eq": [1, ["••••"]]},
        {"ref": "steps.login.result.name", "eq": Withheld("when.eq")},
        {"ref": "steps.login.result.name", "in": ["a", Withheld("when.in.1")]},
        {"ref": "steps.big.result.rows", "exists": True},
        {"ref": "steps.big.result.rows", "eq": 1, "missing": "false"},
    ],
)
def test_nothing_is_compared_with_what_was_not_written_down(fields: dict[str, Any]) -> None:
    with pytest.raises(TemplateError, match="was not saved: "):
        holds(condition(**fields), PAST)


def test_that_something_exists_is_known_without_its_value() -> None:
    assert holds(condition(ref="steps.login.result.token", exists=True), PAST)
    assert not holds(condition(ref="steps.login.result.no", exists=True), PAST)


def test_a_missing_value_is_an_error_of_its_own() -> None:
    with pytest.raises(Missing):
        holds(condition(ref="steps.no.result", eq=1), SCOPE)


def test_a_condition_says_what_it_means_and_what_it_looks_up() -> None:
    whole = condition(
        all=[
            {"ref": "steps.load.result.rows", "gt": 0},
            {"any": [{"ref": "inputs.a", "in": [1]}, {"not": {"ref": "prev", "exists": True}}]},
            {"ref": "inputs.b", "ne": None},
        ]
    )
    assert say(whole) == (
        "steps.load.result.rows is over 0 and (inputs.a is one of [1] or not prev exists)"
        " and inputs.b is not null"
    )
    assert [str(each) for each in references_of(whole)] == [
        "steps.load.result.rows", "inputs.a", "prev", "inputs.b",
    ]  # fmt: skip
