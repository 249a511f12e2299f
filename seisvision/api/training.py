"""Experiments trained and compared from Python, by the words of ``train.py``."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seisvision.api.runs import Run, open_run
from seisvision.errors import ConfigurationError, DataError, SeisvisionError
from seisvision.processes import without_script
from seisvision.records.words.composing import CONF, compose_experiment
from seisvision.runs.hydra_errors import explain_hydra

if TYPE_CHECKING:
    import pandas as pd

    from seisvision.api.networks import Network, Picker


def train(*overrides: str, init_from: Run | Network | Picker | str | Path | None = None) -> Run:
    """Train, evaluate and store one experiment, unless its result is stored.

    The same call shows a stored result, and goes on with what was interrupted.

    Args:
        *overrides: as for ``train.py``: ``train("experiment=demo_small", "model=resnet18", "seed=2")``. Folders are
            ``system.data_dir`` and ``system.runs_dir``, by default ``data`` and ``runs`` where Python was started.
        init_from: run, network, path or name of a shipped network that the training begins with.

    Returns:
        The finished run.

    Raises:
        ConfigurationError: a word is no setting, or asks for several runs.
        SeisvisionError: the run cannot be done; the message says why.
    """
    if init_from is not None:
        path = init_from if isinstance(init_from, str | Path) else init_from.path
        overrides = (*overrides, f"init_from={path}")
    config = _composed(overrides)
    if config["stages"] is not None or config["launcher"]["kind"] != "local":
        what = "its stages" if config["stages"] is not None else f"launcher={config['launcher']['kind']}"
        raise ConfigurationError(f"This experiment needs {what}, which train does not do. Give it to train.py.")
    if any(config["sweep"].get(key) for key in ("over", "paired")) or config["sweep"]["kind"] != "grid":
        raise ConfigurationError(
            "This is a sweep of several runs. Give it to train.py -m, or call train for each point."
        )
    from seisvision.runs.ensure import ensure_run
    from seisvision.runs.terminal import quietly

    with without_script(), quietly():
        return open_run(ensure_run(config, list(overrides)).path)


def _composed(overrides: Sequence[str]) -> dict[str, Any]:
    for word in overrides:
        if not isinstance(word, str):
            raise ConfigurationError(f"{word!r} is no setting; give words such as 'model=resnet50'.")
    try:
        return compose_experiment(overrides)
    except SeisvisionError:
        raise
    except Exception as error:
        said = explain_hydra(error, "train", CONF, overrides)
        if said is None:
            raise
        raise ConfigurationError(said) from error


def compare(
    runs: Sequence[Run | str | Path], *, show_test: bool = False, report: str | Path | None = None
) -> pd.DataFrame:
    """Compare runs: means and spread over seeds and folds, differences that hold events and training runs.

    Args:
        runs: runs, their folders, folders of runs, or patterns.
        show_test: show test numbers also of the points of a sweep, among which one is to be chosen.
        report: page to write, with the charts and the differences in pairs; ends in ``.html``.

    Returns:
        One row a run, with what sets it apart, its measures and the group that it was compared in.

    Raises:
        DataError: none of them can be compared; the message says why.
    """
    import pandas as pd

    from seisvision.files import write_text
    from seisvision.reports.comparing.collect import Cache, collect
    from seisvision.reports.comparing.report import Shown, make_report
    from seisvision.reports.comparing.selection import without_test

    if isinstance(runs, str | Path | Run):
        runs = [runs]
    asked = [str(one.path if isinstance(one, Run) else one) for one in runs]
    if report is not None and Path(report).suffix.lower() not in (".html", ".htm"):
        raise ConfigurationError(f"report='{report}' is not the name of a page; give a name that ends in .html.")
    cache: Cache = {}
    collected, hint = collect(asked, cache), ""
    if not show_test:
        collected, hint = without_test(collected, asked)
    made = make_report(collected, cache, Shown(hint=hint))
    comparison = made.comparison
    if not comparison.groups and not comparison.others:
        reasons = "; ".join(f"{one.path}: {one.reason}" for one in comparison.left_out[:3]) or "there is no run folder"
        raise DataError(f"None of the runs can be compared ({reasons}).")
    if report is not None:
        write_text(Path(report), made.page)
    return pd.read_csv(io.StringIO("".join(made.csv)), keep_default_na=False, na_values=["", "nan"])
