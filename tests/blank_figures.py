"""Figures of commands in tests are made and written, but their pixels are left out: a quarter of a tiny run.

What figures show is tested where they are drawn in the test process (``tests/outputs``, ``tests/evaluation``, and the
modules below ``tests/runs`` that are marked ``whole_figures``).
"""

from __future__ import annotations

from typing import Any

WORD = "SEISVISION_TEST_BLANK"
"""Variable that tells processes that tests start (``ready_python``) to leave figures blank."""


def leave_blank() -> None:
    """Let Matplotlib neither lay out nor draw, from now on in this process."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    whole = FigureCanvasAgg.print_png

    def print_png(self: FigureCanvasAgg, target: Any, **settings: Any) -> None:
        whole(FigureCanvasAgg(Figure(figsize=(1.0, 0.8))), target)

    def execute(self: ConstrainedLayoutEngine, figure: Figure) -> None:
        """Lay out nothing."""

    FigureCanvasAgg.print_png = print_png  # type: ignore[method-assign,assignment]
    ConstrainedLayoutEngine.execute = execute  # type: ignore[method-assign]
