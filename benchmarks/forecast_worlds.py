"""Networks on catalogues in which it is known what can be forecast.

``python benchmarks/forecast_worlds.py null --repeats 20``       nothing but ETAS is true: nobody may win but by chance
``python benchmarks/forecast_worlds.py precursor --repeats 3``   swarms announce large events: one must see it

Each repeat is another catalogue, with the same command that anybody would type. A win is an interval of the gain (95 %,
blocks of 30 days) above 0. Told are gains over the fitted ETAS, and over the true one that made the catalogue.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from hydra import compose, initialize_config_dir
from measuring import tell_machine
from scipy import stats

from seisvision.catalogues.catalogue import EventCatalogue
from seisvision.catalogues.counting import Windows
from seisvision.catalogues.grid import Grid
from seisvision.forecasting.etas.rates import expected_counts
from seisvision.forecasting.measures.blocks import Blocks
from seisvision.forecasting.measures.gains import information_gain
from seisvision.forecasting.synthetic import etas_world
from seisvision.records.configuration import to_plain
from seisvision.records.folder import RunFolder, read_json
from seisvision.runs.ensure import ensure_run
from seisvision.runs.terminal import set_up_logging
from seisvision.stored_arrays import read_arrays

CONF = Path(__file__).resolve().parents[1] / "conf"
NETWORKS = ("forecast", "forecast_conv_lstm", "forecast_indicator_rnn", "forecast_safenet")
NULL = [
    "dataset.source.days=1000", "dataset.fit=1970-02-01/1971-10-01", "dataset.test=1971-10-01/1972-09-20",
    "dataset.references.simulations=0", "evaluation.baselines=false",
    "trainer.max_epochs=6", "dataset.cell_deg=0.2", "dataset.samples.indicators.memory_days=60",
    "dataset.samples.indicators.n_steps=2", "dataset.samples.indicators.step_days=10",
    "dataset.samples.indicators.spans_days=[10,30,60]",
]  # fmt: skip
PRECURSOR = ["dataset=precursor_world", "dataset.references.simulations=0", "evaluation.baselines=false",
             "trainer.max_epochs=8"]  # fmt: skip
ALSO = {"forecast_conv_lstm": ["dataset.samples.maps.magnitudes=[2.5,3.0]"], "forecast": []}


def run(experiment: str, place: Path, *overrides: str) -> RunFolder:
    words = [f"experiment={experiment}", f"system.data_dir={place}/data", f"system.runs_dir={place}/runs", *overrides]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = to_plain(compose("train", words))
    return ensure_run(config, words)


def told(stored: Mapping[str, Any]) -> str:
    # With fewer than ten blocks of time there is none.
    interval = "no interval" if stored["low"] is None else f"[{stored['low']:+.4f}, {stored['high']:+.4f}]"
    return f"{stored['value']:+.4f} {interval}"


def null(asked: argparse.Namespace) -> None:
    gains: dict[str, list[dict[str, Any]]] = {name: [] for name in asked.networks}
    over_truth: dict[str, list[dict[str, Any]]] = {name: [] for name in asked.networks}
    for seed in range(asked.repeats):
        for name in asked.networks:
            folder = run(name, asked.place, *NULL, f"dataset.source.seed={seed}", *asked.set)
            stored = read_json(folder.metrics_file)["test"]["events"]["gain_over_etas"]
            gains[name].append(stored)
            over_truth[name].append(_over_truth(folder, seed))
            print(f"{seed} {name}: over etas {told(stored)}, over the truth {told(over_truth[name][-1])}", flush=True)
    for what, found in (("fitted ETAS", gains), ("the true ETAS", over_truth)):
        for name, several in found.items():
            judged = [one for one in several if one["low"] is not None]
            won = sum(one["low"] > 0 for one in judged)
            lost = sum(one["high"] < 0 for one in judged)
            chance = stats.binom.sf(won - 1, len(judged), 0.025)
            print(
                f"{name} over {what}: {won} of {len(judged)} won (that many or more by chance: {chance:.2f}), {lost} "
                f"lost, mean gain {np.mean([one['value'] for one in several]):+.4f}"
            )


def _over_truth(folder: RunFolder, seed: int) -> dict[str, Any]:
    """Gain of the network over the rates of the parameters and background that made the catalogue."""
    config, arrays = folder.config(), read_arrays(folder.path / "rates.npz")
    world = etas_world(seed, float(config["dataset"]["source"]["days"]))
    length = float((arrays["end_days"] - arrays["begin_days"])[0])
    windows = Windows(arrays["issue_days"], 0.0, length)
    catalogue: EventCatalogue = world.catalogue
    grid = Grid.of_degrees(world.region, config["dataset"]["cell_deg"])
    true = expected_counts(world.parameters, world.background, catalogue, windows, grid, config["dataset"]["magnitude"])
    blocks = Blocks(len(windows), int(np.ceil(30 / length)))
    return information_gain(arrays["rates_network"], true, arrays["counts"], blocks).measure.to_dict()


def precursor(asked: argparse.Namespace) -> None:
    for seed in range(asked.repeats):
        for name in asked.networks:
            words = [*PRECURSOR, *ALSO.get(name, []), f"dataset.source.seed={seed}", *asked.set]
            folder = run(name, asked.place, *words)
            metrics = read_json(folder.metrics_file)
            events = metrics["test"]["events"]
            print(
                f"{seed} {name}: over etas {told(events['gain_over_etas'])}, over poisson "
                f"{told(events['gain_over_poisson'])}, PR AUC {told(events['pr_auc'])} (guess "
                f"{metrics['forecasts']['base_rate']:.4f}), {metrics['forecasts']['events']} events",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("null", "precursor"))
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=NETWORKS)
    parser.add_argument("--place", type=Path, default=Path("forecast_worlds"), help="folder of the runs")
    parser.add_argument("--set", nargs="*", default=[], help="further words of train.py")
    arguments = parser.parse_args()
    tell_machine()
    set_up_logging()
    {"null": null, "precursor": precursor}[arguments.what](arguments)


if __name__ == "__main__":
    main()
