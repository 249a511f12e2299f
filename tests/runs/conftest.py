"""Fixtures of the run tests."""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import blank_figures
import pytest
import thin_networks
import timm
from lightning_fabric.utilities import registry
from matplotlib.figure import Figure
from torch import get_num_threads, set_num_threads

from seisvision.base import figure_files
from seisvision.evaluation.baselines import learners


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One data folder for all tests and all pytest processes; sets are made in it once, under a lock."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if base.name.startswith("popen") else base) / "data"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session", autouse=True)
def installed_once() -> Iterator[None]:
    """Lightning looks through all that is installed for every trainer, of which a run has two."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "entry_points", functools.cache(registry.entry_points))
        yield


@pytest.fixture(autouse=True)
def one_thread():
    """Two pytest processes on two cores must not fight for them."""
    # By their own names: a test that replaces torch's gets them back only after this.
    before = get_num_threads()
    set_num_threads(1)
    yield
    set_num_threads(before)


@pytest.fixture(scope="module", autouse=True)
def figures_left_blank(request: pytest.FixtureRequest) -> Iterator[None]:
    """Figures are made, but their pixels are not: drawing takes two fifths of a tiny run.

    Tests of what figures show are elsewhere (``tests/outputs``, ``tests/evaluation``). Modules that want whole figures,
    also of processes that they start, are marked ``whole_figures``.
    """
    if request.node.get_closest_marker("whole_figures"):
        yield
        return
    whole = figure_files.write_png

    def blank(figure: Any, path: Any, dpi: int = 0) -> None:
        del figure, dpi
        whole(Figure(figsize=(1.0, 0.8)), path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figure_files, "write_png", blank)
        patch.setenv(blank_figures.WORD, "1")
        yield


@pytest.fixture(scope="module", autouse=True)
def narrow_networks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Residual networks have the layers that they have, an eighth as wide; also in processes that a test starts.

    Modules that want whole networks are marked ``whole_networks``.
    """
    if request.node.get_closest_marker("whole_networks"):
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timm, "create_model", thin_networks.thin_create_model())
        patch.setenv(thin_networks.WORD, "1")
        yield


@pytest.fixture(scope="module", autouse=True)
def few_trees() -> Iterator[None]:
    """Boosting and forests of runs in this process are of few trees, which would cost more than a tiny training.

    Tests of what trees say are in ``tests/evaluation`` and ``tests/judging``.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(learners.BOOSTING, "max_iter", 10)
        patch.setitem(learners.FOREST, "n_estimators", 10)
        yield
