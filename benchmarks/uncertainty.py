"""What each way of stating uncertainties is worth, side by side, and what it costs.

``python benchmarks/uncertainty.py methods RUN``                       of one trained run: one pass, mc_dropout, laplace
``python benchmarks/uncertainty.py methods RUN RUN RUN``               the same runs as an ensemble
``python benchmarks/uncertainty.py speed``                             passes and members against plain forwards

``methods`` asks for the test events of the runs' own set and prints, by output: coverage of the stated 68 and 95 %
intervals and of the conformal ones, likelihood, score, width, and processor time a sample; of an ensemble also what all
members cost over what one costs. ``speed`` prints ratios only: 50 passes over 50 plain forwards of the same batch, and
five members, averaged, over one, each taking turns.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measuring import tell_machine

from seisvision import keys
from seisvision.base.sample_ids import SampleIds
from seisvision.evaluation.tables import render_table
from seisvision.experiments.supervised.conformal import conformal_measures, conformal_rows
from seisvision.experiments.supervised.evaluation import predict_part, prepare_passes
from seisvision.experiments.waveforms.asked import ask_network
from seisvision.models.waveforms.stacks import GuCNN
from seisvision.models.waveforms.tcn import TCN
from seisvision.outputs.averaging import average_predictions
from seisvision.outputs.kinds import predictions_class
from seisvision.outputs.numbers.output import ScalarOutput
from seisvision.outputs.predictions import Predictions
from seisvision.records.checkpoint import load_checkpoint
from seisvision.records.finding import checkpoints_of
from seisvision.records.settings import EvaluateSettings
from seisvision.tasks.passes.dropout import DropoutPasses
from seisvision.tasks.passes.pooling import pooled
from seisvision.tasks.supervised import SupervisedTask
from seisvision.views.waveforms.waveform import WaveformView

N_PASSES, N_MEMBERS, N_SAMPLES, N_TURNS = 50, 5, 600, 7
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
        said, validation, member_s = _answers(checkpoints, method, data_dir)
        whole_s = time.process_time() - begin
        n_asked = sum(len(next(iter(one.values())).sample_ids) for one in (said, validation))
        cost_ms = 1000 * whole_s / n_asked
        for name, one in said.items():
            rows.append([method, name, *_cells(one, validation[name]), f"{cost_ms:.1f}"])
    head = ["method", "output", "n", *SHOWN, *CONFORMAL, "sigma_epistemic", "ms a sample"]
    print(render_table(head, rows, "text"))
    if len(checkpoints) > 1:
        ratio = whole_s / float(np.median(member_s))
        print(f"\n{len(checkpoints)} members, averaged: {ratio:.2f} times the processor time of one")


def _answers(
    checkpoints: Sequence[Path], method: str, data_dir: Path | None
) -> tuple[dict[str, Predictions], dict[str, Predictions], list[float]]:
    """Test and validation predictions by output, and the processor time in s of each member."""
    member_s = []
    by_part: dict[str, list[dict[str, Predictions]]] = {"test": [], "val": []}
    for path in checkpoints:
        begin = time.process_time()
        system = load_checkpoint(path)["seisvision"]["config"]["system"]
        system = {**system, **({"data_dir": str(data_dir)} if data_dir else {})}
        uncertainty = None if method == "none" else {"method": method}
        asked = EvaluateSettings.of({"ckpt": str(path), "part": "test", "system": system, "uncertainty": uncertainty})
        network = ask_network(path, asked)
        prepare_passes(network, asked, len(checkpoints))
        for part, said in by_part.items():
            said.append(predict_part(network, asked, part))
        member_s.append(time.process_time() - begin)
    pooled_by_part = {
        part: members[0]
        if len(members) == 1
        else {name: average_predictions([one[name] for one in members]) for name in members[0]}
        for part, members in by_part.items()
    }
    return pooled_by_part["test"], pooled_by_part["val"], member_s


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
    """Print processor times over those of plain forwards, median and quartiles of turns."""
    torch.set_num_threads(1)
    rows = []
    for name, make, n_samples in (
        ("gu_cnn", lambda: GuCNN(3, N_SAMPLES), 64),
        ("tcn", lambda: TCN(3, levels=7), 16),
    ):
        members = [_task(make()) for _ in range(N_MEMBERS)]
        batch, task = _batch(n_samples), members[0]
        passes = DropoutPasses(N_PASSES, 1)

        def several(task: Any = task, batch: Any = batch, passes: Any = passes) -> None:
            pooled(task, batch, passes)

        def plain(task: Any = task, batch: Any = batch) -> None:
            for _ in range(N_PASSES):
                task(batch)

        def ensemble(members: Any = members, batch: Any = batch) -> None:
            said = [_said(one, batch) for one in members]
            for output in said[0]:
                average_predictions([one[output] for one in said])

        def one_member(task: Any = task, batch: Any = batch) -> None:
            _said(task, batch)

        with torch.no_grad():
            cells = [_ratio(several, plain), _ratio(ensemble, one_member)]
        rows.append([name, str(n_samples), *cells])
    head = ["network", "batch", f"{N_PASSES} passes over {N_PASSES} forwards", f"{N_MEMBERS} members over one"]
    print(render_table(head, rows, "text"))


def _task(model: Any) -> SupervisedTask:
    outputs = [ScalarOutput("distance", "km", "km", loss="gaussian"), ScalarOutput("p", "s", "s", loss="gaussian")]
    return SupervisedTask(model, WaveformView(N_SAMPLES), outputs, torch.optim.Adam).eval()


def _said(task: SupervisedTask, batch: dict[str, Any]) -> dict[str, Predictions]:
    raw = task(batch)
    ids = SampleIds("trace", batch[keys.TRACE_ID], batch[keys.TRACE_ID])
    return {
        one.name: predictions_class(one.kind).from_decoded(
            one.describe(), ids, np.zeros(len(ids)), one.decode(raw[one.name]).double().numpy()
        )
        for one in task.outputs
    }


def _ratio(work: Callable[[], None], unit: Callable[[], None]) -> str:
    work(), unit()
    ratios = [_seconds(work) / _seconds(unit) for _ in range(N_TURNS)]
    low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75])
    return f"{middle:.3f} [{low:.3f}, {high:.3f}]"


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("methods", "speed"))
    parser.add_argument("runs", nargs="*", help="run folders; several are an ensemble")
    parser.add_argument("--data-dir", type=Path, help="where waveform sets lie (default: as in the training)")
    arguments = parser.parse_args()
    tell_machine()
    if arguments.what == "speed":
        speed()
    else:
        methods(arguments.runs, arguments.data_dir)


if __name__ == "__main__":
    main()
