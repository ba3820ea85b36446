"""The composer's forms: a step's, a group's, and the header's."""

from __future__ import annotations

import itertools

import pytest

from kimera_tui.config.friends import Friend, Param, TaskInfo
from kimera_tui.documents.document import ParaStep
from tests.ui.compose.composing import call, composer, shape, step_of


async def test_the_form_has_a_field_for_each_parameter_filled_with_what_the_step_has() -> None:
    async with composer() as it:
        await it.put([call("reports.render", kwargs={"title": "Daily", "pages": 5, "extra": [1]})])
        await it.keys("enter")
        values = {name: field.input.value for name, field in it.form.fields.items()}
        assert values["param title"] == "Daily"
        assert values["param pages"] == "5"
        assert values["param day"] == ""
        assert values["kwargs"] == '{"extra": [1]}'
        assert values["id"] == "render"
        assert "Render a document page by page" in it.picture
        await it.fill(param__title="", param__day="2026-01-31", param__pages="7")
        assert step_of(it).kwargs == {"pages": 7, "extra": [1], "day": "2026-01-31"}


WRONG = [
    ("calculator.add", "param a", "two", 'a: "two" is not an integer.'),
    ("calculator.divide", "param b", "x", 'b: "x" is not a number.'),
    ("reports.fetch", "param day", "tomorrow", "day: "),
    ("reports.render", "param paper", "A3", "paper: must be one of A4, A5, letter."),
    ("calculator.total", "param numbers", "[1,", "numbers: not JSON"),
    ("calculator.add", "args", "{}", "must be a JSON list"),
    ("calculator.add", "kwargs", "[]", "must be a JSON object"),
    ("calculator.add", "kwargs", '{"a": 1}', "`a` has a field of its own above"),
    ("calculator.add", "id", "Big One", "id: "),
    ("calculator.add", "task", "", "task: "),
    ("calculator.add", "pass", "sometimes", "pass: must be one of auto, first, payload, none."),
    ("calculator.add", "when", "is it late", "when: "),
    ("calculator.add", "on_error", "panic", "on error: must be one of fail, continue."),
    ("calculator.add", "timeout", "soon", "timeout: must be a duration"),
    ("calculator.add", "start_timeout", "-1", "start timeout: "),
    (
        "calculator.add",
        "on_timeout",
        "wait",
        "on timeout: must be one of revoke, leave,",
    ),
    ("calculator.add", "retry times", "0.5", "retry"),
    ("calculator.add", "idempotent", "perhaps", 'idempotent: "perhaps" is not true or false.'),
]
"""A task, a field of its form, what is typed there, and what that is told."""


async def test_what_is_typed_wrong_keeps_the_form_open_with_its_sentence_under_the_field() -> None:
    async with composer(size=(160, 60)) as it:
        for task, cases in itertools.groupby(WRONG, key=lambda case: case[0]):
            await it.put([call(task)])
            original = it.document
            await it.keys("e")
            form = it.form
            for _, field, typed, sentence in cases:
                clean = it.picture.count(sentence)
                given = form.fields["param a" if "of its own" in sentence else field].input
                values = given.value, form.fields[field].input.value
                given.value = "1"
                form.fields[field].input.value = typed
                await it.pilot.pause()
                await it.keys("ctrl+r")
                assert it.app.screen is form, (field, typed)
                assert it.picture.count(sentence) > clean, (field, typed)
                assert it.document is original
                given.value, form.fields[field].input.value = values
                await it.keys()
            await it.keys("ctrl+r")
            assert it.app.screen is not form  # nothing but what was wrong kept it open


async def test_a_wrong_field_says_so_while_it_is_typed_and_the_others_keep_still() -> None:
    async with composer() as it:
        await it.put([call("calculator.add")])
        await it.keys("e")
        await it.type("4x")
        await it.keys()
        assert 'a: "4x" is not an integer.' in it.picture
        await it.keys("backspace")
        assert "not an integer" not in it.picture
        await it.keys("enter")
        assert step_of(it).kwargs == {"a": 4}


async def test_a_template_may_stand_in_any_parameters_field() -> None:
    async with composer() as it:
        await it.put([call("calculator.add")], inputs={"n": {"type": "int"}})
        await it.keys("e")
        await it.fill(param__a="${{ inputs.n }}", param__b="3")
        assert step_of(it).kwargs == {"a": "${{ inputs.n }}", "b": 3}
        assert "inputs.n" in it.picture
        assert "the input, int" in it.picture


