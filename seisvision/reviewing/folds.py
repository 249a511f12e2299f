"""What networks of a ``sweep=kfold`` said of samples that they were not trained on, read from their run folders."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seisvision.errors import ConfigurationError, DataError
from seisvision.outputs.averaging import average_predictions
from seisvision.outputs.predictions import Predictions
from seisvision.records.finding import find_run_folders
from seisvision.records.folder import RunFolder, read_json
from seisvision.records.prediction_table import read_predictions

log = logging.getLogger(__name__)

OF_TRAINING_PART = ("mean", "deviation", "class_weights")
"""What descriptions of one output differ in between folds."""


@dataclass(frozen=True)
class OutOfFold:
    """Predictions of one output, each by a network that did not train on the sample.

    Args:
        said: of N samples.
        run_ids: run (N,) that predicted each; of test samples, which all predict, the runs together.
        is_test: bool (N,).
        folders: run folders of the folds.
        fingerprint: of the set.
        config: of the first fold.
    """

    said: Predictions
    run_ids: np.ndarray
    is_test: np.ndarray
    folders: tuple[RunFolder, ...]
    fingerprint: str
    config: dict[str, Any]

    def run_of(self, row: int) -> RunFolder:
        """A run that did not train on a sample."""
        name = str(self.run_ids[row]).partition("+")[0]
        return next(folder for folder in self.folders if folder.run_id == name)


def out_of_fold(asked: Sequence[str], output: str | None = None, test_samples: Sequence[str] = ()) -> OutOfFold:
    """Read the predictions of folds.

    Args:
        asked: the folder of a sweep, run folders, or patterns.
        output: name of the output; needed where the task has several.
        test_samples: samples of the common test part that are reviewed as well; all folds predict them. The others
            stay as they are, so that something is left to be tested on that no review has touched.

    Raises:
        ConfigurationError: there is no such output, or there are several.
        DataError: the runs are no folds of one set.
    """
    folders = [folder for folder in map(RunFolder, find_run_folders(asked)) if folder.is_finished()]
    if not folders:
        raise DataError(f"{', '.join(asked)} holds no finished run. Train folds first: python train.py -m sweep=kfold")
    metrics = [read_json(folder.metrics_file) for folder in folders]
    abouts = [_about(one, output, folder) for one, folder in zip(metrics, folders, strict=True)]
    prints = {str(one["data"]["fingerprint"]) for one in metrics}
    plain = [{key: value for key, value in one.items() if key not in OF_TRAINING_PART} for one in abouts]
    if len(prints) > 1 or any(one != plain[0] for one in plain):
        raise DataError(
            f"The runs of {', '.join(asked)} are of {len(prints)} sets or of different outputs. Give the folder of one "
            "sweep=kfold."
        )
    parts = []
    for folder, about in zip(folders, plain, strict=True):
        if not folder.predictions("val").is_file():
            raise DataError(f"{folder.path} has no predictions_val.csv, so it is no fold. {_FOLDS}")
        parts.append(read_predictions(folder.predictions("val"), about))
    seen = [name for part in parts for name in part.sample_ids]
    if len(set(seen)) < len(seen) or len(folders) < 2:
        raise DataError(
            f"{len(folders)} runs of {', '.join(asked)} predict {len(seen)} validation samples, {len(set(seen))} "
            f"of them different: these are no folds, each of which holds out samples of its own. {_FOLDS}"
        )
    run_ids = [folder.run_id for folder, part in zip(folders, parts, strict=True) for _ in part.sample_ids]
    if test_samples:
        parts.append(_test_votes(folders, plain[0], test_samples))
        run_ids += ["+".join(folder.run_id for folder in folders)] * len(test_samples)
    said = type(parts[0]).concatenate(parts)
    is_test = np.arange(len(run_ids)) >= len(seen)
    return OutOfFold(said, np.array(run_ids, dtype=object), is_test, tuple(folders), prints.pop(), folders[0].config())


_FOLDS = "Train folds with: python train.py -m sweep=kfold"


def _about(metrics: dict[str, Any], output: str | None, folder: RunFolder) -> dict[str, Any]:
    abouts = {str(one["name"]): one for one in metrics.get("outputs", [])}
    if output is None and len(abouts) == 1:
        return next(iter(abouts.values()))
    if output not in abouts:
        raise ConfigurationError(
            f"{folder.path} predicts {', '.join(abouts) or 'nothing'}; name one of them with --output."
        )
    return abouts[output]


def _test_votes(folders: Sequence[RunFolder], about: dict[str, Any], samples: Sequence[str]) -> Predictions:
    """What all folds say together of samples of the test part, which none was trained on.

    Raises:
        DataError: a fold has another test part.
    """
    return average_predictions(
        [read_predictions(folder.predictions("test"), about).select(samples) for folder in folders]
    )
