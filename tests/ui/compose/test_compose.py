"""The composer's tree by its keys: every edit, undo, jumps, and problems as one types."""

from __future__ import annotations

from typing import Any

import pytest

from kimera_tui.documents.document import ChainStep, ParaStep, TaskStep, children_of
from kimera_tui.ui.windows.modals import PickTask
from tests.ui.compose.composing import call, composer, shape

CHAIN_IN_PARA: list[dict[str, Any]] = [
    call("reports.fetch"),
    {
        "id": "both",
        "para": [
            call("calculator.add"),
            {"id": "inner", "chain": [call("calculator.multiply"), call("calculator.stats")]},
        ],
    },
    call("calculator.total"),
]


async def test_a_chain_in_a_para_in_a_chain_is_built_by_keys_alone() -> None:
    async with composer() as it:
        await it.add("fetch")
        await it.add("add")
        await it.keys("w", "p")
        await it.add("multiply")
        await it.keys("w", "c")
        await it.add("stats")
        assert it.here == "stats"
        await it.keys("backspace", "backspace")
        await it.add("total")
        inner = ("chain", ["multiply", "stats"])
        assert shape(it.document.steps) == ["fetch", ("para", ["add", inner]), "total"]


async def test_a_task_is_added_from_the_form_in_friends() -> None:
    async with composer() as it:
        await it.keys("1", "ctrl+t", "2")
        (step,) = it.document.steps
        assert isinstance(step, TaskStep)
        assert step.task == "calculator.add"
        assert step.kwargs == {"a": 2, "b": 3}


async def test_the_task_picker_finds_by_letters_and_names_what_is_not_listed() -> None:
    async with composer() as it:
        await it.keys("a")
        assert isinstance(it.app.screen, PickTask)
        await it.type("rsum")
        await it.keys()
        assert "reports.summarise" in it.picture
        await it.keys("ctrl+u")
        await it.type("nothing like it")
        await it.keys("enter")
        assert "No task matches." in it.picture
        await it.keys("ctrl+u")
        await it.pick("calculator.cube")
        (step,) = it.document.steps
        assert isinstance(step, TaskStep)
        assert (step.id, step.task) == ("cube", "calculator.cube")


async def test_what_is_not_picked_is_not_added() -> None:
    async with composer() as it:
        await it.keys("a", "escape")
        await it.keys("z", "escape")
        assert it.document.steps == []
        await it.add("add")
        await it.keys("w", "escape", "f", "escape", "A", "escape", "A", "p", "escape")
        assert shape(it.document.steps) == ["add"]


EDITS: list[tuple[str, list[Any], str]] = [
    ("a", ["one", "add", "two", "three"], "add"),
    ("c", ["one", "one_2", "two", "three"], "one_2"),
    ("d", ["two", "three"], "two"),
    ("delete", ["two", "three"], "two"),
    ("J", ["two", "one", "three"], "one"),
    ("shift+down", ["two", "one", "three"], "one"),
    ("w c", [("chain", ["one"]), "two", "three"], "one"),
    ("w p", [("para", ["one"]), "two", "three"], "one"),
    ("w enter", [("chain", ["one"]), "two", "three"], "one"),
    ("t", [("para", ["one", "two", "three"])], "one"),
    ("A p", [("para", ["one", "add"]), "two", "three"], "add"),
    ("x down v", ["two", "three", "one"], "one"),
    ("G K", ["one", "three", "two"], "three"),
    ("w p down greater_than_sign", [("para", ["one", "two"]), "three"], "two"),
    ("w p less_than_sign", ["one", "two", "three"], "one"),
    ("w p W", ["one", "two", "three"], "one"),
    ("d u", ["one", "two", "three"], "one"),
    ("d d u u ctrl+y", ["two", "three"], "two"),
    ("d d u u U U", ["three"], "three"),
]
"""Keys pressed on the first of three steps, what they make of them, and where the cursor is then.

The picker takes ``add`` wherever it opens."""


async def test_each_key_does_its_edit_and_leaves_the_cursor_where_one_goes_on() -> None:
    async with composer() as it:
        for keys, result, cursor in EDITS:
            await it.put([call("echo.nothing", each) for each in ("one", "two", "three")])
            for key in keys.split():
                await it.keys(key)
                if isinstance(it.app.screen, PickTask):
                    await it.pick("add")
            assert shape(it.document.steps) == result, keys
            assert it.here == cursor, keys


async def test_a_chain_is_turned_into_a_para_and_back() -> None:
    async with composer() as it:
        await it.put(CHAIN_IN_PARA)
        for kinds in ([ChainStep, ChainStep], [ParaStep, ChainStep]):
            await it.keys("down", "t", "g", "down", "down")
            para = it.document.steps[1]
            assert [type(para), type(children_of(para)[1])] == kinds


async def test_steps_for_errors_and_for_the_end_are_added_and_shown_under_their_titles() -> None:
    async with composer() as it:
        await it.put([call("flaky.fail")])
        await it.keys("f")
        await it.pick("echo.value")
        assert it.here == "value"
        await it.keys("z")
        await it.pick("nothing")
        assert it.here == "nothing"
        assert shape(it.document.finally_) == ["nothing"]
        assert shape(it.document.steps[0].handlers) == ["value"]
        assert "on error" in it.picture
        assert "finally" in it.picture
        await it.keys("k", "a")
        await it.pick("add")
        assert shape(it.document.finally_) == ["nothing", "add"]


