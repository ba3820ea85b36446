"""A step that ran and whose result nobody can read: it runs once, and is never called failed."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.process.redis.servers import Server, worker

from .conftest import Run

FRIENDS = """friends:
  lab: {route: lab.tasks, queue: celery}
  plain: {route: lab.tasks, queue: plain}
"""
FORMS = {
    "pickle": ({"result_serializer": "pickle"}, "seems to be a pickle"),
    "yaml": ({"result_serializer": "yaml"}, "seems to be YAML"),
    "msgpack": ({"result_serializer": "msgpack"}, "seems to be msgpack"),
    "gzip": ({"result_compression": "gzip"}, "is compressed with zlib"),
    "bzip2": ({"result_compression": "bzip2"}, "is compressed with bzip2"),
}


class Lab:
    """A server, workers with a queue of their own each, and the console's environment."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server, self.folder = server, folder
        (folder / "friends.yaml").write_text(FRIENDS)
        self.where = {
            "KIMERA_HOME": str(folder),
            "KIMERA_FRIENDS": str(folder / "friends.yaml"),
            "KIMERA_WORKFLOWS": str(folder),
            "BROKER_URL": server.url(),
            "RESULT_BACKEND": server.url(),
        }
        self.workers = contextlib.ExitStack()

    def start(self, **conf: Any) -> None:
        """The worker of ``lab`` with that configuration, and a plain one on another queue."""
        for queue, name, its in (("celery", "w1", conf), ("plain", "w2", {})):
            url = self.server.url()
            running = worker(url, url, self.server.url(5), queues=queue, name=name, conf=its)
            self.workers.enter_context(running)

    def workflow(self, *steps: dict[str, Any], **more: Any) -> str:
        """A workflow file's path."""
        path = self.folder / "w.kimera.yaml"
        path.write_text(json.dumps({"kimera": 1, "name": "w", **more, "steps": steps}))
        return str(path)

    def runs(self) -> list[int]:
        """How often each task ran."""
        return [int(times) for times in self.server.client(5).hvals("runs")]


@pytest.fixture
def lab(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    server = Server(tmp_path_factory.mktemp("own")).start()
    made = Lab(server, tmp_path)
    yield made
    made.workers.close()
    server.stop()


LOST = {
    "id": "lost",
    "task": "lab.add",
    "args": [1, 2],
    "timeout": "30s",
    "idempotent": True,
    "retry": {"max": 3, "delay": "10ms"},
    "on_error": [{"id": "mend", "task": "plain.add", "args": [0]}],
}
FED = {"id": "fed", "task": "plain.add", "args": [1]}
FREE = {"id": "free", "task": "plain.add", "args": [5], "pass": "none"}
LAST = {"id": "last", "task": "plain.add", "args": [7]}


@pytest.mark.parametrize(("conf", "form"), FORMS.values(), ids=FORMS)
def test_it_runs_once_and_what_does_not_need_it_goes_on(
    run: Run, lab: Lab, conf: dict[str, str], form: str
) -> None:
    lab.start(**conf)
    # ``lost`` and ``free`` run side by side with ``fed``'s chain; ``last`` runs in any case.
    both: dict[str, Any] = {"id": "both", "para": [{"id": "c", "chain": [LOST, FED]}, FREE]}
    done = run("run", lab.workflow(both, **{"finally": [LAST]}), "--json", **lab.where)
    end = json.loads(done.stdout.splitlines()[-1])
    steps = {step["id"]: step for step in end["steps"]}
    assert done.returncode == 5, done.stderr
    assert end["state"] == "ended, result unknown"
    assert {name: step["state"] for name, step in steps.items()} == {
        "lost": "ended, result unknown",
        "mend": "not needed",
        "fed": "skipped",
        "free": "done",
        "last": "done",
    }
    assert form in steps["lost"]["cause"]
    assert steps["lost"]["source"] == "backend"
    assert (steps["lost"]["attempt"], steps["lost"]["error"]) == (1, "")
    assert steps["fed"]["cause"] == (
        "step lost ended and its result is unknown, so it cannot be sent"
    )
    assert end["error"] == "fed was not sent: step lost ended and its result is unknown."
    assert lab.runs() == [1, 1, 1]
    assert "failed" not in done.stderr.replace("--from-failed", "")
    assert "it looks for them: lost" in done.stderr

    listed = run("runs", "state:unknown", "--json", **lab.where)
    row = json.loads(listed.stdout)
    assert (row["run"], row["state"]) == (end["run"], "ended, result unknown")
    both["para"][0]["chain"][0] = {**LOST, "idempotent": False}
    again = run("run", lab.workflow(both), "--from-failed", end["run"], **lab.where)
    assert again.returncode == 2
    assert (
        f"Step `lost` ran (its result is unknown: it succeeded, but the stored result {form}"
        in (again.stderr)
    )
    assert lab.runs() == [1, 1, 1]
    shown = run("watch", end["run"], "--json", **lab.where)
    assert shown.returncode == 5
    same = run("compare", end["run"], end["run"], **lab.where)
    assert "ended, result unknown" in same.stdout


def test_a_result_of_nine_mib_is_told_by_its_size_and_key(run: Run, lab: Lab) -> None:
    lab.start()
    big = {**LOST, "task": "lab.big", "args": [9 * 2**20]}
    done = run("run", lab.workflow(big, FREE), "--json", **lab.where)
    end = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == 5, done.stderr
    lost, _, free = end["steps"]
    assert (lost["state"], free["state"]) == ("ended, result unknown", "done")
    assert "the stored result is 9.0 MiB" in lost["cause"]
    assert f"celery-task-meta-{lost['task_id']}" in lost["cause"]
    assert end["error"].startswith("lab.tasks.big ended, and its result is unknown: it succeeded")
    assert lab.runs() == [1, 1]


def test_one_task_leaves_with_5(run: Run, lab: Lab) -> None:
    lab.start(result_serializer="pickle")
    done = run("send", "lab", "add", "--args", "[1, 2]", "--json", **lab.where)
    end = json.loads(done.stdout)
    assert done.returncode == 5, done.stderr
    assert (end["status"], end["state"]) == ("ended, result unknown", "ended, result unknown")
    assert "error_type" not in end
    assert "looks for it before it sends it again" in done.stderr


def test_an_exception_that_cannot_be_pickled_is_retried_by_its_own_name(run: Run, lab: Lab) -> None:
    lab.start()
    odd = {"id": "odd", "task": "lab.odd", "retry": {"max": 2, "delay": "10ms", "on": ["Odd"]}}
    done = run("run", lab.workflow(odd), "--json", **lab.where)
    (step,) = json.loads(done.stdout.splitlines()[-1])["steps"]
    assert done.returncode == 1
    assert (step["attempt"], step["error"]) == (3, "Odd: this and that")
    assert lab.runs() == [1, 1, 1]


def test_the_tasks_that_a_step_spawned_are_listed(run: Run, lab: Lab) -> None:
    lab.start()
    done = run("send", "lab", "spawn", "--args", "[3]", "--json", **lab.where)
    end = json.loads(done.stdout)
    assert (end["children"], end["children_total"]) == (end["result"], 3)
    assert "spawned: 3 tasks" in done.stderr
