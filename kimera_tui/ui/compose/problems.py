"""What is wrong with a document, a line each; choosing one goes to its step."""

from __future__ import annotations

from collections.abc import Sequence

from kimera_tui.documents.checks import Problem
from kimera_tui.safetext import safe
from kimera_tui.ui.widgets.lines import Line, LineView


class ComposeProblems(LineView):
    """Lists the problems."""

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.problems: Sequence[Problem] = ()

    def show_problems(self, problems: Sequence[Problem]) -> None:
        """Show other problems."""
        self.problems = problems
        self.lines_changed()

    @property
    def selected(self) -> Problem | None:
        """The problem under the cursor."""
        return self.problems[self.cursor] if self.problems else None

    def line_count(self) -> int:
        """How many there are."""
        return len(self.problems)

    def line_at(self, index: int) -> Line:
        """One of them: where, and what."""
        problem = self.problems[index]
        return (
            (" ⚠ ", "warning"),
            (f"{safe(problem.step or problem.where or 'workflow', 60)}  ", "strong"),
            (safe(problem.sentence, 400), ""),
        )