async def test_a_group_is_added_to_with_its_own_key() -> None:
    async with composer() as it:
        await it.put(CHAIN_IN_PARA)
        await it.keys("down")
        assert it.here == "both"
        await it.keys("A")
        await it.pick("nothing")
        (_, para, _) = it.document.steps
        assert isinstance(para, ParaStep)
        assert [step.id for step in para.para] == ["add", "inner", "nothing"]


async def test_a_pasted_group_gets_ids_of_its_own_and_is_whole() -> None:
    async with composer() as it:
        await it.put(CHAIN_IN_PARA)
        await it.keys("down", "x", "G", "v", "v")
        pasted = ("both", ["add", ("inner", ["multiply", "stats"])])
        again = ("both_2", ["add_2", ("inner_2", ["multiply_2", "stats_2"])])
        assert shape(it.document.steps) == ["fetch", "total", pasted, again]


IDLE = [
    ("u", "Nothing to undo."),
    ("ctrl+y", "Nothing to redo."),
    ("v", "Nothing to paste: x cuts a step."),
    ("K", "Already the first step."),
    ("G J", "Already the last step."),
    ("greater_than_sign", "No chain or para right before this step"),
    ("less_than_sign", "Already at the top level."),
    ("W", "Not in a chain or para"),
    ("backspace", "Already at the top level."),
    ("n", "No problems."),
    ("g d", "Put the cursor on a step."),
    ("g x", "Put the cursor on a step."),
    ("g w", "Put the cursor on a step."),
    ("g f", "Put the cursor on a step."),
    ("G k e", "Nothing to edit here"),
    ("E", "No editor: set EDITOR"),
]
"""Keys that can do nothing where they are pressed, and what they say."""


async def test_a_key_that_can_do_nothing_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDITOR", raising=False)
    monkeypatch.delenv("VISUAL", raising=False)
    async with composer() as it:
        for keys, words in IDLE:
            more = {"finally": [call("echo.nothing", "end")]} if keys == "G k e" else {}
            await it.put([call("echo.nothing", "one"), call("echo.nothing", "two")], **more)
            original = it.document
            await it.keys(*keys.split())
            assert words in it.toasts, keys
            assert it.document is original, keys
            it.app.clear_notifications()


async def test_problems_come_as_one_edits_and_each_leads_to_its_step() -> None:
    async with composer() as it:
        await it.put(
            [
                call("reports.fetch"),
                call("calculator.add", kwargs={"a": "${{ inputs.cuont }}"}),
                call("nobody.there"),
            ],
            inputs={"count": {"type": "int"}},
        )
        assert "⚠ 2 problems" in it.picture
        assert "there is no input `cuont`" in it.picture
        await it.keys("n")
        assert it.here == "add"
        await it.keys("n")
        assert it.here == "there"
        await it.keys("n")
        assert it.here == "add"
        await it.keys("G", "d")
        assert "⚠ 1 problem" in it.picture
        await it.keys("d")
        assert "problem" not in it.picture
        assert not it.screen.problems.display
        await it.keys("u", "g", "tab", "tab")
        assert it.screen.problems.has_focus
        await it.keys("enter")
        assert it.here == "add"
        assert it.screen.steps.has_focus


async def test_of_two_steps_with_one_id_the_problem_leads_to_the_second() -> None:
    async with composer() as it:
        await it.put([call("echo.nothing", "same"), call("echo.a_dict", "same")])
        await it.keys("g", "n")
        assert it.screen.steps.row.number == 2


async def test_problems_of_inputs_and_header_lead_to_their_lines() -> None:
    async with composer() as it:
        await it.put(
            [call("echo.nothing")],
            inputs={"day": {"type": "date", "default": "soon"}},
            concurrency={"key": "${{ inputs.dya }}"},
        )
        kinds = []
        for _ in range(2):
            await it.keys("n")
            kinds.append(it.screen.steps.row.kind)
        assert kinds == ["header", "inputs"]


async def test_an_empty_document_says_what_to_do_and_counts_no_problem() -> None:
    async with composer() as it:
        assert "a  adds a task" in it.picture
        assert "problem" not in it.picture.lower()
        await it.add("add")
        await it.keys("d")
        assert "a  adds a task" in it.picture
        assert "problem" not in it.picture.lower()


async def test_what_feeds_the_selected_step_is_marked_and_shown_with_the_last_runs_values() -> None:
    async with composer() as it:
        await it.put(
            [
                call("reports.fetch"),
                call("calculator.add", kwargs={"a": "${{ steps.fetch.result.day }}"}),
                call("calculator.total"),
            ]
        )
        await it.keys("r")
        (_, fetch), (_, add), (_, total) = it.stage.plans[0]
        rows = {"day": "2027-01-15", "rows": [4, 8]}
        for task in (fetch, add):
            it.stage.sent(task)
        it.stage.succeeded(fetch, rows)
        it.stage.failed(add, "TypeError", "add() got a day")
        it.stage.ended(
            it.app.state.wanted_run or next(iter(it.app.state.run_index.runs)), "add failed"
        )
        await it.keys("2", "down")
        assert it.here == "add"
        assert "▸ comes in" in it.picture
        assert '"day": "2027-01-15"' in it.picture
        assert "from fetch" in it.picture
        assert "failed: TypeError: add() got a day" in it.picture
        await it.keys("g")
        assert "✗ failed" in it.picture
        assert total is not None


async def test_the_cursor_stays_on_its_step_while_steps_around_it_come_and_go() -> None:
    async with composer() as it:
        await it.put([call("echo.nothing", each) for each in ("one", "two", "three")])
        await it.keys("down", "c")
        assert it.here == "two_2"
        await it.keys("u")
        assert it.here == "two"
        await it.keys("down", "w", "c", "u")
        assert it.here == "three"
