"""Fixtures of the run tests."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import get_num_threads, set_num_threads


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One data folder for all tests and all pytest processes; sets are made in it once, under a lock."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if base.name.startswith("popen") else base) / "data"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(autouse=True)
def one_thread():
    """Two pytest processes on two cores must not fight for them."""
    # By their own names: a test that replaces torch's gets them back only after this.
    before = get_num_threads()
    set_num_threads(1)
    yield
    set_num_threads(before)


@pytest.fixture(scope="session", autouse=True)
def figures_left_blank() -> Iterator[pytest.MonkeyPatch]:
    """Figures are made, but their pixels are not: drawing takes two fifths of a tiny run.

    Tests of what figures show are elsewhere (``tests/outputs``, ``tests/evaluation``), and runs in processes of their
    own draw theirs. A module that wants whole figures asks for ``drawn_figures`` before it trains.
    """
    whole = FigureCanvasAgg.print_figure

    def blank(canvas: FigureCanvasAgg, filename: Any, **options: Any) -> None:
        del canvas
        whole(FigureCanvasAgg(Figure(figsize=(1.0, 0.8))), filename, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FigureCanvasAgg, "print_figure", blank)
        yield patch


@pytest.fixture(scope="module")
def drawn_figures(figures_left_blank: pytest.MonkeyPatch) -> Iterator[None]:
    """Figures of this module's runs are whole."""
    blank = FigureCanvasAgg.print_figure
    figures_left_blank.undo()
    yield
    figures_left_blank.setattr(FigureCanvasAgg, "print_figure", blank)
