"""The house keeps its floors: contracts, imports at run time, sizes of files."""

from __future__ import annotations

import ast
import subprocess
import sys
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
    ["process", "runs.index", "runs.event_text", "execution.runner", "cluster.inspector"],
)
def test_the_floors_below_the_screen_load_no_screen(module: str) -> None:
    loaded = loaded_by(f"import kimera_tui.{module}")
    assert not loaded & {"textual", "rich"}


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
    if path.name == "plain.py":
        found = [place for place in found if "raw widget" not in place]
    assert found == []


def test_the_check_for_raw_text_can_fail(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("x = Static(text)\nself.border_title = f'{x}'\nf(markup=True)\n")
    assert len(raw_text_in(bad)) == 3


def test_the_version_is_the_installed_one() -> None:
    from importlib.metadata import version

    import kimera_tui

    assert kimera_tui.__version__ == version("kimera-tui")
