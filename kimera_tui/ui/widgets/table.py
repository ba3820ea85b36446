"""A list with columns: a header that stays, aligned cells, sorting, and a count."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from rich.cells import cell_len, set_cell_size
from textual import events
from textual.binding import BindingType

from kimera_tui.ui.actions import bindings
from kimera_tui.ui.text import content
from kimera_tui.ui.widgets.lines import Line, Span
from kimera_tui.ui.widgets.panes import ListPane

T = TypeVar("T")
GAP = 2
"""Cells between two columns."""
MEASURED = 100
"""Rows whose cells decide how wide the columns are; the first ones."""


@dataclass(frozen=True, slots=True)
class Column(Generic[T]):
    """One column of a table.

    Args:
        title: Its header.
        cell: The safe text of an item, and the name of its style.
        order: What it is sorted by; None if it can't be sorted.
        most: The most cells that it takes.
        right: Whether it is aligned to the right.
        largest_first: Whether sorting begins with the largest.
        rank: Where there is no room, columns with the highest rank are left out first.
        grows: Whether it takes the room that the others leave.
        least: Cells that it keeps, if it grows and needs them, before others are left out.
    """

    title: str
    cell: Callable[[T], Span]
    order: Callable[[T], Any] | None = None
    most: int = 40
    right: bool = False
    largest_first: bool = False
    rank: int = 0
    grows: bool = False
    least: int = 12


class Columns(Generic[T]):
    """The columns of a table: which have room, how wide they are, and what is sorted by.

    Args:
        columns: All of them, from left to right.
    """

    def __init__(self, columns: Sequence[Column[T]]) -> None:
        self._all = columns
        self._shown: list[tuple[Column[T], int]] = []
        """The columns that have room, and their widths."""
        self.sorted_by: Column[T] | None = None
        """The column that the items are sorted by; None for the order in which they come."""
        self.turned = False
        """Whether they are sorted the other way round."""

    def sort_by(self, column: Column[T] | None, *, turned: bool = False) -> None:
        """Sort by a column; by none for the order in which the items come."""
        self.sorted_by, self.turned = column, turned

    def sort_by_next(self, by: int) -> None:
        """Sort by the next column, or the one before; beyond the last, as the items come."""
        choices = [None, *(each for each in self._all if each.order is not None)]
        self.sort_by(choices[(choices.index(self.sorted_by) + by) % len(choices)])

    def in_order(self, items: Sequence[T]) -> Sequence[T]:
        """Items as they are sorted."""
        column = self.sorted_by
        if column is None or column.order is None:
            return items
        return sorted(items, key=column.order, reverse=column.largest_first != self.turned)

    def lay_out(self, items: Sequence[T], room: int) -> bool:
        """Decide how wide the columns are, and which are left out; return whether that changed.

        Args:
            items: The first ones decide.
            room: Cells for all columns.
        """
        earlier = self._shown
        widths = {column.title: _width_of(column, items[:MEASURED]) for column in self._all}
        kept = [
            each
            for each in self._all
            if each.grows or not items or any(each.cell(item)[0] for item in items[:MEASURED])
        ]
        while len(kept) > 1 and 0 < room < _least(kept, widths):
            kept.remove(max(kept, key=lambda each: each.rank))
        left = max(0, room - _least(kept, widths)) // max(1, sum(each.grows for each in kept))
        self._shown = [
            (each, min(each.least, widths[each.title]) + left if each.grows else widths[each.title])
            for each in kept
        ]
        return self._shown != earlier

    @property
    def header(self) -> Line:
        """The titles; an arrow shows what is sorted by."""
        spans: list[Span] = [(" ", "dim")]
        for column, width in self._shown:
            title = column.title
            if column is self.sorted_by:
                title += " ▾" if column.largest_first != self.turned else " ▴"
            spans.append((_fitted(title, width, right=column.right) + " " * GAP, "dim"))
        return spans

    def line(self, item: T) -> Line:
        """The cells of an item."""
        if not self._shown:
            self.lay_out([item], 0)
        cells = ((column, width, *column.cell(item)) for column, width in self._shown)
        return [
            (_fitted(text, width, right=column.right) + " " * GAP, style)
            for column, width, text, style in cells
        ]

    def at(self, x: int) -> Column[T] | None:
        """The column at a cell of the line; None between them."""
        left = 1
        for column, width in self._shown:
            if left <= x < left + width + GAP:
                return column
            left += width + GAP
        return None


class TablePane(ListPane[T]):
    """Shows items in columns; the columns keep their widths until other items are shown.

    The cursor stays on its item when items are added, removed or sorted.

    Args:
        columns: From left to right.
        key: Returns what tells an item from others; it stays when the item changes.
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings("tables")
    head: ClassVar[int] = 1

    def __init__(
        self, columns: Sequence[Column[T]], key: Callable[[T], Hashable], **kwargs: object
    ) -> None:
        super().__init__(**kwargs)
        self.columns = Columns(columns)
        self._key = key
        self._given: Sequence[T] = ()
        """The items in the order in which they were given."""
        self.notes: Sequence[str] = ()
        """What else is said below the list, before the count; safe already."""

    def show(self, items: Sequence[T], cursor: int | None = None) -> None:
        """Show other items.

        Args:
            items: In the order that holds while no column is sorted by.
            cursor: The place among them that the cursor goes to; None keeps it on its item.
        """
        chosen = self.selected
        if cursor is not None:
            chosen = items[cursor] if cursor < len(items) else None
        self._given, ordered, place = items, self.columns.in_order(items), None
        if chosen is not None:
            keys = map(self._key, ordered)
            place = next((n for n, key in enumerate(keys) if key == self._key(chosen)), None)
        self.columns.lay_out(ordered, self.scrollable_content_region.width - 1)
        super().show(ordered, place)
        self.say_below()

    def say_below(self) -> None:
        """Say the notes below the list, how many items there are, and how they are sorted."""
        self.set_class(bool(self.notes), "-noted")
        parts = [f"{len(self.items):,}"] if self.items else []
        if self.items and (column := self.columns.sorted_by) is not None:
            parts.append(f"by {column.title.lower()}")
        self.border_subtitle = content("  ·  ".join([*self.notes, *parts])) or None

    def on_resize(self) -> None:
        """Lay the columns out for the new width."""
        self.columns.lay_out(self.items, self.scrollable_content_region.width - 1)
        self.refresh()
        super().on_resize()

    def refresh_changed(self) -> None:
        """Paint what has changed; everything where a column needs another width."""
        if self.columns.lay_out(self.items, self.scrollable_content_region.width - 1):
            self.refresh()
        else:
            super().refresh_changed()

    def header_line(self) -> Line:
        """The titles of the columns."""
        return self.columns.header

    def line_of(self, item: T) -> Line:
        """The cells of an item."""
        return [(" ", ""), *self.columns.line(item)]

    def action_sort(self, by: int) -> None:
        """Sort by the next column, or the one before."""
        self.columns.sort_by_next(by)
        self.show(self._given)
        self.show_cursor()

    def action_turn(self) -> None:
        """Sort the other way round."""
        self.columns.turned = not self.columns.turned
        self.show(self._given)
        self.show_cursor()

    def on_click(self, event: events.Click) -> None:
        """A click on a title sorts by its column, and then the other way round."""
        place, columns = event.get_content_offset(self), self.columns
        if place is None or place.y >= self.head:
            return super().on_click(event)
        column = columns.at(place.x)
        if column is not None and column.order is not None:
            again = column is columns.sorted_by
            columns.sort_by(column, turned=again and not columns.turned)
            self.show(self._given)
        return None


def _width_of(column: Column[T], items: Sequence[T]) -> int:
    """The cells that a column takes; two more than its title for the arrow."""
    cells = max((cell_len(column.cell(item)[0]) for item in items), default=0)
    return min(column.most, max(cell_len(column.title) + 2, cells))


def _least(columns: Sequence[Column[T]], widths: Mapping[str, int]) -> int:
    """The cells that columns take if those that grow keep what they need."""
    return sum(
        (min(each.least, widths[each.title]) if each.grows else widths[each.title]) + GAP
        for each in columns
    )


def _fitted(text: str, width: int, *, right: bool) -> str:
    """A text in exactly so many cells, with an ellipsis where it is cut."""
    size = cell_len(text)
    if size > width:
        return set_cell_size(text, max(0, width - 1)) + "…"
    space = " " * (width - size)
    return space + text if right else text + space
