"""Networks that locate from all stations at once, beside the mean of the training, automatic picks and a locator.

    OMP_NUM_THREADS=1 python benchmarks/network_locations.py --events 2000 --out table.md

Makes a simulated local network (dataset=synthetic_network), trains every network on the earliest events, and asks all
about the latest: as they were recorded, with the stations in another order, with a third of the stations absent, and
with what had come in some seconds after the first P. Beside them stand picks by rule (STA/LTA and Akaike) and the true
arrivals, each with the arrival locator, which is told the velocities of the simulation. Finished trainings are reused.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from measuring import tell_machine

from seisvision import keys
from seisvision.data.samples.events import EventSamples
from seisvision.data.samples.window import Window
from seisvision.data.serving.datamodule import EventDataModule
from seisvision.earth.geodesics import geodesic
from seisvision.earth.travel_time_table import TravelTimes
from seisvision.experiments.waveforms.data import build_data
from seisvision.experiments.waveforms.trained import TrainedNetwork
from seisvision.location.arrivals.hypocentres import Hypocentres
from seisvision.location.arrivals.locate import locate_arrivals
from seisvision.outputs.places.predictions import PlacePredictions
from seisvision.picking.by_rule import picks_by_rule
from seisvision.records.configuration import instantiate
from seisvision.records.words.composing import compose_experiment

NETWORKS = ("station_transformer", "fcn_locator", "kriegerowski", "early_warning", "preseis")
SECONDS = (1.0, 2.0, 4.0, 8.0, 16.0)
ABSENT = 1 / 3
PLACE = ("source_latitude_deg", "source_longitude_deg", "source_depth_km")
HEAD = ("", "epicentre, median (km)", "90 %", "within 5 km", "depth, median (km)", "in 95 % ellipse", "mean / median")
Change = Callable[[dict[str, Any]], dict[str, Any]]


def main() -> None:
    """Train, ask, locate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=2000)
    parser.add_argument("--noise-share", type=float, default=0.15, help="of the events, for the early-warning network")
    parser.add_argument("--networks", nargs="*", default=list(NETWORKS), metavar="NAME")
    parser.add_argument("--epochs", nargs="*", type=int, default=[], help="one for each network; default theirs")
    parser.add_argument(
        "--set",
        nargs="*",
        default=[],
        metavar="KEY=VALUE",
        help="further settings of every training; those of the view where it has them",
    )
    parser.add_argument("--side-by-side", action="store_true", help="all trainings at once")
    parser.add_argument("--limit-s", type=float, default=None, help="end trainings that take longer")
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument("--runs-dir", type=Path, default=Path("runs"))
    parser.add_argument("--out", type=Path, default=None)
    args = parser.parse_args()
    tell_machine()
    lines, seconds = (
        [row_text(HEAD), "|---" * len(HEAD) + "|"],
        [
            row_text(["", *(f"{one:g} s" for one in SECONDS)]),
            "|---" * (len(SECONDS) + 1) + "|",
        ],
    )
    first = True
    for name, run in train(args):
        trained, own = opened(run, args.data_dir)
        if first:
            lines += map(row_text, locator_rows(own))
        lines += map(row_text, network_rows(name, trained, own))
        seconds.append(row_text([name, *rows_by_time(trained, own)]))
        write(args.out, lines, seconds)
        first = False
    print(write(args.out, lines, seconds))


def row_text(cells: Sequence[str]) -> str:
    """A row of a table in Markdown."""
    return f"| {' | '.join(cells)} |"


def write(out: Path | None, lines: list[str], seconds: list[str]) -> str:
    """Both tables as text; also into a file, after every network, so that what was measured is not lost."""
    text = "\n".join([*lines, "", "Median epicentral error (km) so long after the first P:", "", *seconds, ""])
    if out is not None:
        out.write_text(text)
    return text


def train(args: argparse.Namespace) -> Iterator[tuple[str, Path]]:
    """Names and folders of the runs as they finish, in the order asked for."""
    epochs = dict(zip(args.networks, args.epochs, strict=False))
    common = [
        f"dataset.source.n_events={args.events}", f"dataset.source.noise_share={args.noise_share}",
        f"system.data_dir={args.data_dir}", f"system.runs_dir={args.runs_dir}", "logger=csv",
        "evaluation.baselines=false", *args.set,
    ]  # fmt: skip
    prepare(args)
    args.runs_dir.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()

    def start(name: str) -> subprocess.Popen[bytes]:
        longer = [f"trainer.max_epochs={epochs[name]}"] if name in epochs else []
        command = [sys.executable, "train.py", f"experiment={name}", *understood(name, common), *longer]
        with (args.runs_dir / f"{name}.log").open("w") as log:
            return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)

    under_way = {name: start(name) for name in args.networks} if args.side_by_side else {}
    for name in args.networks:
        process = under_way.get(name) or start(name)
        left_s = None if args.limit_s is None else max(0.0, args.limit_s - (time.monotonic() - started))
        try:
            process.wait(left_s)
        except subprocess.TimeoutExpired:
            process.terminate()
            process.wait()
        runs = sorted((args.runs_dir / name).glob("*/metrics.json"), key=lambda path: path.stat().st_mtime)
        if runs:
            yield name, runs[-1].parent
        else:
            print(f"{name} did not finish; see {args.runs_dir / name}.log", file=sys.stderr)
        print(f"{name}: {time.monotonic() - started:.0f} s", file=sys.stderr)


