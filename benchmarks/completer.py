"""Completes listed tasks at a steady rate: each result is the time at which it was stored."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import redis

META = '{"status": "SUCCESS", "result": %r, "traceback": null, "children": [], "task_id": "%s"}'
SLICE = 0.005


def main() -> None:
    port, ids, rate = int(sys.argv[1]), Path(sys.argv[2]).read_text().split(), int(sys.argv[3])
    client = redis.Redis(port=port)
    began = time.monotonic()
    done = 0
    while done < len(ids):
        due = min(len(ids), int((time.monotonic() - began) * rate))
        if due > done:
            pipe = client.pipeline(transaction=False)
            for task_id in ids[done:due]:
                meta = META % (time.monotonic(), task_id)
                key = f"celery-task-meta-{task_id}"
                pipe.setex(key, 3600, meta)
                pipe.publish(key, meta)
            pipe.execute()
            done = due
        time.sleep(SLICE)


if __name__ == "__main__":
    main()
