"""What workers answer to a broadcast, read as receipts."""

from __future__ import annotations

from typing import Any

from kimera_tui.process.engine import Receipt


def read_receipts(reply: Any) -> list[Receipt]:
    """The receipts in one broadcast reply, ``{worker: {"ok": text}}`` or ``{"error": text}``."""
    receipts = []
    for worker, answer in reply.items() if isinstance(reply, dict) else ():
        ok = isinstance(answer, dict) and "ok" in answer
        text = answer.get("ok") or answer.get("error") if isinstance(answer, dict) else answer
        receipts.append(Receipt(worker=str(worker), answer=str(text), ok=ok))
    return receipts
