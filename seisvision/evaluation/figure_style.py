"""Colours and panels of all figures.

Figures are drawn without pyplot, so that nothing is shown, kept open or shared between threads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Told apart with any colour vision (Okabe and Ito 2008)."""
LINE_STYLES = ("-", "--", ":", "-.")
LONGEST_TEXT = 28


def plain_text(text: object) -> str:
    """Text from data as it is: one line, not too long, never taken for mathematics nor, for an underscore, left out."""
    line = "".join(character if character.isprintable() else " " for character in str(text))
    short = line if len(line) <= LONGEST_TEXT else f"{line[: LONGEST_TEXT - 1]}…"
    return f"{' ' * short.startswith('_')}{short}".replace("$", r"\$")


def panel_grid(n_rows: int, n_columns: int, width_in: float, height_in: float) -> tuple[Figure, list[Axes]]:
    """Figure with panels of a size in inches, row by row."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(n_columns * width_in, n_rows * height_in), layout="constrained")
    return figure, list(figure.subplots(n_rows, n_columns, squeeze=False).flat)
