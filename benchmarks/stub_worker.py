"""A worker that does nothing, fast: it pops in bulk, stores results and publishes them.

Started as ``python -m benchmarks.stub_worker PORT QUEUE``. Not Celery: it is here so that the
console and not the worker is what the figures show.
"""

from __future__ import annotations

import socket
import sys

import hiredis

BULK = 500
META = (
    b'{"status": "SUCCESS", "result": null, "traceback": null, "children": [],'
    b' "date_done": "2026-01-01T00:00:00+00:00", "task_id": "%s"}'
)
ID_FIELD = b'"correlation_id": "'
ID_LENGTH = 36


def answer(message: bytes) -> bytes:
    """The SETEX and PUBLISH of one task."""
    start = message.index(ID_FIELD) + len(ID_FIELD)
    task_id = message[start : start + ID_LENGTH]
    key = b"celery-task-meta-" + task_id
    meta = META % task_id
    return b"*4\r\n$5\r\nSETEX\r\n$%d\r\n%s\r\n$5\r\n86400\r\n$%d\r\n%s\r\n" % (
        len(key),
        key,
        len(meta),
        meta,
    ) + b"*3\r\n$7\r\nPUBLISH\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n" % (len(key), key, len(meta), meta)


def main() -> None:
    port, queue = int(sys.argv[1]), sys.argv[2].encode()
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    reader = hiredis.Reader()

    def replies(count: int) -> list[object]:
        found: list[object] = []
        while len(found) < count:
            reply = reader.gets()
            if reply is False:
                data = connection.recv(1 << 20)
                if not data:
                    sys.exit()
                reader.feed(data)
            else:
                found.append(reply)
        return found

    pop = b"*6\r\n$6\r\nBLMPOP\r\n$1\r\n0\r\n$1\r\n1\r\n$%d\r\n%s\r\n$5\r\nRIGHT\r\n" % (
        len(queue),
        queue,
    )
    pop = pop.replace(b"*6", b"*7", 1) + b"$5\r\nCOUNT\r\n$3\r\n%d\r\n" % BULK
    while True:
        connection.sendall(pop)
        (popped,) = replies(1)
        messages = popped[1]  # type: ignore[index]
        connection.sendall(b"".join(answer(message) for message in messages))
        replies(2 * len(messages))


if __name__ == "__main__":
    main()
