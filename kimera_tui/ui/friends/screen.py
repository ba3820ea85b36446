"""Mode 1: the friends, their tasks, and the form that sends a task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from rich.text import Text
from textual import getters, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.timer import Timer
from textual.widgets import Tree
from textual.widgets.tree import TreeNode

from kimera_tui.config.friends import Friend
from kimera_tui.documents.calls import single
from kimera_tui.ui.actions import bindings
from kimera_tui.ui.friends.task_form import TaskForm
from kimera_tui.ui.mode_screen import ModeScreen
from kimera_tui.ui.text import label
from kimera_tui.ui.widgets.unmarked import PlainStatic, PlainTree
from kimera_tui.ui.windows.confirm_palette import sending

FORM_DELAY = 0.08
"""Seconds the cursor must rest on a task before its form is built."""
MOST_LISTED = 1000
"""Up to this many tasks, all are listed at once; beyond, each friend lists its own when expanded:
Textual measures every line of a tree on each change."""
Leaf = tuple[str, str | None]
"""A friend and a task: empty for any task, None for the friend itself."""


class FriendsScreen(ModeScreen):
    """Browses friends and sends single tasks."""

    SCOPE: ClassVar[str] = "friends"
    SCOPES: ClassVar[tuple[str, ...]] = ("friends",)
    BINDINGS: ClassVar[list[BindingType]] = bindings("friends")
    AUTO_FOCUS: ClassVar[str | None] = "#friends-tree"

    friends_tree = getters.query_one("#friends-tree", PlainTree)
    detail = getters.query_one("#friend-detail", Vertical)
    preflight = getters.query_one("#preflight", PlainStatic)

    def __init__(self) -> None:
        super().__init__()
        self._form_timer: Timer | None = None
        self._to_come: Leaf | None = None
        """The row under the cursor while its form is not built yet."""
        self._drawn: object = None
        """The cluster view shown in the labels."""

    def compose_content(self) -> ComposeResult:
        """The tree on the left, the form on the right."""
        tree = PlainTree("friends", id="friends-tree")
        tree.show_root = False
        tree.guide_depth = 2
        with Horizontal(id="friends"):
            yield tree
            with Vertical(id="friend-pane"):
                yield Vertical(id="friend-detail")
                yield PlainStatic(id="preflight")

    def on_mount(self) -> None:
        """Fill the tree."""
        self.friends_tree.border_title = "Friends"
        self.query_one("#friend-pane").border_title = "Task"
        self._fill_tree()

    def on_screen_resume(self) -> None:
        """Focus the tree, so that digits switch modes instead of filling fields."""
        super().on_screen_resume()
        self.friends_tree.focus()

    def draw(self) -> None:
        """Redraw the worker status and the preflight findings."""
        super().draw()
        self._draw_health()
        self._draw_preflight()

    def news(self) -> None:
        """Redraw after the workers have answered."""
        super().news()
        self._draw_health()
        self._draw_preflight()

    # The tree

    def _fill_tree(self) -> None:
        services = self.kimera.services
        if services.friends_problem:
            self._say_problem(services.friends_problem)
        elif not services.friends:
            self._say_problem(
                f"No friends yet.\n\nDescribe the services you send tasks to in"
                f" {services.friends_file}; docs/friends.md explains how."
            )
        few = sum(len(friend.tasks) for friend in services.friends.values()) <= MOST_LISTED
        for number, (name, friend) in enumerate(services.friends.items()):
            node = self.friends_tree.root.add(self._friend_label(name, friend), data=(name, None))
            if few or not number:
                self._list_tasks(node)
                node.expand()
        if first := next(
            (leaf for node in self.friends_tree.root.children for leaf in node.children), None
        ):
            self.friends_tree.call_after_refresh(self.friends_tree.move_cursor, first)

    @on(Tree.NodeExpanded, "#friends-tree")
    def _expanded(self, event: Tree.NodeExpanded[Leaf]) -> None:
        self._list_tasks(event.node)

    def _list_tasks(self, node: TreeNode[Leaf]) -> None:
        """List a friend's tasks below it unless they are listed already."""
        if node.data is None or node.data[1] is not None or node.children:
            return
        name = node.data[0]
        friend = self.kimera.services.friends[name]
        for task in friend.tasks:
            node.add_leaf(label(task), data=(name, task))
        if not friend.tasks:
            node.add_leaf(Text("any task", style="italic"), data=(name, ""))

    def _say_problem(self, text: str) -> None:
        self.detail.mount(PlainStatic(text, classes="problem"))

    def _friend_label(self, name: str, friend: Friend) -> Text:
        view = self.kimera.state.vitals.view
        text = label(name, "bold")
        if friend.broker is not None:
            text.append("  own broker", style="dim")
        elif view is not None and view.workers:
            workers = len(view.consumers(friend.queue))
            text.append(
                f"  {workers}w" if workers else "  no worker", "green" if workers else "red"
            )
        if friend.danger:
            text.append("  danger", style="bold red")
        return text

    def _draw_health(self) -> None:
        friends: Mapping[str, Friend] = self.kimera.services.friends
        if self.kimera.state.vitals.view is self._drawn:
            return
        self._drawn = self.kimera.state.vitals.view
        for node in self.friends_tree.root.children:
            name = node.data[0] if node.data else ""
            if name in friends:
                wanted = self._friend_label(name, friends[name])
                if node.label != wanted:
                    node.set_label(wanted)

    # The form

    @on(Tree.NodeHighlighted, "#friends-tree")
    def _rest_on(self, event: Tree.NodeHighlighted[Leaf]) -> None:
        if self._form_timer is not None:
            self._form_timer.stop()
        data = event.node.data
        self._to_come = data if data is not None and data[1] is not None else None
        if self._to_come is not None:
            self._form_timer = self.set_timer(FORM_DELAY, self._form_here)

    @on(Tree.NodeSelected, "#friends-tree")
    async def _open(self, event: Tree.NodeSelected[Leaf]) -> None:
        if (data := event.node.data) is not None and (task := data[1]) is not None:
            await self._show_form(data[0], task)
            self._form().focus_first()

    async def _show_form(self, friend: str, task: str) -> None:
        shown = self._form_or_none()
        if shown is not None and (shown.friend, shown.task_name) == (friend, task):
            return
        config = self.kimera.services.friends[friend]
        async with self.batch():
            await self.detail.remove_children()
            await self.detail.mount(TaskForm(friend, config, task))
        self._draw_preflight()

    async def _form_here(self) -> TaskForm | None:
        """The form of the task under the cursor; built now if necessary."""
        to_come, self._to_come = self._to_come, None
        if to_come is not None and to_come[1] is not None:
            await self._show_form(to_come[0], to_come[1])
        return self._form_or_none()

    def _form_or_none(self) -> TaskForm | None:
        return self.query_one_optional(TaskForm)

    def _form(self) -> TaskForm:
        return self.query_one(TaskForm)

    def _draw_preflight(self) -> None:
        form, vitals = self._form_or_none(), self.kimera.state.vitals
        if form is None:
            self.preflight.say("")
            return
        friend = self.kimera.services.friends[form.friend]
        view = vitals.view
        if friend.broker is not None:
            view = self.kimera.services.connection.view_for(form.friend)
        if view is None:
            self.preflight.say(f"Queue {friend.queue}: the workers have not been asked yet.")
            self.preflight.set_classes("")
            return
        consumers = view.consumers(friend.queue)
        found = view.findings(friend.queue, f"{friend.route}.{form.named}")
        if consumers and not form.named:  # so far only the queue is known
            found = []
        if found:
            self.preflight.say("⚠ " + " ".join(found))
        else:
            self.preflight.say(f"✓ Queue {friend.queue} is consumed by {', '.join(consumers)}.")
        self.preflight.set_class(bool(found), "-warning")

    # What can be done

    async def action_send(self, ask: bool = False) -> None:
        """Send the task and switch to Live."""
        form = await self._form_here()
        if form is not None and (params := form.collect()) is not None:
            friend = self.kimera.services.friends[form.friend]
            self.kimera.acts.launch(single(params), sending(params, friend) if ask else None)

    async def action_to_composer(self) -> None:
        """Add the task as a step in the composer."""
        form = await self._form_here()
        if form is not None and (params := form.collect()) is not None:
            composer = self.kimera.state.composer
            added = composer.add_call(params, self.kimera.services.friends[form.friend])
            number = len(composer.document.steps)
            self.kimera.flash(f"Added to the composer (2) as step {number}. {added}".strip())

    def action_back(self) -> None:
        """Return to the tree."""
        self.friends_tree.focus()