async def test_all_options_of_a_step_are_taken_and_shown_again() -> None:
    entered = {
        "id": "sum_up",
        "pass": "none",
        "when": "inputs.n > 3",
        "on_error": "cont",
        "timeout": "5m",
        "start_timeout": "30s",
        "on_timeout": "leave",
        "retry times": "2",
        "retry delay": "10s",
        "retry on": "OSError, TIMEOUT",
        "idempotent": "y",
        "notes": "a note",
    }
    async with composer(size=(160, 60)) as it:
        await it.put([call("calculator.add"), call("echo.value")], inputs={"n": {"type": "int"}})
        await it.keys("e")
        await it.fill(**{name.replace(" ", "__"): text for name, text in entered.items()})
        step = step_of(it)
        assert step.model_dump(exclude_defaults=True, by_alias=True) == {
            "id": "sum_up",
            "task": "calculator.add",
            "notes": "a note",
            "when": {"ref": "inputs.n", "gt": 3},
            "on_error": "continue",
            "pass": "none",
            "timeout": "5m",
            "start_timeout": "30s",
            "on_timeout": "leave",
            "retry": {"max": 2, "delay": "10s", "on": ["OSError", "TIMEOUT"]},
            "idempotent": True,
        }
        for words in ("if inputs.n", "continues after an error", "↻ 2", "30s in the queue"):
            assert words in it.picture
        await it.keys("e")
        shown = {name: it.form.fields[name].input.value for name in entered}
        assert shown == {**entered, "on_error": "continue", "idempotent": "yes"}
        await it.keys("ctrl+r")
        assert step_of(it) == step


async def test_references_follow_when_an_id_changes() -> None:
    async with composer() as it:
        look_up = "${{ steps.add.result }}"
        await it.put([call("calculator.add"), call("echo.value", kwargs={"payload": look_up})])
        await it.keys("e")
        await it.fill(id="sum")
        assert step_of(it, 1).kwargs == {"payload": "${{ steps.sum.result }}"}
        await it.keys("e")
        await it.fill(id="value")
        assert "Another step has the id `value`." in it.toasts
        assert shape(it.document.steps) == ["sum", "value"]


async def test_a_para_has_a_form_of_its_own() -> None:
    async with composer() as it:
        await it.put([{"id": "all", "para": [call("calculator.add"), call("echo.value")]}])
        await it.keys("e")
        assert "Edit the para" in it.picture
        await it.fill(max_parallel="none")
        assert 'max parallel: "none" is not an integer.' in it.picture
        await it.fill(gather="d", max_parallel="1", fail="fast", id="both")
        (para,) = it.document.steps
        assert isinstance(para, ParaStep)
        assert (para.id, para.gather, para.max_parallel, para.fail) == ("both", "dict", 1, "fast")
        assert "by id  1 at a time  fails fast" in it.picture


async def test_a_secret_parameter_is_not_readable_in_form_tree_or_detail() -> None:
    async with composer() as it:
        await it.put([call("reports.render", kwargs={"token": "hunter2-canary"})])
        assert "hunter2" not in it.picture
        await it.keys("e")
        assert "hunter2" not in it.picture
        assert it.form.fields["param token"].input.password
        await it.keys("ctrl+r")
        assert step_of(it).kwargs == {"token": "hunter2-canary"}


async def test_a_task_that_must_have_an_argument_asks_for_it_when_it_is_added() -> None:
    async with composer() as it:
        order = TaskInfo(params={"number": Param(type="int", required=True)})
        it.stage.friends.clear()
        it.stage.friends["shop"] = Friend(route="shop", queue="shop", tasks={"order": order})
        await it.keys("a")
        await it.pick("order")
        assert it.form.fields["param number"].input.has_focus
        await it.keys("7", "enter")
        assert step_of(it).kwargs == {"number": 7}
        await it.keys("d", "a")
        await it.pick("order")
        await it.keys("ctrl+r")  # what is missing may still come in from another step
        assert step_of(it).kwargs == {}
        assert "number is required by order." in it.picture


async def test_the_header_names_the_workflow_and_holds_what_all_steps_share() -> None:
    async with composer(size=(160, 60)) as it:
        await it.put([call("calculator.add")])
        await it.keys("g", "e")
        await it.fill(name=" ")
        assert "name: is required." in it.picture
        await it.fill(name="weekly", limit="2")
        assert "runs are counted by a key" in it.picture
        fields = {"description": "For Monday", "timeout": "1h", "env": "HOME", "limit": "2"}
        more = {"concurrency": "weekly", "friend": "echo", "step timeout": "1m"}
        named = {name.replace(" ", "__"): text for name, text in {**fields, **more}.items()}
        await it.fill(**named)
        assert it.document.name == "weekly"
        assert it.document.timeout == 3600
        assert it.document.env == ["HOME"]
        assert it.document.defaults.friend == "echo"
        assert it.document.defaults.timeout == 60
        assert it.document.concurrency is not None
        assert it.document.concurrency.limit == 2
        for words in ("weekly", "For Monday", "1h for the whole run", "echo, by default"):
            assert words in it.picture
        await it.keys("u")
        assert it.document.name == "nightly"


@pytest.mark.parametrize("size", [(80, 24), (60, 15)])
async def test_a_long_form_keeps_its_buttons_and_reaches_its_last_field_on_a_small_screen(
    size: tuple[int, int],
) -> None:
    async with composer(size=size) as it:
        await it.put([call("reports.render")])
        await it.keys("e")
        for name in ("param day", "param pages", "param seconds", "when", "timeout"):
            it.form.fields[name].input.value = "wrong"
        await it.keys("ctrl+r")
        assert "Take  ctrl+r" in it.picture
        assert "day: must be a date" in it.picture
        it.form.fields["notes"].input.focus()
        await it.keys()
        assert "notes" in it.picture
        assert "Take  ctrl+r" in it.picture
