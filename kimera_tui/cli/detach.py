"""``kimera-tui run --detach``: hands a run to the workers and leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kimera_tui.cli.json_output.objects import Detached
from kimera_tui.cli.output import data, narrate

if TYPE_CHECKING:
    from kimera_tui.console.parts import Parts
    from kimera_tui.documents.document import Document
    from kimera_tui.execution.run_inputs import Given


async def detached(parts: Parts, document: Document, given: Given, *, as_json: bool) -> int:
    """Hand over a run, print its id, and leave; returns the exit code.

    Raises:
        CannotDetach: the workers can't do all that it says; its hint lists why.
        KimeraError: nothing was sent, or not all of it; the message says so.
    """
    parts.need_lasting_workers()
    try:
        await parts.start()
        run_id = await parts.detach_document(document, given)
    finally:
        await parts.close()
    told = Detached(event="detached", run=run_id, name=document.name)
    data(told if as_json else run_id, as_json=as_json)
    narrate(
        f"The workers have it. kimera-tui resume {run_id[:8]} waits for its end, and so does the"
        " console when it is opened."
    )
    return 0