def understood(name: str, words: Sequence[str]) -> list[str]:
    """The words without settings that the view of this experiment lacks: that of PreSEIS has no length of pictures."""
    view = compose_experiment([f"experiment={name}"])["view"]
    return [word for word in words if not word.startswith("view.") or word.split("=")[0].split(".")[1] in view]


def prepare(args: argparse.Namespace) -> None:
    """Make the set, once for all trainings."""
    words = ["dataset=synthetic_network", f"dataset.source.n_events={args.events}"]
    further = [word for word in args.set if word.startswith("dataset.source.")]
    config = compose_experiment([*words, f"dataset.source.noise_share={args.noise_share}", *further])
    instantiate(config["dataset"]["source"]).prepare(args.data_dir)


def opened(run: Path, data_dir: Path) -> tuple[TrainedNetwork, EventDataModule]:
    """The best epoch of a finished run, and its own parts."""

    def here(stored: dict[str, Any]) -> dict[str, Any]:
        return stored | {"system": stored["system"] | {"data_dir": str(data_dir)}}

    trained = TrainedNetwork.open(run / "checkpoints" / "best.ckpt", here)
    trained.task.eval()
    return trained, build_data(trained.config, trained.task.view, trained)


def network_rows(name: str, trained: TrainedNetwork, data: EventDataModule) -> list[list[str]]:
    """A network as it is, with its stations in another order, and with some of them absent."""
    generator = np.random.default_rng(0)
    changes: dict[str, Change] = {
        "": lambda batch: batch,
        ", stations in another order": lambda batch: permuted(batch, generator),
        ", a third of the stations absent": lambda batch: thinned(batch, generator),
    }
    targets = data.parts["train"].targets
    train = np.stack([np.asarray(targets[column]) for column in PLACE], 1)
    said = {what: asked(trained.task, data, change) for what, change in changes.items()}
    return [measured(name + what, one, None if what else train) for what, one in said.items()]


def rows_by_time(trained: TrainedNetwork, data: EventDataModule) -> list[str]:
    """Median epicentral error so many seconds after the first P."""
    found = []
    for seconds in SECONDS:
        trained.task.view.truncate_s = seconds
        said = asked(trained.task, data, lambda batch: batch)
        found.append(f"{np.nanmedian(said.epicentral_error_km):.1f}")
    return found


@torch.no_grad()
def asked(task: Any, data: EventDataModule, change: Change) -> PlacePredictions:
    """Places of the test events."""
    output = next(one for one in task.outputs if one.name == "place")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    task.to(device)
    decoded, target, ids = [], [], []
    for batch in data.loader("test"):
        moved = task.transfer_batch_to_device(change(batch), device, 0)
        decoded.append(output.decode(task(moved)["place"]).double().cpu())
        target.append(output.truth(batch))
        ids += batch[keys.SOURCE_ID]
    everything = torch.cat(decoded).numpy(), torch.cat(target).numpy()
    return PlacePredictions.from_decoded(output.describe(), data.parts["test"].ids, everything[1], everything[0])


def permuted(batch: dict[str, Any], generator: np.random.Generator) -> dict[str, Any]:
    """The batch with its stations in another order, with all that is known of them."""
    order = torch.from_numpy(generator.permutation(batch[keys.WAVEFORM].shape[1]))
    n = len(order)
    return {
        key: value[:, order] if isinstance(value, torch.Tensor) and value.ndim > 1 and value.shape[1] == n else value
        for key, value in batch.items()
    }


def thinned(batch: dict[str, Any], generator: np.random.Generator) -> dict[str, Any]:
    """The batch without a share of its stations."""
    there = batch[keys.STATION_MASK] & torch.from_numpy(
        generator.random(tuple(batch[keys.STATION_MASK].shape)) >= ABSENT
    )
    return batch | {keys.STATION_MASK: there}


