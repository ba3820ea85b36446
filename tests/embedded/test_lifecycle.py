"""Who starts, shares and ends the embedded broker, and that nothing is left of it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kimera_tui.embedded.broker import EmbeddedBroker, EmbeddedError
from kimera_tui.embedded.runtime_dir import instance_dir, try_lock

from .conftest import make_client
from .helpers import alive, console, family, kill, nobody_left, until

SECONDS = 60


def add(url: str) -> int:
    app = make_client(url)
    try:
        result = app.send_task("calculator.add", [2, 3], queue="calculator")
        return result.get(timeout=SECONDS)
    finally:
        app.close()


def keep_busy(url: str) -> None:
    """Two long tasks, one for each pool process, both running."""
    app = make_client(url)
    results = [app.send_task("flaky.sleep", [600], queue="flaky") for _ in range(2)]
    until(lambda: all(result.state == "STARTED" for result in results), SECONDS)
    app.close()


def test_nothing_is_left(runtime: Path) -> None:
    with EmbeddedBroker("one") as broker:
        info = broker.start()
        assert info.url == f"redis+socket://{runtime}/one/broker.sock"
        assert info.server.split()[0] in {"valkey", "redis"}
        assert info.directory.stat().st_mode & 0o777 == 0o700
        assert add(info.url) == 5
        pids = family(info.supervisor_pid)
        assert len(pids) >= 5  # supervisor, server, worker and two pool processes
    assert nobody_left(pids)
    assert list(runtime.iterdir()) == []
    broker.stop()


def test_starts_again_after_stop(runtime: Path) -> None:
    broker = EmbeddedBroker("again", worker=False)
    first = broker.start()
    assert broker.start() == first
    broker.stop()
    second = broker.start()
    assert second.supervisor_pid != first.supervisor_pid
    broker.stop()
    assert list(runtime.iterdir()) == []


def test_killed_console(runtime: Path) -> None:
    with console("killed") as holder:
        keep_busy(holder.url)
        pids = family(holder.supervisor)
        holder.kill()
        until(lambda: nobody_left(pids))
        assert list(runtime.iterdir()) == []


def test_killed_supervisor(runtime: Path) -> None:
    with EmbeddedBroker("orphans") as broker:
        info = broker.start()
        keep_busy(info.url)
        pids = family(info.supervisor_pid)
        kill(info.supervisor_pid)
        until(lambda: nobody_left(pids))
        with pytest.raises(EmbeddedError, match="supervisor is gone"):
            broker.status()
    assert list(runtime.iterdir()) == []


def test_killed_console_and_supervisor(runtime: Path) -> None:
    with console("both") as holder:
        keep_busy(holder.url)
        pids = family(holder.supervisor)
        kill(holder.supervisor)
        holder.kill()
        until(lambda: nobody_left(pids))
        assert holder.directory.exists()
    with EmbeddedBroker("both", worker=False) as broker:
        assert alive(broker.start().server_pid)
    assert list(runtime.iterdir()) == []


def test_start_reaps_dead_instances_of_other_names(runtime: Path) -> None:
    (runtime / "not-ours").mkdir()
    with console("dead") as holder:
        kill(holder.supervisor)
        holder.kill()
        until(lambda: not alive(holder.supervisor))
    assert (runtime / "dead").exists()
    with EmbeddedBroker("other", worker=False):
        assert sorted(path.name for path in runtime.iterdir()) == ["not-ours", "other"]


def test_last_one_out_ends_all(runtime: Path) -> None:
    broker = EmbeddedBroker("shared")
    first = broker.start()
    pids = family(first.supervisor_pid)
    with console("shared") as other:
        assert other.supervisor == first.supervisor_pid
        broker.stop()
        assert add(other.url) == 5
        other.leave()
    until(lambda: nobody_left(pids))
    assert list(runtime.iterdir()) == []


def test_instances_are_apart(runtime: Path) -> None:
    with EmbeddedBroker("a", worker=False) as a, EmbeddedBroker("b", worker=False) as b:
        assert a.start().url != b.start().url
        assert a.start().supervisor_pid != b.start().supervisor_pid


def test_many_start_at_once(runtime: Path) -> None:
    script = (
        "from kimera_tui.embedded.broker import EmbeddedBroker\n"
        "for _ in range(5):\n"
        "    with EmbeddedBroker('crowd', worker=False) as broker: broker.start(60)\n"
    )
    crowd = [
        subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE) for _ in range(4)
    ]
    for member in crowd:
        _, errors = member.communicate(timeout=90)
        assert member.returncode == 0, errors.decode()
    until(lambda: list(runtime.iterdir()) == [])


def test_dead_worker_is_replaced(runtime: Path) -> None:
    with EmbeddedBroker("worker") as broker:
        info = broker.start()
        assert add(info.url) == 5
        worker = broker.status().worker_pid
        assert worker is not None
        pids = family(worker)
        keep_busy(info.url)
        kill(worker)
        until(lambda: nobody_left(pids))
        assert add(info.url) == 5
        assert broker.status().worker_starts == 2
        assert broker.status().worker_failures == 1


def test_a_killed_worker_loses_no_waiting_task(runtime: Path) -> None:
    with EmbeddedBroker("killed-worker") as broker:
        info = broker.start()
        keep_busy(info.url)
        app = make_client(info.url)
        waiting = [app.send_task("calculator.add", [n, n], queue="calculator") for n in range(8)]
        worker = broker.status().worker_pid
        assert worker is not None
        kill(worker)
        assert [result.get(timeout=SECONDS) for result in waiting] == [2 * n for n in range(8)]
        app.close()


def test_dead_server_is_replaced(runtime: Path) -> None:
    with EmbeddedBroker("server") as broker:
        info = broker.start()
        assert add(info.url) == 5
        kill(info.server_pid)
        until(lambda: broker.status().server_pid not in {None, info.server_pid})
        assert add(info.url) == 5


def test_worker_that_cannot_start_leaves_its_words(
    runtime: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "celery.py").write_text("raise SystemExit('no Celery from nowhere')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with EmbeddedBroker("broken") as broker:
        log = broker.start().directory / "worker.log"
        until(lambda: broker.status().worker_failures >= 2)
        assert "nowhere" in log.read_text()


def test_a_start_that_waits_for_another_process_is_given_up_when_it_is_stopped(
    runtime: Path,
) -> None:
    lock = try_lock(instance_dir("busy"))
    assert lock is not None
    broker = EmbeddedBroker("busy", worker=False)
    with ThreadPoolExecutor(1) as pool:
        starting = pool.submit(broker.start, 3600)
        time.sleep(0.2)
        broker.stop()
        with pytest.raises(EmbeddedError, match="stopped while it was starting"):
            starting.result(SECONDS)
    os.close(lock)
    with broker:
        assert alive(broker.start().server_pid)


def test_terminal_is_not_inherited(runtime: Path) -> None:
    with EmbeddedBroker("terminal") as broker:
        info = broker.start()
        assert add(info.url) == 5
        ours = {Path(f"/proc/self/fd/{number}").readlink() for number in (0, 1, 2)}
        for pid in family(info.supervisor_pid):
            for number in (0, 1, 2):
                target = Path(f"/proc/{pid}/fd/{number}").readlink()
                assert target == Path("/dev/null") or target not in ours
                assert not target.is_relative_to("/dev/pts")
            session = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[3]
            assert int(session) in family(info.supervisor_pid)


def test_console_killed_while_starting(runtime: Path) -> None:
    script = "from kimera_tui.embedded.broker import EmbeddedBroker; EmbeddedBroker('s').start()"
    for tenths in range(1, 4):
        starting = subprocess.Popen([sys.executable, "-c", script])
        time.sleep(tenths / 20)
        starting.kill()
        starting.wait(10)
        # What was made before the supervisor was there stays until the next start.
        until(lambda: not list(runtime.glob("*/broker.sock")))
    with EmbeddedBroker("s", worker=False):
        pass
    assert list(runtime.iterdir()) == []
