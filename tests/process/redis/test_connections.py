"""Every way in which people run their Redis."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from kimera_tui.errors import BrokerUnavailable
from kimera_tui.process.loop.clock import new_id

from .console import Console
from .servers import Server, free_port
from .test_watcher import store, success


async def check(
    console: Console, server: Server, broker_db: int, backend_db: int, **client: str
) -> None:
    """Publish, notice and release, with the test in the worker's place."""
    broker, backend = server.client(broker_db, **client), server.client(backend_db, **client)
    task_id = new_id()
    future = console.engine.watcher.watch(task_id, 0.1, 0.5)
    await console.publish("a.b", 1, task_id=task_id, queue="far")
    assert broker.llen("far") == 1
    store(backend, task_id, success("here"))
    assert (await asyncio.wait_for(future, 20)).result == "here"
    console.engine.releaser.release(task_id)
    await console.engine.releaser.settle()
    assert not backend.exists(f"celery-task-meta-{task_id}")
    assert not broker.exists(f"kimera:pub:{task_id}")
    broker.delete("far")


async def test_unix_socket_with_databases(server: Server) -> None:
    url = f"redis+socket://{server.socket_path}?virtual_host="
    await check(Console(f"{url}12", f"{url}13"), server, 12, 13)


async def test_backend_in_another_database(server: Server) -> None:
    await check(Console(server.url(12), server.url(13)), server, 12, 13)


async def test_result_key_prefix(server: Server) -> None:
    console = Console(server.url(12), result_backend_transport_options={"global_keyprefix": "team"})
    task_id, client = new_id(), server.client(12)
    future = console.engine.watcher.watch(task_id, 0.1, 0.5)
    client.set(f"team_celery-task-meta-{task_id}", '{"status": "SUCCESS", "result": 7}')
    assert (await asyncio.wait_for(future, 20)).result == 7
    console.engine.releaser.release(task_id)
    await console.engine.releaser.settle()
    assert not client.exists(f"team_celery-task-meta-{task_id}")


@pytest.mark.parametrize("user", ["", "app"], ids=["password", "ACL user"])
async def test_password_and_user(own_server: Server, user: str) -> None:
    admin = own_server.client()
    admin.acl_setuser(
        user or "default", enabled=True, passwords=["+s3cr#t"], keys=["*"], channels=["*"],
        commands=["+@all"], reset=True,
    )  # fmt: skip
    login = {"username": user or "default", "password": "s3cr#t"}
    port = own_server.port
    await check(Console(f"redis://{user}:s3cr%23t@127.0.0.1:{port}/1"), own_server, 1, 1, **login)
    with pytest.raises(BrokerUnavailable, match="refused the password") as refused:
        await Console(f"redis://{user}:wr0ng@127.0.0.1:{port}/1").publish("a.b")
    assert "wr0ng" not in str(refused.value)
    if not user:
        with pytest.raises(BrokerUnavailable, match="wants a password"):
            await Console(f"redis://127.0.0.1:{port}/1").publish("a.b")


@pytest.fixture(scope="module")
def tls_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here to make a certificate: install it to run this test")
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
         "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
        capture_output=True, check=True,
    )  # fmt: skip
    port = free_port()
    server = Server(
        folder,
        ["--tls-port", str(port), "--tls-cert-file", str(folder / "cert.pem"), "--tls-key-file",
         str(folder / "key.pem"), "--tls-ca-cert-file", str(folder / "cert.pem"),
         "--tls-auth-clients", "no"],
    )  # fmt: skip
    try:
        server.start()
    except redis.RedisError:
        server.stop()
        if "Failed finding TLS support" not in (folder / "server.log").read_text():
            raise
        pytest.skip("this server was built without TLS: install redis-server to run this test")
    server.options = [str(port)]
    yield server, folder / "cert.pem"
    server.stop()


async def test_tls(tls_server: tuple[Server, Path]) -> None:
    server, certificate = tls_server
    tls_port = server.options[0]
    url = f"rediss://127.0.0.1:{tls_port}/2?ssl_cert_reqs=required&ssl_ca_certs={certificate}"
    await check(Console(url), server, 2, 2)
    with pytest.raises(BrokerUnavailable, match="certificate"):
        await Console(f"rediss://127.0.0.1:{tls_port}/2?ssl_cert_reqs=required").publish("a.b")
    with pytest.raises(BrokerUnavailable):
        await Console(f"redis://127.0.0.1:{tls_port}/2").publish("a.b")


async def test_tls_against_a_plain_port_is_reported(server: Server) -> None:
    with pytest.raises(BrokerUnavailable):
        await Console(f"rediss://127.0.0.1:{server.port}/0?ssl_cert_reqs=none").publish("a.b")