def measured(name: str, said: PlacePredictions, train: np.ndarray | None) -> list[str]:
    """A row of the table; the last column says how many times better than the mean of the training (N, 3) it is."""
    measures = {key: one.value for key, one in said.measures(train_target=train).items()}
    coverage = measures.get("coverage_epicentre_95")
    guess, median = measures.get("baseline_median_ae_epicentre_km"), measures["median_ae_epicentre_km"]
    return [
        name,
        f"{median:.2f}",
        f"{measures['p90_ae_epicentre_km']:.2f}",
        f"{measures['within_5_km']:.0%}",
        f"{measures['median_ae_depth_km']:.2f}",
        "" if coverage is None else f"{coverage:.0%}",
        "" if guess is None else f"{guess:.1f} / {median:.2f} = {guess / median:.1f}",
    ]


def locator_rows(data: EventDataModule) -> list[list[str]]:
    """Automatic picks and true arrivals of the same test events, located with the velocities of the simulation."""
    waveform_set = data.waveform_set
    parameters = waveform_set.card["parameters"]
    events = waveform_set.event_table().loc[list(data.parts["test"].source_ids)]
    truth = events[list(PLACE)].to_numpy(float)
    test = list(events.index[np.isfinite(truth).all(1)])
    truth = truth[np.isfinite(truth).all(1)]
    window = Window(length_s=parameters["length_s"])
    samples = EventSamples(waveform_set, test, window=window, components=keys.COMPONENTS)
    vp = np.array(parameters["vp_km_s"])
    vs = vp / float(np.mean(parameters["vp_vs"]))
    table = TravelTimes.layered(parameters["layer_top_km"], vp.tolist(), vs.tolist(), elevations_km=(0.0, 1.0))
    automatic, catalogue, places = [], [], []
    for number in range(len(samples)):
        sample = samples[number]
        waveform = sample[keys.WAVEFORM].numpy()
        times, clear = picks_by_rule(waveform[:, 0], waveform[:, 1:], sample[keys.SAMPLING_RATE_HZ])["akaike"]
        automatic.append(np.where(clear >= 1, times, np.nan))
        catalogue.append(sample[keys.ARRIVALS_S].numpy())
        rows = waveform_set.table.iloc[samples.rows(number)]
        places.append(rows[["station_latitude_deg", "station_longitude_deg"]].to_numpy())
    return [
        located("automatic picks and locator", automatic, places, truth, table, parameters),
        located("true arrivals and locator", catalogue, places, truth, table, parameters),
    ]


def located(
    name: str, times: list[np.ndarray], places: list[np.ndarray], truth: np.ndarray, table: TravelTimes, parameters: Any
) -> list[str]:
    """A row of the table for arrivals (S, 2) of events."""
    most = max(len(one) for one in times)
    shape = (len(times), 2 * most)
    time_s, latitude, longitude = (np.full(shape, np.nan) for _ in range(3))
    for row, (one, place) in enumerate(zip(times, places, strict=True)):
        n = len(one)
        for phase in range(2):
            first = phase * most
            time_s[row, first : first + n] = one[:, phase]
            latitude[row, first : first + n], longitude[row, first : first + n] = place.T
    phase = np.broadcast_to(np.repeat(["P", "S"], most), shape)
    mask = np.isfinite(time_s)
    zeros = np.zeros(shape)
    limits = (0.0, 2.0 * float(parameters["depth_km"][1]))
    found = locate_arrivals(latitude, longitude, zeros, phase, time_s, None, table, mask=mask, depth_limits_km=limits)
    return hypocentre_row(name, found, truth)


def hypocentre_row(name: str, found: Hypocentres, truth: np.ndarray) -> list[str]:
    """Errors of hypocentres against latitudes, longitudes and depths (N, 3)."""
    latitude, longitude, depth = (getattr(found, one).numpy() for one in ("latitude_deg", "longitude_deg", "depth_km"))
    there = np.isfinite(latitude)
    distance_km, azimuth_deg, _ = geodesic(latitude[there], longitude[there], truth[there, 0], truth[there, 1])
    size = np.full(len(truth), np.inf)
    size[there] = distance_km
    ellipse = found.ellipse95
    turn = np.radians(azimuth_deg - ellipse.azimuth_deg.numpy()[there])
    along = distance_km * np.cos(turn) / ellipse.major_km.numpy()[there]
    across = distance_km * np.sin(turn) / ellipse.minor_km.numpy()[there]
    stated = np.isfinite(along)
    depth_error = np.abs(depth - truth[:, 2])
    not_all = "" if there.all() else f" ({there.mean():.0%} located)"
    return [
        name + not_all,
        f"{np.median(size):.2f}",
        f"{np.quantile(size, 0.9):.2f}",
        f"{(size <= 5).mean():.0%}",
        f"{np.nanmedian(depth_error):.2f}",
        f"{(np.hypot(along, across)[stated] <= 1).mean():.0%} of {stated.mean():.0%}",
        "",
    ]


if __name__ == "__main__":
    main()
