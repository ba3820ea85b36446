"""The house keeps its laws: imports, sizes of files and classes, one registry of keys."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.conftest import REPO

PACKAGE = REPO / "kimera_tui"
SOURCES = sorted(PACKAGE.rglob("*.py"))


def loaded_by(statement: str) -> set[str]:
    """The top-level modules that a fresh interpreter has after a statement."""
    program = f"{statement}\nimport sys\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "module",
    ["process", "runs.index", "runs.event_text", "execution.runner", "cluster.observer"],
)
def test_the_floors_below_the_screen_load_no_screen(module: str) -> None:
    loaded = loaded_by(f"import kimera_tui.{module}")
    assert not loaded & {"textual", "rich"}


@pytest.mark.parametrize(
    "words",
    ["--help", "friends", "runs", "send --help", "trust --list", "workflow check x"],
)
def test_a_command_that_sends_nothing_loads_no_screen_and_no_celery(
    words: str, tmp_path: Path
) -> None:
    call = f"main({words.split()}, standalone_mode=False)"
    statement = (
        "import contextlib, os\nfrom kimera_tui.cli.main import main\n"
        f"os.environ['KIMERA_HOME'] = {str(tmp_path)!r}\n"
        f"with contextlib.suppress(SystemExit), contextlib.redirect_stdout(None): {call}"
    )
    assert not loaded_by(statement) & {"textual", "rich", "celery", "kombu"}


def test_the_composer_works_without_a_screen() -> None:
    assert not loaded_by("import kimera_tui.ui.compose.composer") & {"textual", "rich"}


def test_the_first_frame_does_not_wait_for_celery() -> None:
    loaded = loaded_by("import kimera_tui.ui.app, kimera_tui.console.console")
    assert not loaded & {"celery", "kombu"}


def test_the_names_of_the_seed_are_at_the_top_too() -> None:
    import kimera_tui
    from kimera_tui import process

    assert kimera_tui.TaskManager is process.TaskManager
    assert kimera_tui.TaskParams is process.TaskParams
    assert kimera_tui.TimeoutException is process.TimeoutException


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_has_one_idea(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= 500
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = (node.end_lineno or 0) - (body[0].lineno if body else node.lineno)
            assert lines <= 50, f"{node.name} is too long"


CROWDED = {"documents": 30, "execution": 27}
"""Folders with more files than the others may have, which must not grow."""


@pytest.mark.parametrize("folder", sorted({path.parent for path in SOURCES}), ids=lambda f: f.name)
def test_a_folder_has_one_subject(folder: Path) -> None:
    files = {path.name for path in folder.glob("*.py")} - {"__init__.py"}
    assert len(files) <= CROWDED.get(folder.name, 25)


RAW_WIDGETS = {"Static", "Input", "TextArea", "Label", "Button", "OptionList", "Tree", "Select",
               "DataTable", "RichLog", "Log", "Markdown", "Checkbox", "SelectionList",
               "Collapsible", "TabPane", "RadioButton"}  # fmt: skip
TITLES = {"title", "sub_title", "border_title", "border_subtitle", "tooltip"}


def raw_text_in(path: Path) -> list[str]:
    """Places where outside text could be read as markup."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name in RAW_WIDGETS:
                found.append(f"{path.name}:{line}: raw widget {name}")
            if name == "from_markup" or any(
                keyword.arg == "markup" and getattr(keyword.value, "value", None) is not False
                for keyword in node.keywords
            ):
                found.append(f"{path.name}:{line}: markup")
        if isinstance(node, ast.Assign):
            names = {getattr(target, "attr", "") for target in node.targets}
            if names & TITLES and isinstance(node.value, ast.JoinedStr | ast.BinOp | ast.Name):
                found.append(f"{path.name}:{line}: a title that is not a constant or content()")
    return found


@pytest.mark.parametrize("path", sorted((PACKAGE / "ui").rglob("*.py")), ids=lambda p: p.name)
def test_the_screen_uses_no_widget_that_reads_markup(path: Path) -> None:
    found = raw_text_in(path)
    if path.name == "unmarked.py":
        found = [place for place in found if "raw widget" not in place]
    assert found == []


