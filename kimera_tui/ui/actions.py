"""The one registry of actions: bindings, palette, help and footer are all made from it."""

from __future__ import annotations

from dataclasses import dataclass

from textual.binding import Binding, BindingType

ASK_FIRST = frozenset({"send", "run", "remove", "save", "save-as", "editor", "replay", "resume"})
"""Actions that send, overwrite or remove something at their key, and from the palette ask first."""


@dataclass(frozen=True, slots=True)
class Action:
    """Something the operator can do."""

    id: str
    keys: str
    """Keys, separated by commas; the first is the one that is shown."""
    action: str
    """Name of the method behind it, without ``action_``, with its arguments."""
    title: str
    help: str
    scope: str
    """Where it can be done: ``app``, the name of a mode, or of a kind of pane."""
    footer: bool = False
    priority: bool = False
    """Wins over what a focused field would do with the key."""
    display: str = ""
    """How the key is written, where Textual's own name for it is not what people say."""

    @property
    def key(self) -> str:
        """The key as people write it."""
        first = self.display or self.keys.split(",")[0]
        return first.replace("question_mark", "?").replace("slash", "/")

    @property
    def from_palette(self) -> str:
        """The action as the palette does it: the method's ``ask`` has it ask first."""
        return f"{self.action}(True)" if self.id in ASK_FIRST else self.action

    def binding(self) -> Binding:
        """The binding for Textual."""
        return Binding(
            self.keys,
            self.action,
            self.title,
            show=self.footer,
            priority=self.priority,
            tooltip=self.help,
            key_display=self.display or None,
            id=self.id,
        )


SCOPES = {
    "app": "Everywhere",
    "friends": "Friends",
    "compose": "Compose",
    "runs": "Runs (Live, History)",
    "live": "Live",
    "history": "History",
    "cluster": "Cluster",
    "lines": "In lists and panes",
    "events": "In the event pane",
    "payload": "In the pane of input and output",
}

