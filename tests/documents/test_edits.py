"""The composer's edits: any sequence keeps the document valid, and undo is exact."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimera_tui.documents import edits
from kimera_tui.documents.addresses import Address, step_at, walk
from kimera_tui.documents.document import (
    MAX_STEPS,
    ChainStep,
    Condition,
    Document,
    Input,
    ParaStep,
    TaskStep,
    all_steps,
    children_of,
)
from kimera_tui.documents.renaming import free_id
from kimera_tui.errors import UsageError
from kimera_tui.ui.compose.composer import Composer


def task(name: str, **kwargs: Any) -> TaskStep:
    return TaskStep(id=name, task=f"demo.{name}", kwargs=kwargs)


def doc(*steps: Any, **fields: Any) -> Document:
    return Document(name="test", steps=list(steps), **fields)


def chain(name: str, *steps: Any) -> ChainStep:
    return ChainStep(id=name, chain=list(steps))


def para(name: str, *steps: Any, **fields: Any) -> ParaStep:
    return ParaStep(id=name, para=list(steps), **fields)


def shape(document: Document) -> str:
    """The tree in one line: chains in round brackets, paras in square ones."""

    def of(steps: Any) -> str:
        parts = []
        for step in steps:
            text = step.id
            if isinstance(step, ChainStep):
                text = f"({of(step.chain)})"
            elif isinstance(step, ParaStep):
                text = f"[{of(step.para)}]"
            if step.handlers:
                text += f"!{{{of(step.handlers)}}}"
            parts.append(text)
        return " ".join(parts)

    tail = f" | {of(document.finally_)}" if document.finally_ else ""
    return of(document.steps) + tail


def place(document: Document, step_id: str) -> Address:
    return next(address for address, step in walk(document) if step.id == step_id)


def valid(document: Document) -> None:
    again = Document.model_validate(document.model_dump(by_alias=True, exclude_unset=True))
    assert again == document
    ids = [step.id for step in all_steps(document)]
    assert len(ids) == len(set(ids))


ABC = doc(task("a"), task("b"), task("c"))
NESTED = doc(task("a"), para("p", task("b"), chain("q", task("c"), task("d"))), task("e"))


def test_a_chain_of_paras_of_chains_is_built_by_edits_alone() -> None:
    document, at = edits.add_after(doc(), (), task("fetch"))
    document, at = edits.add_after(document, at, task("left"))
    document, at = edits.wrap(document, at, "para")
    document, at = edits.add_after(document, at, task("right"))
    document, at = edits.wrap(document, at, "chain")
    document, at = edits.add_after(document, at, task("more"))
    document, at = edits.add_after(document, place(document, "para"), task("last"))
    assert shape(document) == "fetch [left (right more)] last"
    assert step_at(document, at).id == "last"
    valid(document)


@pytest.mark.parametrize(
    ("document", "at", "by", "after"),
    [
        (ABC, "b", -1, "b a c"),
        (ABC, "b", 1, "a c b"),
        (ABC, "a", -1, "a b c"),
        (ABC, "c", 1, "a b c"),
        (NESTED, "a", 1, "[a b (c d)] e"),
        (NESTED, "e", -1, "a [b (c d) e]"),
        (NESTED, "b", -1, "a b [(c d)] e"),
        (NESTED, "b", 1, "a [(b c d)] e"),
        (NESTED, "d", 1, "a [b (c) d] e"),
        (NESTED, "p", 1, "a e [b (c d)]"),
        (NESTED, "q", -1, "a [(c d) b] e"),
        (NESTED, "q", 1, "a [b] (c d) e"),
        (doc(para("p", task("a")), task("b")), "a", 1, "a b"),
        (doc(task("a"), **{"finally": [task("z")]}), "a", 1, " | a z"),
        (doc(task("a"), **{"finally": [task("z")]}), "z", -1, "a z"),
    ],
)
def test_a_step_moves_line_by_line_into_groups_and_out_again(
    document: Document, at: str, by: int, after: str
) -> None:
    moved, cursor = edits.move(document, place(document, at), by)
    assert shape(moved) == after
    assert step_at(moved, cursor).id == at
    valid(moved)


def test_indent_goes_into_the_group_before_and_outdent_behind_the_own_one() -> None:
    document, at = edits.indent(NESTED, place(NESTED, "e"))
    assert shape(document) == "a [b (c d) e]"
    document, at = edits.indent(document, at)
    assert shape(document) == "a [b (c d e)]"
    document, at = edits.outdent(document, at)
    document, at = edits.outdent(document, at)
    assert shape(document) == shape(NESTED)
    with pytest.raises(UsageError, match="Already at the top"):
        edits.outdent(document, at)
    with pytest.raises(UsageError, match="No chain or para right before this step"):
        edits.indent(ABC, place(ABC, "b"))


def test_the_last_step_of_a_group_takes_it_along() -> None:
    document, at = edits.delete(NESTED, place(NESTED, "c"))
    document, at = edits.delete(document, place(document, "d"))
    assert shape(document) == "a [b] e"
    document, at = edits.delete(document, place(document, "b"))
    assert shape(document) == "a e"
    assert step_at(document, at).id == "e"
    for _ in range(2):
        document, at = edits.delete(document, at)
    assert (document.steps, at) == ([], ())


def test_the_last_handler_leaves_on_error_as_it_is_without_any() -> None:
    document, at = edits.add_into(ABC, place(ABC, "b"), task("alert"), "on_error")
    assert shape(document) == "a b!{alert} c"
    assert step_at(document, at).id == "alert"
    document, at = edits.delete(document, at)
    assert shape(document) == "a b c"
    assert step_at(document, at).id == "b"
    assert step_at(document, at).on_error == "fail"


def test_a_copy_has_ids_of_its_own_and_speaks_of_its_own_steps() -> None:
    inner = chain("q", task("c"), task("d", x="${{ steps.c.result }} of ${{ steps.a.result }}"))
    document, at = edits.duplicate(doc(task("a"), inner), ("steps", 1))
    copy = step_at(document, at)
    assert [step.id for step in (copy, *children_of(copy))] == ["q_2", "c_2", "d_2"]
    second = children_of(copy)[1]
    assert isinstance(second, TaskStep)
    assert second.kwargs == {"x": "${{ steps.c_2.result }} of ${{ steps.a.result }}"}
    valid(document)


def test_unwrap_and_turn_keep_the_steps_and_the_place() -> None:
    turned, at = edits.turn(NESTED, place(NESTED, "c"))
    assert shape(turned) == "a [b [c d]] e"
    assert step_at(turned, at).id == "c"
    flat, at = edits.unwrap(turned, at)
    assert shape(flat) == "a [b c d] e"
    assert step_at(flat, at).id == "c"
    flat, _ = edits.unwrap(flat, place(flat, "p"))
    assert shape(flat) == "a b c d e"
    with pytest.raises(UsageError, match="nothing to unwrap"):
        edits.unwrap(flat, place(flat, "c"))
    whole, at = edits.turn(flat, place(flat, "c"))
    assert shape(whole) == "[a b c d e]"
    assert step_at(whole, at).id == "c"
    valid(whole)


def test_references_follow_a_step_to_its_new_id_and_nothing_else_changes() -> None:
    user = TaskStep.model_validate(
        {
            "id": "user",
            "task": "demo.user",
            "args": ["${{ steps.load.result }}", "$${{ steps.load }}", "steps.load", {"steps": 1}],
            "kwargs": {
                "deep": [{"x": "a ${{ steps['load'].result | default('steps.load') }}"}],
                "others": "${{ steps.loader.result }} ${{ inputs.steps.load }}",
                "gathered": "${{ steps.work.result.load }} ${{ steps.work.result['load'].x }}",
            },
            "when": {"all": [{"ref": "steps.load.result.rows", "gt": 0}]},
        }
    )
    work = para("work", task("load"), task("loader"), gather="dict")
    document, at = edits.rename(doc(work, user), ("steps", 0, "para", 0), "fetch")
    assert step_at(document, at).id == "fetch"
    changed = document.steps[1]
    assert isinstance(changed, TaskStep)
    assert changed.args == [
        "${{ steps.fetch.result }}",
        "$${{ steps.load }}",
        "steps.load",
        {"steps": 1},
    ]
    assert changed.kwargs == {
        "deep": [{"x": "a ${{ steps['fetch'].result | default('steps.load') }}"}],
        "others": "${{ steps.loader.result }} ${{ inputs.steps.load }}",
        "gathered": "${{ steps.work.result.fetch }} ${{ steps.work.result['fetch'].x }}",
    }
    assert changed.when is not None
    assert changed.when.all is not None
    assert changed.when.all[0].ref == "steps.fetch.result.rows"
    valid(document)
    for bad, why in (
        ("loader", "Another step"),
        ("Fetch", "lowercase letters"),
        ("", "lowercase letters"),
    ):
        with pytest.raises(UsageError, match=why):
            edits.rename(document, at, bad)


def using(name: str, *look_ups: str, **fields: Any) -> TaskStep:
    args = [f"${{{{ {each} }}}}" for each in look_ups]
    return TaskStep(id=name, task="demo.x", args=args, **fields)


def looked_up(document: Document, *names: str) -> list[str]:
    """What the steps look up, one after the other."""
    found = [step_at(document, place(document, name)) for name in names]
    return [arg[4:-3] for step in found if isinstance(step, TaskStep) for arg in step.args]


def test_what_a_para_gathers_by_id_is_looked_up_under_the_new_id_of_a_branch() -> None:
    gathered = para("q", chain("load", task("z")), task("other"), gather="dict")
    look_ups = ("prev.load.x", "prev['load']", 'prev["loader"]', "prev | default('prev.load')")
    document = doc(
        gathered,
        chain("c", using("d", *look_ups), using("e", "prev.load")),
        using("f", "prev.load", "steps.q.result.load", "steps.d.result.load", "steps.load.result"),
    )
    document, _ = edits.rename(document, place(document, "load"), "fetch")
    assert looked_up(document, "d") == [
        "prev.fetch.x", "prev['fetch']", 'prev["loader"]', "prev | default('prev.load')",
    ]  # fmt: skip
    assert looked_up(document, "e") == ["prev.load"]
    assert looked_up(document, "f") == [
        "prev.load", "steps.q.result.fetch", "steps.d.result.load", "steps.fetch.result",
    ]  # fmt: skip


def test_so_it_is_from_outside_and_by_all_that_it_comes_into() -> None:
    inner = para("q", task("load"), task("other"), gather="dict")
    when = Condition(ref="prev.r.load.x", eq="${{ prev.r.load }}")
    second = chain("x", using("y", "prev['r'][ 'load' ]"), using("z", "prev.r.load"))
    ways_in = ("c.result.r", "p.result['r']", "r.result", "q.result", "c.result", "x.result.r")
    document = doc(
        chain("c", para("p", chain("r", task("a"), inner), gather="dict")),
        para("both", using("b", "prev.r.load"), second, when=when),
        using("last", *(f"steps.{way}.load" for way in ways_in)),
        **{"finally": [using("end", "prev.r.load")]},
    )
    document, _ = edits.rename(document, place(document, "load"), "fetch")
    assert looked_up(document, "b", "y", "z", "end") == [
        "prev.r.fetch", "prev['r'][ 'fetch' ]", "prev.r.load", "prev.r.load",
    ]  # fmt: skip
    followed = [f"steps.{way}.fetch" for way in ways_in[:4]]
    assert looked_up(document, "last") == [
        *followed,
        "steps.c.result.load",
        "steps.x.result.r.load",
    ]
    found = document.steps[1].when
    assert found is not None
    assert (found.ref, found.eq) == ("prev.r.fetch.x", "${{ prev.r.fetch }}")
    document, _ = edits.rename(document, place(document, "r"), "w")
    assert looked_up(document, "b", "y") == ["prev.w.fetch", "prev['w'][ 'fetch' ]"]
    listed = doc(para("l", task("n"), inner), using("u", "prev[1].load", "prev[0].load"))
    listed, _ = edits.rename(listed, place(listed, "load"), "fetch")
    assert looked_up(listed, "u") == ["prev[1].fetch", "prev[0].load"]


def test_a_copy_looks_up_what_its_own_para_gathers() -> None:
    inner = para("q", task("a"), task("a_2"), gather="dict")
    look_ups = ["prev.q.a", "prev.q.a_2", "steps.p.result.q.a"]
    whole = chain("c", para("p", inner, gather="dict"), using("u", *look_ups))
    document, _ = edits.duplicate(doc(whole), ("steps", 0))
    ids = [step.id for _, step in walk(document)]
    assert ids[6:] == ["c_2", "p_2", "q_2", "a_3", "a_4", "u_2"]
    assert looked_up(document, "u") == look_ups
    assert looked_up(document, "u_2") == [
        "prev.q_2.a_3", "prev.q_2.a_4", "steps.p_2.result.q_2.a_3",
    ]  # fmt: skip


def test_an_input_is_set_renamed_with_its_references_and_deleted() -> None:
    document = doc(
        task("a", day="${{ inputs.day }}", text="inputs.day ${{ inputs.day_two }}"),
        concurrency={"key": "k-${{ inputs.day }}"},
    )
    document = edits.set_input(document, "day", Input(type="date"))
    document = edits.set_input(document, "limit", Input(type="int"))
    document = edits.set_input(document, "when", Input(type="date", required=True), "day")
    assert list(document.inputs) == ["when", "limit"]
    step = document.steps[0]
    assert isinstance(step, TaskStep)
    assert step.kwargs == {
        "day": "${{ inputs.when }}",
        "text": "inputs.day ${{ inputs.day_two }}",
    }
    assert document.concurrency is not None
    assert document.concurrency.key == "k-${{ inputs.when }}"
    with pytest.raises(UsageError, match="Another input"):
        edits.set_input(document, "limit", Input(), "when")
    assert list(edits.delete_input(document, "when").inputs) == ["limit"]
    valid(document)


def test_a_header_is_taken_over_and_the_steps_stay() -> None:
    header = Document(name="other", description="d", timeout=60.0)
    changed = edits.with_header(NESTED, header)
    assert (changed.name, changed.timeout) == ("other", 60.0)
    assert shape(changed) == shape(NESTED)
    assert edits.with_header(changed, Document(name="x")).timeout is None
    valid(changed)


def test_nothing_grows_over_the_formats_caps() -> None:
    full = doc(*(task(f"s{n}") for n in range(MAX_STEPS)))
    with pytest.raises(UsageError, match="at most 2,000 steps"):
        edits.add_after(full, (), task("more"))
    deep, at = edits.add_after(doc(), (), task("a"))
    for _ in range(39):
        deep, at = edits.wrap(deep, at, "chain")
    with pytest.raises(UsageError, match="at most 40 levels deep"):
        edits.wrap(deep, at, "para")
    valid(deep)


@pytest.mark.parametrize(
    ("wanted", "taken", "found"),
    [
        ("add", (), "add"),
        ("add", ("add",), "add_2"),
        ("add_2", ("add_2",), "add_3"),
        ("Send-Mail.Now", (), "send_mail_now"),
        ("1st", (), "step_1st"),
        ("é\x00", (), "step"),
        ("x" * 60, ("x" * 40,), "x" * 38 + "_2"),
    ],
)
def test_an_id_is_made_of_a_name(wanted: str, taken: tuple[str, ...], found: str) -> None:
    got = free_id(wanted, {*taken, "add"} if found == "add_3" else taken)
    assert got == found


# Any sequence of edits

ACTS = (
    "after", "into", "handler", "finally", "delete", "duplicate", "up", "down", "chain", "para",
    "unwrap", "indent", "outdent", "turn", "rename", "replace",
)  # fmt: skip


def act(document: Document, name: str, at: Address, number: int) -> edits.Edit:
    """One edit; those that aren't possible there leave the document as it is."""
    fresh = task(f"t{number % 5}", of=f"${{{{ steps.t{number % 3}.result }}}}")
    if name == "finally":
        return edits.add_into(document, (), fresh, "finally")
    if name == "after" or not at:
        return edits.add_after(document, at, fresh)
    step = step_at(document, at)
    match name:
        case "into":
            return edits.add_into(document, at, fresh)
        case "handler":
            return edits.add_into(document, at, fresh, "on_error")
        case "delete":
            return edits.delete(document, at)
        case "duplicate":
            return edits.duplicate(document, at)
        case "up" | "down":
            return edits.move(document, at, -1 if name == "up" else 1)
        case "chain":
            return edits.wrap(document, at, "chain")
        case "para":
            return edits.wrap(document, at, "para")
        case "unwrap":
            return edits.unwrap(document, at)
        case "indent":
            return edits.indent(document, at)
        case "outdent":
            return edits.outdent(document, at)
        case "turn":
            return edits.turn(document, at)
        case "rename":
            return edits.rename(document, at, f"n{number}")
    return edits.replace(document, at, step.model_copy(update={"notes": f"note {number}"}))


