"""What a document was before, for undo and redo."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kimera_tui.documents.addresses import Address
from kimera_tui.documents.document import Document

MOST = 500
"""Edits that can be undone."""


@dataclass(frozen=True, slots=True)
class History:
    """A document with what it was and what it would be again; the cursor's place with each."""

    document: Document
    cursor: Address = ()
    past: tuple[tuple[Document, Address], ...] = ()
    """The oldest first."""
    future: tuple[tuple[Document, Address], ...] = ()
    """What was undone; the next to come again last."""

    def done(self, document: Document, cursor: Address) -> History:
        """After an edit; one that changed nothing is none."""
        if document is self.document:
            return replace(self, cursor=cursor)
        past = (*self.past, (self.document, self.cursor))[-MOST:]
        return History(document, cursor, past)

    def at(self, cursor: Address) -> History:
        """With the cursor elsewhere, which is no edit."""
        return replace(self, cursor=cursor)

    def undo(self) -> History:
        """Before the last edit; itself where there is none."""
        if not self.past:
            return self
        *past, (document, cursor) = self.past
        future = (*self.future, (self.document, self.cursor))
        return History(document, cursor, tuple(past), future)

    def redo(self) -> History:
        """After the edit that was undone last; itself where there is none."""
        if not self.future:
            return self
        *future, (document, cursor) = self.future
        past = (*self.past, (self.document, self.cursor))
        return History(document, cursor, past, tuple(future))