ACTIONS: tuple[Action, ...] = (
    Action("help", "question_mark,f1", "help", "Help", "All keys", "app", True, display="?"),
    Action(
        "mode-friends",
        "1",
        "switch_mode('friends')",
        "Friends",
        "Services and tasks",
        "app",
        priority=True,
    ),
    Action(
        "mode-compose",
        "2",
        "switch_mode('compose')",
        "Compose",
        "Chains and paras",
        "app",
        priority=True,
    ),
    Action(
        "mode-live",
        "3",
        "switch_mode('live')",
        "Live",
        "Runs and events as they come",
        "app",
        priority=True,
    ),
    Action(
        "mode-history",
        "4",
        "switch_mode('history')",
        "History",
        "Runs of the past",
        "app",
        priority=True,
    ),
    Action(
        "mode-cluster",
        "5",
        "switch_mode('cluster')",
        "Cluster",
        "Workers and queues",
        "app",
        priority=True,
    ),
    # First in line: keys typed after a tab must not land in the field before it.
    Action(
        "next-pane", "tab", "focus_next", "Next", "To the next pane or field", "app", False, True
    ),
    Action(
        "last-pane",
        "shift+tab",
        "focus_previous",
        "Previous",
        "To the pane or field before",
        "app",
        False,
        True,
    ),
    Action("quit", "ctrl+q", "quit", "Quit", "Leave Kimera", "app", True, True),
    Action("send", "ctrl+r", "send", "Send", "Send the task of the form", "friends", True, True),
    Action(
        "to-composer",
        "ctrl+t",
        "to_composer",
        "Compose",
        "Add the task of the form to the composer",
        "friends",
        True,
        True,
    ),
    Action("back", "escape", "back", "Tree", "Back to the tree", "friends", True),
    Action("run", "ctrl+r,r", "run", "Run", "Run what is composed", "compose", True, display="^r"),
    Action("add", "a", "add", "Add", "Add a task behind the step", "compose", True),
    Action(
        "add-inside",
        "A",
        "add_inside",
        "Add inside",
        "Add a task in the chain or para; a task becomes one with it",
        "compose",
    ),
    Action("edit", "e", "edit", "Edit", "Edit the step, the inputs or the header", "compose", True),
    Action("remove", "d,delete", "remove", "Remove", "Remove the step", "compose"),
    Action("undo", "u", "undo", "Undo", "Take the last edit back", "compose"),
    Action("redo", "ctrl+y,U", "redo", "Redo", "Do again what was undone", "compose", display="^y"),
    Action("wrap", "w", "wrap", "Wrap", "Put a chain or para around the step", "compose", True),
    Action("unwrap", "W", "unwrap", "Unwrap", "Put a group's steps in its place", "compose"),
    Action("turn", "t", "turn", "Chain/para", "Turn a chain into a para and back", "compose"),
    Action("step-up", "K,shift+up", "move(-1)", "Move up", "Move the step up", "compose"),
    Action("step-down", "J,shift+down", "move(1)", "Move down", "Move the step down", "compose"),
    Action(
        "indent",
        "greater_than_sign",
        "indent",
        "Indent",
        "Move the step into the chain or para before it",
        "compose",
        display=">",
    ),
    Action(
        "outdent",
        "less_than_sign",
        "outdent",
        "Outdent",
        "Move the step out of its chain or para",
        "compose",
        display="<",
    ),
    Action("duplicate", "c", "duplicate", "Copy", "Add the step once more", "compose"),
    Action("cut", "x", "cut", "Cut", "Remove the step, to paste it elsewhere", "compose"),
    Action("paste", "v", "paste", "Paste", "Add what was cut behind the step", "compose"),
    Action("parent", "backspace", "parent", "Group", "To the chain or para around it", "compose"),
    Action("handler", "f", "add_handler", "On error", "Add what runs on its error", "compose"),
    Action("finally", "z", "add_finally", "Finally", "Add what runs at the end", "compose"),
    Action("inputs", "i", "inputs", "Inputs", "Edit what a run asks for", "compose"),
    Action("next-problem", "n", "next_problem", "Problem", "To the next problem", "compose"),
    Action("dry-run", "p", "dry_run", "Dry run", "Show every call; nothing is sent", "compose"),
    Action("detach", "D", "detach", "Detach", "Hand all of it to the workers", "compose"),
    Action(
        "preflight", "P", "preflight", "Pre-flight", "What speaks for and against a run", "compose"
    ),
    Action("save", "ctrl+s", "save", "Save", "Save the workflow", "compose", True, display="^s"),
    Action("save-as", "S", "save_as", "Save as", "Save it under another name", "compose"),
    Action("open", "o", "open", "Open", "Open a saved workflow", "compose", True),
    Action("new", "ctrl+n", "new", "New", "Begin an empty workflow", "compose", display="^n"),
    Action("editor", "E", "editor", "Editor", "Open the file in $EDITOR", "compose"),
    Action("timeline", "t", "toggle_timeline", "Timeline", "Timeline or steps", "runs", True),
    Action(
        "output",
        "o",
        "toggle_output",
        "Output",
        "Events or input/output, where there is no room for both",
        "runs",
    ),
    Action(
        "next-failure",
        "f",
        "next_failure",
        "Next failure",
        "To the next step that ended badly",
        "runs",
    ),
    Action("to-workflow", "w", "to_workflow", "Compose", "Compose the run as a workflow", "runs"),
    Action("save-value", "s", "save_value", "Save", "Write the step's output to a file", "runs"),
    Action(
        "decide",
        "u",
        "decide",
        "Decide",
        "Say what became of the selected uncertain step",
        "live",
    ),
    Action(
        "detach-rest",
        "D",
        "detach_rest",
        "Detach",
        "Hand the rest of the selected run to the workers",
        "live",
    ),
    Action("follow", "F", "follow", "Follow", "To the newest run, and its events", "live"),
    Action(
        "faults",
        "exclamation_mark",
        "faults",
        "Faults",
        "Only what went wrong, or all again",
        "live",
        display="!",
    ),
    Action("filter", "slash", "filter", "Filter", "Only events with certain words", "live"),
    Action("resume", "u", "resume", "Resume", "Go on with a run that was left", "history"),
    Action("yank", "y", "yank", "Copy", "Copy the selected step's result or error", "runs", True),
    Action("replay", "p", "replay", "Replay", "Run it again, whole or in part", "runs", True),
    Action(
        "only-run",
        "r",
        "toggle_only_run",
        "This run",
        "Events of the selected run, or of all",
        "live",
    ),
    Action(
        "cancel-run",
        "C",
        "cancel_run",
        "Cancel run",
        "Cancel the selected run: revoke what is in flight, send nothing more",
        "live",
        True,
    ),
    Action(
        "revoke",
        "R",
        "revoke",
        "Revoke",
        "Revoke the selected step: who has not begun it skips it",
        "live",
    ),
    Action(
        "terminate",
        "T",
        "terminate",
        "Terminate",
        "Terminate the selected step while it runs",
        "live",
    ),
    Action("search", "slash", "search", "Search", "Search the runs", "history", True, display="/"),
    Action("mark", "m", "mark", "Mark", "Mark the run, to compare another one with it", "history"),
    Action(
        "compare",
        "c",
        "compare",
        "Compare",
        "Compare the run with the marked one, or a replay with what it replays",
        "history",
    ),
    Action("export", "x", "export", "Export", "Write the run to a file, as JSON", "history"),
    Action(
        "only-bad",
        "exclamation_mark",
        "toggle_only_bad",
        "Ended badly",
        "Only runs that ended badly, or all",
        "history",
        display="!",
    ),
    Action("filters", "F", "filters", "Filters", "Search with a saved filter", "history"),
    Action(
        "save-filter",
        "S,ctrl+s",
        "save_filter",
        "Save filter",
        "Save the search under a name",
        "history",
    ),
    Action("to-list", "escape", "to_list", "Back", "Back to the list; clear the search", "history"),
    Action("refresh", "r", "refresh", "Ask again", "Ask the workers now", "cluster", True),
    Action("up", "up,k", "cursor(-1)", "Up", "One line up", "lines"),
    Action("down", "down,j", "cursor(1)", "Down", "One line down", "lines"),
    Action("page-up", "pageup,ctrl+b", "page(-1)", "Page up", "One page up", "lines"),
    Action("page-down", "pagedown,ctrl+f", "page(1)", "Page down", "One page down", "lines"),
    Action("top", "home,g", "top", "First", "To the first line", "lines"),
    Action("bottom", "end,G", "bottom", "Last", "To the last line; events follow again", "lines"),
    Action("left", "left,h", "sideways(-8)", "Left", "Scroll to the left", "lines"),
    Action("right", "right,l", "sideways(8)", "Right", "Scroll to the right", "lines"),
    Action(
        "polls",
        "v",
        "polls",
        "Polls",
        "Show all polls, or only a task's first three",
        "events",
        True,
    ),
    Action("more", "plus", "more", "More", "Show more of a huge value", "payload", display="+"),
    Action("pause", "space", "pause", "Pause", "Hold the pane still, and go on", "events", True),
)


def actions_of(scope: str) -> list[Action]:
    """The actions of a scope."""
    return [action for action in ACTIONS if action.scope == scope]


def bindings(scope: str) -> list[BindingType]:
    """The bindings of a scope, for a class's ``BINDINGS``."""
    return [action.binding() for action in actions_of(scope)]
