"""Undo and redo for a document."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kimera_tui.documents.addresses import Address
from kimera_tui.documents.document import Document

MOST = 500
"""How many edits can be undone."""


@dataclass(frozen=True, slots=True)
class History:
    """A document with its past and undone versions, each with its cursor."""

    document: Document
    cursor: Address = ()
    past: tuple[tuple[Document, Address], ...] = ()
    """Oldest first."""
    future: tuple[tuple[Document, Address], ...] = ()
    """Undone versions; the next one to redo is last."""

    def done(self, document: Document, cursor: Address) -> History:
        """The history after an edit; an edit that changed nothing is not recorded."""
        if document is self.document:
            return replace(self, cursor=cursor)
        past = (*self.past, (self.document, self.cursor))[-MOST:]
        return History(document, cursor, past)

    def at(self, cursor: Address) -> History:
        """The history with the cursor elsewhere; this is not an edit."""
        return replace(self, cursor=cursor)

    def undo(self) -> History:
        """The history before the last edit; itself if there is none."""
        if not self.past:
            return self
        *past, (document, cursor) = self.past
        future = (*self.future, (self.document, self.cursor))
        return History(document, cursor, tuple(past), future)

    def redo(self) -> History:
        """The history with the last undone edit redone; itself if there is none."""
        if not self.future:
            return self
        *future, (document, cursor) = self.future
        past = (*self.past, (self.document, self.cursor))
        return History(document, cursor, past, tuple(future))
