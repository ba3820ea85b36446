"""The one registry of actions: every key binding, the palette, help, and the hints of windows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from textual.binding import Binding, BindingType

MODES = {
    "friends": ("Friends", "Services and tasks"),
    "compose": ("Compose", "Chains and paras"),
    "live": ("Live", "Runs and events as they happen"),
    "history": ("History", "Past runs"),
    "cluster": ("Cluster", "Workers and queues"),
}
"""Title and contents of each mode, in the order of their number keys."""
ASK_FIRST = frozenset({"send", "run", "remove", "save", "save-as", "editor", "replay", "resume"})
"""Actions that send, overwrite or remove something: from the palette they ask first."""


@dataclass(frozen=True, slots=True)
class Action:
    """Something the operator can do."""

    id: str
    keys: str
    """Keys, separated by commas; the first one is shown."""
    action: str
    """Name of the method behind it, without ``action_``, with its arguments."""
    title: str
    help: str
    footer: bool = False
    """Whether the line of keys shows it; in a window, the hint."""
    priority: bool = False
    """Whether it takes precedence over what a focused field does with the key."""
    display: str = ""
    """How the key is written, where Textual's name for it is not what people say."""
    scope: str = ""
    """Where it can be done: ``app``, a mode, a kind of pane, or a window."""

    @property
    def key(self) -> str:
        """The key as people write it."""
        return self.display or self.keys.split(",")[0].replace("escape", "esc")

    @property
    def from_palette(self) -> str:
        """The action as the palette does it: with ``ask``, where it has to ask first."""
        if self.id not in ASK_FIRST:
            return self.action
        name, _, arguments = self.action.rstrip(")").partition("(")
        return f"{name}({arguments}, True)" if arguments else f"{name}(True)"

    def binding(self) -> Binding:
        """What Textual binds."""
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
    "tables": "In lists with columns",
    "tree": "In the tree of friends",
    "events": "In the event pane",
    "payload": "In the pane of input and output",
    "window": "In windows",
    "confirm": "In a question",
    "form": "In a form",
    "pick-task": "Window: pick a task",
    "pick-kind": "Window: chain or para",
    "reader": "Window: text to read",
    "conflict": "Window: the file changed on disk",
    "preflight": "Window: pre-flight",
    "inputs": "Window: inputs",
    "saved": "Window: saved workflows",
    "filters": "Window: saved filters",
    "replay": "Window: replay",
    "compare": "Window: two runs compared",
    "help": "Window: keys",
}
"""Titles of the scopes, in the order of the help."""


def _in(scope: str, *actions: Action) -> Iterator[Action]:
    return (replace(action, scope=scope) for action in actions)


def _do(
    name: str, keys: str, title: str, text: str, footer: bool = False, display: str = ""
) -> Action:
    """An action that a mode has among its commands, by this name."""
    return Action(name, keys, f"do('{name}')", title, text, footer, display=display)


