"""What each way of stating uncertainties is worth, side by side, and what it costs.

``python benchmarks/uncertainty.py methods RUN``                       of one trained run: one pass, mc_dropout, laplace
``python benchmarks/uncertainty.py methods RUN RUN RUN``               the same runs as an ensemble
``python benchmarks/uncertainty.py speed``                             50 passes against 50 plain forwards, taking turns

``methods`` asks for the test events of the runs' own set and prints, by output: coverage of the stated 68 and 95 %
intervals and of the conformal ones, likelihood, score, width, and processor time a sample. ``speed`` prints
ratios only.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seisvision import keys
from seisvision.evaluation.tables import render_table
from seisvision.experiments.supervised.conformal import conformal_measures, conformal_rows
from seisvision.experiments.supervised.evaluation import predict_part, prepare_passes
from seisvision.experiments.waveforms.asked import ask_network
from seisvision.models.waveforms.stacks import GuCNN
from seisvision.models.waveforms.tcn import TCN
from seisvision.outputs.averaging import average_predictions
from seisvision.outputs.numbers.output import ScalarOutput
from seisvision.outputs.predictions import Predictions
from seisvision.records.checkpoint import load_checkpoint
from seisvision.records.finding import checkpoints_of
from seisvision.records.settings import EvaluateSettings
from seisvision.tasks.passes.dropout import DropoutPasses
from seisvision.tasks.passes.pooling import pooled
from seisvision.tasks.supervised import SupervisedTask
from seisvision.views.waveforms.waveform import WaveformView

N_PASSES, N_SAMPLES, N_TURNS = 50, 600, 7
SHOWN = ("median_ae", "mae", "bias", "p90_ae", "coverage_68", "coverage_95", "nll", "crps", "width_95")
CONFORMAL = ("conformal_coverage_68", "conformal_coverage_95", "conformal_size_95")


def methods(runs: Sequence[str], data_dir: Path | None) -> None:
    """Print one row a method and output."""
    checkpoints = checkpoints_of(list(runs))
    asked_for = ["ensemble"] if len(checkpoints) > 1 else ["none", "mc_dropout", "laplace"]
    losses = [one["loss"] for one in load_checkpoint(checkpoints[0])["seisvision"]["outputs"] if "loss" in one]
    if "evidential" in losses:
        asked_for = ["evidential"]
    rows = []
    for method in asked_for:
        begin = time.process_time()
        said, validation, n_asked = _answers(checkpoints, method, data_dir)
        cost_ms = 1000 * (time.process_time() - begin) / n_asked
        for name, one in said.items():
            rows.append([method, name, *_cells(one, validation[name]), f"{cost_ms:.1f}"])
    head = ["method", "output", "n", *SHOWN, *CONFORMAL, "sigma_epistemic", "ms a sample"]
    print(render_table(head, rows, "text"))


def _answers(
    checkpoints: Sequence[Path], method: str, data_dir: Path | None
) -> tuple[dict[str, Predictions], dict[str, Predictions], int]:
    """Test and validation predictions by output, and how many samples were asked about."""
    by_part: dict[str, list[dict[str, Predictions]]] = {"test": [], "val": []}
    for path in checkpoints:
        system = load_checkpoint(path)["seisvision"]["config"]["system"]
        system = {**system, **({"data_dir": str(data_dir)} if data_dir else {})}
        uncertainty = None if method == "none" else {"method": method}
        asked = EvaluateSettings.of({"ckpt": str(path), "part": "test", "system": system, "uncertainty": uncertainty})
        network = ask_network(path, asked)
        prepare_passes(network, asked, len(checkpoints))
        for part, said in by_part.items():
            said.append(predict_part(network, asked, part))
    pooled_by_part = {
        part: members[0]
        if len(members) == 1
        else {name: average_predictions([one[name] for one in members]) for name in members[0]}
        for part, members in by_part.items()
    }
    n_asked = sum(len(next(iter(one.values())).sample_ids) for one in pooled_by_part.values())
    return pooled_by_part["test"], pooled_by_part["val"], n_asked


def _cells(said: Predictions, validation: Predictions) -> list[str]:
    measures = {name: one.value for name, one in said.measures().items()}
    measures |= {name: one["value"] for name, one in conformal_measures(conformal_rows(validation, said, {})).items()}
    cells = [str(said.n_labelled)]
    for wanted in (*SHOWN, *CONFORMAL):
        found = next((value for name, value in measures.items() if name == wanted or _is_in_unit(name, wanted)), None)
        cells.append("" if found is None else f"{found:.3f}")
    epistemic = said.apart.get("sigma_epistemic")
    return [*cells, "" if epistemic is None else f"{np.nanmedian(epistemic):.3f}"]


def _is_in_unit(name: str, wanted: str) -> bool:
    """Whether a measure is the wanted one with a unit behind it."""
    return name.startswith(f"{wanted}_") and name.count("_") == wanted.count("_") + 1


def speed() -> None:
    """Print the processor time of 50 passes over that of 50 plain forwards, median and quartiles of turns."""
    torch.set_num_threads(1)
    rows = []
    for name, model, n_samples in (("gu_cnn", GuCNN(3, N_SAMPLES), 64), ("tcn", TCN(3, levels=7), 16)):
        outputs = [ScalarOutput("distance", "km", "km", loss="gaussian"), ScalarOutput("p", "s", "s", loss="gaussian")]
        task = SupervisedTask(model, WaveformView(N_SAMPLES), outputs, torch.optim.Adam).eval()
        batch = _batch(n_samples)
        passes = DropoutPasses(N_PASSES, 1)

        def several(task: Any = task, batch: Any = batch, passes: Any = passes) -> None:
            pooled(task, batch, passes)

        def plain(task: Any = task, batch: Any = batch) -> None:
            for _ in range(N_PASSES):
                task(batch)

        with torch.no_grad():
            several(), plain()
            ratios = [_seconds(several) / _seconds(plain) for _ in range(N_TURNS)]
        low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75])
        rows.append([name, str(n_samples), f"{middle:.3f} [{low:.3f}, {high:.3f}]"])
    print(render_table(["network", "batch", f"{N_PASSES} passes over {N_PASSES} plain forwards"], rows, "text"))


def _batch(n: int) -> dict[str, Any]:
    return {
        keys.WAVEFORM: torch.randn(n, 1, 3, N_SAMPLES),
        keys.STATION_MASK: torch.ones(n, 1, dtype=torch.bool),
        keys.COMPONENT_MASK: torch.ones(n, 1, 3, dtype=torch.bool),
        keys.SAMPLING_RATE_HZ: 50.0,
        keys.TRACE_ID: [str(number) for number in range(n)],
    }


def _seconds(work: Any) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("methods", "speed"))
    parser.add_argument("runs", nargs="*", help="run folders; several are an ensemble")
    parser.add_argument("--data-dir", type=Path, help="where waveform sets lie (default: as in the training)")
    arguments = parser.parse_args()
    if arguments.what == "speed":
        speed()
    else:
        methods(arguments.runs, arguments.data_dir)
