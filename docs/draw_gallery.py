"""Draw the pictures of the gallery: ``python docs/draw_gallery.py [RUN]``, of the run of ``make demo``.

Shores need the extra ``maps``. It takes a minute of a processor, most of it for two hours of a local network and the
catalogue that is made of them.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import obspy
import pandas as pd
from draw_pictures import BLUE, GREY, ORANGE, save
from matplotlib.figure import Figure

import seisvision as sv
from seisvision.cataloguing.scoring import read_catalogue, score_catalogue
from seisvision.cli import main as command
from seisvision.data import LocalSyntheticSource
from seisvision.earth.coast_lines import draw_shores_in_degrees

HOURS, N_EARTHQUAKES = 2, 40


def main(words: list[str]) -> None:
    """Draw all of them; the run of the demo is made first where there is none yet."""
    run = sv.open_run(words[0]) if words else sv.train("experiment=demo_small")
    draw_reliability(pd.read_csv(run.tables["source_type_test_reliability"]))
    with tempfile.TemporaryDirectory() as folder:
        draw_local_section(Path(folder))
        draw_catalogue(Path(folder))


def draw_reliability(bins: pd.DataFrame) -> None:
    """What the network stated, and how often it was right."""
    figure = Figure(figsize=(4.4, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.plot([50, 100], [50, 100], color=GREY, linewidth=0.8, label="as it should be")
    axes.plot(100 * bins["confidence"], 100 * bins["accuracy"], "o-", color=BLUE, label="network")
    for _, one in bins.iterrows():
        place = (100 * one["confidence"], 100 * one["accuracy"])
        axes.annotate(f"{one['count']:.0f}", place, (0, -12), textcoords="offset points", ha="center", fontsize=8)
    axes.set(xlabel="stated probability of its answer (%)", ylabel="right (% of test events)", ylim=(40, 104))
    axes.legend(fontsize=8, loc="lower right")
    save(figure, "reliability.png")


def draw_local_section(folder: Path) -> None:
    """A local earthquake at twelve stations, with the arrivals of P and S."""
    made = LocalSyntheticSource(n_events=4, seed=1, noise_db=10.0, magnitude=[2.0, 2.5]).prepare(folder)
    figure = sv.open_set(made)[0].plot(component="Z", band_hz=(3.0, 20.0))
    figure.set_size_inches(9, 4.6)
    save(figure, "local_section.png")


def draw_catalogue(folder: Path) -> None:
    """Two hours of a local network, the catalogue that rules made of its recordings, and the true one."""
    day, made = folder / "day", folder / "made"
    synth = ["data", "synth", "--continuous", "--out", day, "--hours", HOURS, "--n-earthquakes", N_EARTHQUAKES]
    run = ["catalogue", "run", day / "SDS", "--stations", day / "stations.xml", "--velocity", day / "velocity.csv"]
    for words in (synth, [*run, "--out", made]):
        if command([str(word) for word in words]):
            raise SystemExit("no catalogue was made; see above")
    ours, truth = read_catalogue(made / "catalogue.csv"), read_catalogue(day / "events.csv")
    score = score_catalogue(ours, truth)
    figure = Figure(figsize=(9, 3.9), layout="constrained")
    places, times = figure.subplots(1, 2)
    groups = (
        (truth, score.pairs[:, 1], BLUE, "found"),
        (truth, score.missed, GREY, "missed"),
        (ours, score.false, ORANGE, "false"),
    )
    for events, rows, colour, name in groups:
        style = {"linestyle": "none", "marker": "o", "markersize": 4, "color": colour, "label": f"{name} ({len(rows)})"}
        places.plot(events.longitude_deg[rows], events.latitude_deg[rows], **style)
        hours = (events.time_ns[rows] - truth.time_ns.min()) / 3.6e12
        times.plot(hours, events.magnitude[rows], **style)
    stations = obspy.read_inventory(str(day / "stations.xml"))
    where = np.array([(one.longitude, one.latitude) for network in stations for one in network])
    places.plot(*where.T, "^", color="k", markersize=4, fillstyle="none", label=f"{len(where)} stations")
    places.set(xlabel="longitude (degrees)", ylabel="latitude (degrees)")
    places.set_aspect(1 / np.cos(np.radians(where[:, 1].mean())))
    draw_shores_in_degrees(places)
    times.set(xlabel="hours after the first event", ylabel="magnitude")
    for axes in (places, times):
        axes.legend(fontsize=7)
    save(figure, "catalogue.png")


if __name__ == "__main__":
    main(sys.argv[1:])