def test_the_check_for_raw_text_can_fail(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("x = Static(text)\nself.border_title = f'{x}'\nf(markup=True)\n")
    assert len(raw_text_in(bad)) == 3


def trees_of(paths: Iterable[Path], root: Path) -> dict[str, ast.Module]:
    """Parsed modules by their dotted names; a package is named like its folder."""
    return {
        ".".join(path.relative_to(root.parent).with_suffix("").parts).removesuffix(".__init__"):
        ast.parse(path.read_text())
        for path in paths
    }  # fmt: skip


MODULES = trees_of(SOURCES, PACKAGE)


def bindings_in(trees: Mapping[str, ast.Module], registry: str) -> list[str]:
    """Modules that bind keys themselves."""
    return [
        name
        for name, tree in trees.items()
        if name != registry
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and (
            getattr(node.func, "id", getattr(node.func, "attr", "")) in ("Binding", "bind")
            and "textual" in ast.dump(tree)
        )
    ]


def test_every_key_is_in_the_registry_of_actions() -> None:
    assert bindings_in(MODULES, "kimera_tui.ui.actions") == []


def imports_in(trees: Mapping[str, ast.Module]) -> dict[str, set[str]]:
    """The modules that each module names in an import, wherever and for whatever that is."""

    def named(node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            inside = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in trees else node.module for name in inside)

    return {
        module: {name for node in ast.walk(tree) for name in named(node) if name in trees}
        for module, tree in trees.items()
    }


def circles_in(imports: Mapping[str, set[str]]) -> list[list[str]]:
    """Modules that import each other, directly or through others: each circle as a sorted list."""
    reached = {module: _reached(module, imports) for module in imports}
    circles = {
        tuple(sorted(other for other in reached[module] if module in reached[other]))
        for module in imports
    }
    return [list(circle) for circle in sorted(circles) if circle]


def _reached(module: str, imports: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    ahead = list(imports[module])
    while ahead:
        if (name := ahead.pop()) not in found:
            found.add(name)
            ahead.extend(imports[name])
    return found


def test_no_module_imports_itself_through_others_not_even_for_types() -> None:
    assert circles_in(imports_in(MODULES)) == []


def large_classes_in(trees: Mapping[str, ast.Module], most: int) -> dict[str, int]:
    """Classes with too many methods, those of their bases in the package included."""
    classes = {
        f"{module}.{node.name}": (node, names_in(module, tree))
        for module, tree in trees.items()
        for node in tree.body
        if isinstance(node, ast.ClassDef)
    }

    def methods(name: str) -> set[str]:
        node, names = classes[name]
        own = {
            each.name
            for each in node.body
            if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        bases = (base.value if isinstance(base, ast.Subscript) else base for base in node.bases)
        known = (names.get(ast.unparse(base), "") for base in bases)
        return own.union(*(methods(base) for base in known if base in classes))

    counted = {name: len(methods(name)) for name in classes}
    return {name: count for name, count in counted.items() if count > most}


def names_in(module: str, tree: ast.Module) -> dict[str, str]:
    """Full names of what a module defines or imports, by the names it has there."""
    names = {
        node.name: f"{module}.{node.name}" for node in tree.body if isinstance(node, ast.ClassDef)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {each.asname or each.name: f"{node.module}.{each.name}" for each in node.names}
    return names


def test_no_class_has_more_than_thirty_methods_with_those_of_its_bases() -> None:
    assert large_classes_in(MODULES, 30) == {}


def test_the_checks_for_keys_circles_and_large_classes_can_fail(tmp_path: Path) -> None:
    root = tmp_path / "bad"
    root.mkdir()
    (root / "__init__.py").write_text("")
    (root / "one.py").write_text(
        "from typing import TYPE_CHECKING\nfrom textual.binding import Binding\n"
        "if TYPE_CHECKING:\n    from bad.two import Two\n"
        "class One:\n    KEYS = [Binding('x', 'y')]\n    def a(self): ...\n    def b(self): ...\n"
    )
    (root / "two.py").write_text(
        "from bad.one import One\n"
        "class Two(One[int]):\n    def b(self): ...\n    def c(self): ...\n"
    )
    trees = trees_of(root.rglob("*.py"), root)
    assert bindings_in(trees, "bad.registry") == ["bad.one"]
    assert circles_in(imports_in(trees)) == [["bad.one", "bad.two"]]
    assert large_classes_in(trees, 2) == {"bad.two.Two": 3}


def test_the_version_is_the_installed_one() -> None:
    from importlib.metadata import version

    import kimera_tui

    assert kimera_tui.__version__ == version("kimera-tui")
