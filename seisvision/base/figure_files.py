"""Figures as PNG files, laid out and drawn once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from seisvision.files import whole_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 110


def save_figure(figure: Figure, path: Path, dpi: int = DPI) -> Path:
    """Write a PNG, whole or not at all."""
    with whole_file(path) as partial:
        write_png(figure, partial, dpi)
    return path


def write_png(figure: Figure, path: Path, dpi: int = DPI) -> None:
    """Lay a figure out and draw it once; ``Figure.savefig`` draws all of it a second time after the layout."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure.set_dpi(dpi)
    canvas, layout = FigureCanvasAgg(figure), figure.get_layout_engine()
    if layout is not None:
        layout.execute(figure)
        figure.set_layout_engine("none")
    canvas.print_png(path)