ACTIONS: tuple[Action, ...] = (
    *_in(
        "app",
        Action("help", "?,f1", "help", "Help", "All keys", True),
        *(
            Action(f"mode-{mode}", str(key), f"switch_mode('{mode}')", title, text, priority=True)
            for key, (mode, (title, text)) in enumerate(MODES.items(), 1)
        ),
        # With priority: keys typed after a tab must not land in the field before it.
        Action("next-pane", "tab", "focus_next", "Next", "To the next pane or field", False, True),
        Action(
            "last-pane",
            "shift+tab",
            "focus_previous",
            "Previous",
            "To the one before",
            False,
            True,
        ),
        Action("quit", "ctrl+q", "quit", "Quit", "Leave Kimera", True, True),
    ),
    *_in(
        "friends",
        Action("send", "ctrl+r", "send", "Send", "Send the task of the form", True, True),
        Action(
            "to-composer",
            "ctrl+t",
            "to_composer",
            "Compose",
            "Add the task of the form to the composer",
            True,
            True,
        ),
        Action("back", "escape", "back", "Tree", "Back to the tree", True),
    ),
    *_in(
        "compose",
        Action("run", "ctrl+r,r", "do('run')", "Run", "Run the workflow", True, True, display="^r"),
        _do("add", "a", "Add", "Add a task after the step", True),
        _do("add-inside", "A", "Add inside", "Add a task to the group; a task becomes one"),
        _do("edit", "e", "Edit", "Edit the step, the inputs or the header", True),
        _do("remove", "d,delete", "Remove", "Remove the step"),
        _do("undo", "u", "Undo", "Undo the last edit"),
        _do("redo", "ctrl+y,U", "Redo", "Redo the edit undone last", display="^y"),
        _do("wrap", "w", "Wrap", "Put a chain or para around the step", True),
        _do("unwrap", "W", "Unwrap", "Replace the group by its steps"),
        _do("turn", "t", "Chain/para", "Turn a chain into a para and back"),
        _do("step-up", "K,shift+up", "Move up", "Move the step up"),
        _do("step-down", "J,shift+down", "Move down", "Move the step down"),
        _do("indent", ">", "Indent", "Move the step into the group before it"),
        _do("outdent", "<", "Outdent", "Move the step out of its group"),
        _do("duplicate", "c", "Copy", "Duplicate the step"),
        _do("cut", "x", "Cut", "Remove the step, to paste it elsewhere"),
        _do("paste", "v", "Paste", "Paste the cut step after this one"),
        _do("parent", "backspace", "Group", "To the chain or para around the step"),
        _do("handler", "f", "On error", "Add an error handler"),
        _do("finally", "z", "Finally", "Add a finally step"),
        _do("inputs", "i", "Inputs", "Edit what a run asks for"),
        Action("next-problem", "n", "next_problem", "Problem", "To the next problem"),
        _do("dry-run", "p", "Dry run", "Show every call; nothing is sent"),
        _do("detach", "D", "Detach", "Run it by the workers alone, without this console"),
        _do("preflight", "P", "Pre-flight", "Check whether a run would work now"),
        _do("save", "ctrl+s", "Save", "Save the workflow", True, "^s"),
        _do("save-as", "S", "Save as", "Save it under another name"),
        _do("open", "o", "Open", "Open a saved workflow", True),
        _do("new", "ctrl+n", "New", "Start an empty workflow", display="^n"),
        _do("editor", "E", "Editor", "Open the file in $EDITOR"),
    ),
    *_in(
        "runs",
        Action("timeline", "t", "toggle_timeline", "Timeline", "Timeline or steps", True),
        Action("output", "o", "toggle_output", "Output", "Events or input/output, one at a time"),
        Action("next-failure", "f", "next_failure", "Next failure", "To the next failed step"),
        _do("to-workflow", "w", "Compose", "Open the run in the composer"),
        _do("save-value", "s", "Save", "Write the step's output to a file"),
        _do("yank", "y", "Copy", "Copy the selected step's result or error", True),
        _do("replay", "p", "Replay", "Run it again, whole or in part", True),
    ),
    *_in(
        "live",
        _do("decide", "u", "Decide", "Decide what became of an uncertain step"),
        _do(
            "detach-rest",
            "D",
            "Detach",
            "Detach the rest: let the workers finish it without this console",
        ),
        Action("follow", "F", "follow", "Follow", "To the newest run and its events"),
        Action("faults", "!", "faults", "Faults", "Only runs and events with faults, or all"),
        _do("filter", "/", "Filter", "Only events with certain words"),
        Action("only-run", "r", "toggle_only_run", "This run", "Events of this run, or of all"),
        _do(
            "cancel-run",
            "C",
            "Cancel run",
            "Cancel the selected run: revoke what is in flight, send nothing more",
            True,
        ),
        _do(
            "revoke",
            "R",
            "Revoke",
            "Revoke the selected step: workers that have not started it will skip it",
        ),
        _do("terminate", "T", "Terminate", "Terminate the running step"),
    ),
    *_in(
        "history",
        _do("resume", "u", "Resume", "Resume an interrupted run"),
        _do("search", "/", "Search", "Search the runs", True),
        _do("mark", "m", "Mark", "Mark the run, to compare another one with it"),
        _do(
            "compare",
            "c",
            "Compare",
            "Compare with the marked run, or a replay with its original",
        ),
        _do("export", "x", "Export", "Write the run to a file, as JSON"),
        _do("only-bad", "!", "Failed only", "Only runs that failed, or all"),
        _do("filters", "F", "Filters", "Search with a saved filter"),
        _do("save-filter", "S,ctrl+s", "Save filter", "Save the search"),
        _do("to-list", "escape", "Back", "Back to the list; clear the search"),
    ),
    *_in(
        "cluster",
        Action("refresh", "r", "refresh", "Ask again", "Ask the workers now", True),
    ),
    *_in(
        "tables",
        Action("sort-right", ">", "sort(1)", "Sort", "Sort by the next column"),
        Action("sort-left", "<", "sort(-1)", "Sort back", "Sort by the column before"),
        Action("sort-turn", "=", "turn", "Turn", "Sort the other way round"),
    ),
    *_in(
        "lines",
        Action("up", "up,k", "cursor(-1)", "Up", "One line up"),
        Action("down", "down,j", "cursor(1)", "Down", "One line down"),
        Action("page-up", "pageup,ctrl+b", "page(-1)", "Page up", "One page up"),
        Action("page-down", "pagedown,ctrl+f", "page(1)", "Page down", "One page down"),
        Action("top", "home,g", "edge(False)", "First", "To the first line"),
        Action("bottom", "end,G", "edge(True)", "Last", "To the last line; events follow again"),
        Action("left", "left,h", "sideways(-8)", "Left", "Scroll to the left"),
        Action("right", "right,l", "sideways(8)", "Right", "Scroll to the right"),
    ),
    *_in(
        "tree",
        Action("tree-down", "j", "cursor_down", "Down", "One line down"),
        Action("tree-up", "k", "cursor_up", "Up", "One line up"),
        Action("tree-top", "g", "scroll_home", "First", "To the first line"),
        Action("tree-bottom", "G", "scroll_end", "Last", "To the last line"),
    ),
    *_in(
        "events",
        Action(
            "engine-events",
            "v",
            "engine",
            "Polls",
            "Also polls, callbacks and releases, or only the life of the tasks",
            True,
        ),
        Action("pause", "space", "pause", "Pause", "Hold the pane still, or continue", True),
    ),
    *_in("payload", Action("more", "+", "more", "More", "More of a huge value")),
    *_in(
        "window",
        Action("close", "escape", "close", "Close", "Close the window", True),
        Action("window-help", "?,f1", "app.help", "Help", "All keys"),
    ),
    *_in(
        "confirm",
        Action("no", "escape,n", "close", "No", "Change nothing"),
        Action("choice-left", "left", "app.focus_previous", "Left", "To the button on the left"),
        Action("choice-right", "right", "app.focus_next", "Right", "To the button on the right"),
        Action("question-up", "up,k", "read(-1)", "Up", "Scroll a long question up"),
        Action("question-down", "down,j", "read(1)", "Down", "Scroll a long question down"),
    ),
    *_in(
        "form",
        Action("take", "ctrl+r,ctrl+s", "take", "Take", "Take what is in the fields", True, True),
        Action("field-down", "down", "app.focus_next", "Down", "To the next field"),
        Action("field-up", "up", "app.focus_previous", "Up", "To the previous field"),
    ),
    *_in(
        "pick-task",
        Action("task-down", "down", "move(1)", "Down", "One task down", priority=True),
        Action("task-up", "up", "move(-1)", "Up", "One task up", priority=True),
    ),
    *_in(
        "pick-kind",
        Action("chain", "c", "take('chain')", "Chain", "A chain: one after the other"),
        Action("para", "p", "take('para')", "Para", "A para: all at once"),
    ),
    *_in("reader", Action("read", "escape,q", "close", "Close", "Close", True)),
    *_in(
        "conflict",
        Action("ours", "O", "take('ours')", "Overwrite with yours", "Save your version", True),
        Action("theirs", "r", "take('theirs')", "Take theirs", "Reload the file", True),
        Action("unresolved", "escape,q", "close", "Close", "Do neither", True),
    ),
    *_in(
        "preflight",
        Action("run-anyway", "R", "run", "Run anyway", "Run it despite what was found", True),
        Action("no-run", "escape,n", "close", "Do not run", "Do not run", True),
    ),
    *_in(
        "inputs",
        Action("add-input", "a", "add", "Add", "Add an input", True),
        Action("edit-input", "e", "edit", "Edit", "Edit the input", True),
        Action("delete-input", "d,delete", "delete", "Delete", "Delete the input", True),
        Action("input-up", "K,shift+up", "move(-1)", "Up", "Move the input up", True),
        Action("input-down", "J,shift+down", "move(1)", "Down", "Move the input down", True),
        Action(
            "inputs-done",
            "escape,q,ctrl+r,ctrl+s",
            "close",
            "Done",
            "Take the inputs",
            True,
            True,
        ),
    ),
    *_in(
        "saved",
        Action("saved-down", "down", "move(1)", "Down", "One workflow down", priority=True),
        Action("saved-up", "up", "move(-1)", "Up", "One workflow up", priority=True),
        Action("open-saved", "enter", "pick('open')", "Open", "Open it", True, True),
        Action("run-saved", "ctrl+r", "pick('run')", "Run", "Open and run it", True, True),
        Action("replay-saved", "ctrl+l", "pick('replay')", "Replay", "Replay last run", True, True),
        Action("edit-saved", "ctrl+e", "pick('edit')", "$EDITOR", "Edit, then open it", True, True),
    ),
    *_in(
        "filters",
        Action("use-filter", "enter", "take", "Search with it", "Search with it", True, True),
        Action("delete-filter", "d,delete", "delete", "Delete", "Delete the filter", True),
    ),
    *_in(
        "replay",
        Action("plan-up", "pageup", "read(-1)", "Page up", "Scroll up", priority=True),
        Action("plan-down", "pagedown", "read(1)", "Page down", "Scroll down", priority=True),
    ),
    *_in(
        "compare",
        Action(
            "next-difference",
            "n",
            "to_difference(1)",
            "Next difference",
            "To the next step that differs",
            True,
        ),
        Action(
            "last-difference",
            "N",
            "to_difference(-1)",
            "Previous",
            "To the previous step that differs",
            True,
        ),
        Action("yank-comparison", "y", "yank", "Copy", "Copy the comparison as text", True),
        Action("to-values", "tab", "app.focus_next", "Values", "To the values and back", True),
        Action("close-comparison", "escape,q", "close", "Close", "Close", True),
    ),
    *_in("help", Action("close-help", "escape,q,?,f1", "close", "Close", "Close")),
)


def actions_of(scope: str) -> list[Action]:
    """The actions of a scope."""
    return [action for action in ACTIONS if action.scope == scope]


def bindings(scope: str) -> list[BindingType]:
    """The bindings of a scope, for a class's ``BINDINGS``."""
    return [action.binding() for action in actions_of(scope)]


def hint(*scopes: str) -> str:
    """The keys of a window on one line: of actions on the same key, the first scope's."""
    shown: dict[str, Action] = {}
    for scope in scopes:
        for action in actions_of(scope):
            shown.setdefault(action.keys.split(",")[0], action)
    return "   ".join(
        f"{action.key} {_word(action.title)}" for action in shown.values() if action.footer
    )


def _word(title: str) -> str:
    """A title within a line; names such as $EDITOR keep their capitals."""
    return title if title.isupper() else title[:1].lower() + title[1:]
