"""A list with columns: what it shows, how it is sorted, and what it leaves out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from kimera_tui.ui.widgets.table import Column, Columns, TablePane
from tests.quick_screen import paint

Fruit = tuple[str, int, str]
FRUITS: Sequence[Fruit] = (
    ("pear", 3, "sweet and soft"),
    ("apple", 20, "crisp"),
    ("fig", 1, "a word that is far longer than there is any room for in a narrow table"),
)
COLUMNS: Sequence[Column[Fruit]] = (
    Column("Name", lambda fruit: (fruit[0], "strong"), lambda fruit: fruit[0]),
    Column("Count", lambda fruit: (f"{fruit[1]}", ""), lambda fruit: fruit[1], right=True,
           largest_first=True, rank=1),
    Column("Taste", lambda fruit: (fruit[2], "dim"), grows=True, rank=2),
)  # fmt: skip


class TableApp(App[None]):
    def compose(self) -> ComposeResult:
        yield TablePane(COLUMNS, lambda fruit: fruit[0], id="table")


@pytest.fixture
async def pilot() -> AsyncIterator[Pilot[Any]]:
    app = TableApp()
    async with app.run_test(size=(40, 8)) as pilot:
        table_of(pilot).focus()
        table_of(pilot).show(FRUITS)
        await pilot.pause()
        yield pilot


def table_of(pilot: Pilot[Any]) -> TablePane[Fruit]:
    return pilot.app.query_one(TablePane)


def picture(pilot: Pilot[Any]) -> list[str]:
    paint(pilot.app)
    strips = pilot.app.screen._compositor.render_strips()
    return ["".join(segment.text for segment in strip).rstrip() for strip in strips]


def names(pilot: Pilot[Any]) -> list[str]:
    return [fruit[0] for fruit in table_of(pilot).items]


async def test_a_header_stands_above_aligned_cells(pilot: Pilot[Any]) -> None:
    header, *rows = picture(pilot)
    assert header.split() == ["Name", "Count", "Taste"]
    assert rows[0].startswith(" pear          3  sweet and soft")
    assert rows[1].startswith(" apple        20  crisp")
    assert rows[2].endswith("…")
    assert str(table_of(pilot).border_subtitle) == "3"


async def test_it_is_sorted_by_each_column_in_turn_and_the_other_way_round(
    pilot: Pilot[Any],
) -> None:
    await pilot.press(">")
    assert names(pilot) == ["apple", "fig", "pear"]
    assert "Name ▴" in picture(pilot)[0]
    assert str(table_of(pilot).border_subtitle) == "3  ·  by name"
    await pilot.press(">")
    assert names(pilot) == ["apple", "pear", "fig"]  # the largest first
    assert "Count ▾" in picture(pilot)[0]
    await pilot.press("=")
    assert names(pilot) == ["fig", "pear", "apple"]
    await pilot.press(">")  # the last one can't be sorted by
    assert names(pilot) == ["pear", "apple", "fig"]
    await pilot.press("<")
    assert names(pilot) == ["apple", "pear", "fig"]


async def test_a_click_on_a_title_sorts_by_it_and_then_the_other_way_round(
    pilot: Pilot[Any],
) -> None:
    await pilot.click("#table", offset=(2, 0))
    assert names(pilot) == ["apple", "fig", "pear"]
    await pilot.click("#table", offset=(2, 0))
    assert names(pilot) == ["pear", "fig", "apple"]
    await pilot.click("#table", offset=(2, 2))
    assert table_of(pilot).selected == FRUITS[2]


async def test_the_cursor_stays_on_its_item(pilot: Pilot[Any]) -> None:
    await pilot.press("down")
    assert table_of(pilot).selected == FRUITS[1]
    await pilot.press(">")
    assert table_of(pilot).selected == FRUITS[1]
    table_of(pilot).show([("new", 1, ""), *FRUITS])
    assert table_of(pilot).selected == FRUITS[1]
    table_of(pilot).show([FRUITS[0]])
    assert table_of(pilot).selected == FRUITS[0]
    table_of(pilot).show([])
    assert table_of(pilot).selected is None
    assert picture(pilot)[0] == ""


async def test_the_header_stays_and_hides_no_row_under_the_cursor(pilot: Pilot[Any]) -> None:
    table = table_of(pilot)
    table.show([(f"fruit {number:03}", number, "") for number in range(100)])
    for keys in (["end"], ["home"], ["pagedown"] * 3, ["up"] * 12, ["down"] * 30, ["up"] * 30):
        await pilot.press(*keys)
        header, *rows = picture(pilot)
        assert header.split()[:3] == ["Name", "Count", "Taste"]
        assert table.selected is not None
        assert any(table.selected[0] in row for row in rows), keys


async def test_a_column_without_a_text_is_left_out(pilot: Pilot[Any]) -> None:
    empty: Column[Fruit] = Column("Nothing", lambda fruit: ("", ""))
    columns = Columns([*COLUMNS, empty])
    columns.lay_out(FRUITS, 100)
    assert [text.strip() for text, _ in columns.header] == ["", "Name", "Count", "Taste"]


async def test_columns_are_left_out_by_rank_where_there_is_no_room(pilot: Pilot[Any]) -> None:
    await pilot.resize_terminal(24, 8)
    await pilot.pause()
    assert picture(pilot)[0].split() == ["Name", "Count"]
    await pilot.resize_terminal(14, 8)
    await pilot.pause()
    assert picture(pilot)[0].split() == ["Name"]
    await pilot.resize_terminal(60, 8)
    await pilot.pause()
    assert picture(pilot)[0].split() == ["Name", "Count", "Taste"]


@given(
    st.lists(st.tuples(st.text("ab", max_size=30), st.integers(0, 10**6), st.text("cd"))),
    st.integers(1, 120),
)
def test_no_line_is_wider_than_the_room_unless_one_column_alone_is(
    fruits: list[Fruit], room: int
) -> None:
    columns = Columns(COLUMNS)
    columns.lay_out(fruits, room)
    for fruit in fruits:
        cells = columns.line(fruit)
        width = sum(len(text) for text, _ in cells)
        assert width == sum(len(text) for text, _ in columns.header) - 1
        assert width <= room or len(cells) == 1
