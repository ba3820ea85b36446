"""``kimera-tui workflow``: what is wrong with files, the schema for editors, and the list."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run

GOOD = "kimera: 1\nname: good\nsteps:\n  - {id: a, task: echo.value}\n"
BAD = """\
kimera: 1
name: bad
steps:
  - id: a
    task: ech.value
    timeot: 5s
  - {id: b, task: echo.value, args: ["${{ steps.c.result }}"]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a good, a bad and a broken file."""
    folder = tmp_path / "workflows"
    folder.mkdir()
    (folder / "good.kimera.yaml").write_text(GOOD)
    (folder / "bad.kimera.yaml").write_text(BAD)
    (folder / "broken.kimera.yaml").write_text("kimera: 1\nname: [\n")
    return folder


@pytest.fixture
def where(tmp_path: Path, folder: Path) -> dict[str, str]:
    return {"KIMERA_HOME": str(tmp_path / "home"), "KIMERA_WORKFLOWS": str(folder)}


def test_nothing_is_wrong_with_the_examples(run: Run) -> None:
    done = run(
        "workflow", "check", "careful-import", "daily-report", "workflows/fan-out.kimera.yaml"
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.count("no problems") == 3


def test_each_mistake_is_a_line_that_editors_understand(
    run: Run, where: dict[str, str], folder: Path
) -> None:
    done = run("workflow", "check", "good", "bad", str(folder / "broken.kimera.yaml"), **where)
    assert done.returncode == 1
    near = " Near: `timeout`, `on_timeout`, `start_timeout`."
    assert done.stdout.splitlines() == [
        f"{folder}/bad.kimera.yaml:5: steps.0.task: no friend `ech` is configured. Near: `echo`.",
        f"{folder}/bad.kimera.yaml:6: steps.0.timeot: unknown key 'timeot'.{near}",
        f"{folder}/bad.kimera.yaml:7: steps.1.args.0: `steps.c.result`: there is no step `c`.",
        f"{folder}/broken.kimera.yaml:3: did not find expected node content.",
    ]  # fmt: skip
    assert done.stderr == f"{folder}/good.kimera.yaml: no problems.\n"


def test_mistakes_are_objects_for_programs(run: Run, where: dict[str, str], folder: Path) -> None:
    done = run("workflow", "check", "bad", "broken", "--json", **where)
    assert done.returncode == 1
    output = [json.loads(line) for line in done.stdout.splitlines()]
    assert output[2] == {
        "file": f"{folder}/bad.kimera.yaml",
        "line": 7,
        "path": "steps.1.args.0",
        "step": "b",
        "problem": "`steps.c.result`: there is no step `c`.",
    }
    assert [(each["line"], each["path"]) for each in output] == [
        (5, "steps.0.task"), (6, "steps.0.timeot"), (7, "steps.1.args.0"), (3, ""),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("god", "No workflow `god` in "),
        ("no/such.yaml", "No file no/such.yaml."),
        ("x" * 5000, "No workflow `xxx"),
        ("bytes", "bytes.kimera.yaml, line 2: not UTF-8"),
        ("folder", "No workflow `folder` in "),
    ],
)
def test_a_file_that_cannot_be_read_leaves_with_2(
    run: Run, where: dict[str, str], folder: Path, name: str, sentence: str
) -> None:
    (folder / "bytes.kimera.yaml").write_bytes(b"kimera: 1\n\xff\n")
    (folder / "folder.kimera.yaml").mkdir()
    done = run("workflow", "check", "bad", name, **where)
    assert done.returncode == 2
    assert sentence in done.stdout
    assert "Traceback" not in done.stderr
    output = json.loads(run("workflow", "check", name, "--json", **where).stdout)
    assert sentence in output["problem"]


def test_a_wrong_friends_file_is_reported_in_place_of_what_follows_from_it(
    run: Run, where: dict[str, str], tmp_path: Path
) -> None:
    friends = tmp_path / "friends.yaml"
    friends.write_text("friends:\n  a: {rout: x}\n")
    for words in (["check", "good"], ["list"], ["schema", "--with-friends"]):
        done = run("workflow", *words, **where, KIMERA_FRIENDS=str(friends))
        assert (done.returncode, done.stdout) == (2, "")
        assert f"{friends}, line 2" in done.stderr
        assert "Traceback" not in done.stderr
    done = run("run", "good", **where, KIMERA_FRIENDS=str(friends))
    assert done.returncode == 2
    assert f"{friends}, line 2" in done.stderr


def test_the_schema_is_one_json_object_with_or_without_friends(run: Run) -> None:
    plain = run("workflow", "schema")
    assert plain.returncode == 0
    schema = json.loads(plain.stdout)
    assert schema["required"][:2] == ["kimera", "name"]
    friends = json.loads(run("workflow", "schema", "--with-friends").stdout)
    assert "calculator.add" in json.dumps(friends)
    assert "calculator.add" not in plain.stdout


def test_workflows_are_listed_with_what_is_wrong(run: Run, where: dict[str, str]) -> None:
    done = run("workflow", "list", **where)
    assert done.returncode == 0
    bad, broken, good = done.stdout.splitlines()
    assert bad.startswith("bad.kimera.yaml")
    assert "! " in bad
    assert "did not find expected node content" in broken
    assert good.split() == ["good.kimera.yaml", "1", "steps", "never", "ran"]
    output = [
        json.loads(line) for line in run("workflow", "list", "--json", **where).stdout.splitlines()
    ]
    assert output[2]["name"] == "good"
    assert output[2]["problem"] == ""
    assert output[2]["last_status"] == ""


def test_a_folder_without_workflows_says_what_to_do(run: Run, tmp_path: Path) -> None:
    where = {"KIMERA_HOME": str(tmp_path), "KIMERA_WORKFLOWS": str(tmp_path / "none")}
    done = run("workflow", "list", **where)
    assert (done.returncode, done.stdout) == (0, "")
    assert "No workflows" in done.stderr