@given(st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 10_000)), max_size=30))
def test_any_sequence_of_edits_keeps_the_document_valid_and_undo_is_exact(
    script: list[tuple[str, int]],
) -> None:
    composer = Composer()
    composer.open(NESTED)
    seen = [composer.document]
    for name, number in script:
        document = composer.document
        places = [address for address, _ in walk(document)] or [()]
        try:
            edited, cursor = act(document, name, places[number % len(places)], number)
        except UsageError:
            continue
        composer.replace(edited, cursor)
        if edited is not document:
            seen.append(edited)
        if cursor:
            assert step_at(edited, cursor) is not None
        else:
            assert not edited.steps
            assert not edited.finally_
        valid(edited)
    assert seen[0] == NESTED
    for expected in reversed(seen[:-1]):
        assert composer.undo()
        assert composer.document is expected
    assert not composer.undo()
    for expected in seen[1:]:
        assert composer.redo()
        assert composer.document is expected
    assert not composer.redo()


@given(
    st.lists(st.tuples(st.sampled_from(("up", "down", "indent", "outdent")), st.integers(0, 99)))
)
def test_moving_loses_and_makes_no_task(script: list[tuple[str, int]]) -> None:
    document = NESTED
    tasks = {step.id for step in all_steps(document) if isinstance(step, TaskStep)}
    for name, number in script:
        places = [address for address, _ in walk(document)]
        try:
            document, _ = act(document, name, places[number % len(places)], number)
        except UsageError:
            continue
        assert {step.id for step in all_steps(document) if isinstance(step, TaskStep)} == tasks
