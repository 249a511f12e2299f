"""Draw the pictures of the README from the run of ``make demo``: ``python docs/draw_pictures.py [RUN]``."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import image
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

import seisvision as sv
from seisvision.api.runs import Run
from seisvision.api.sets import OpenSet
from seisvision.earth.coast_lines import draw_shores_in_degrees

OUT = Path(__file__).parent / "pictures"
BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "0.6"
COLOURS = {"tectonic": BLUE, "glacial": ORANGE}


def main(words: list[str]) -> None:
    """Draw all of them; the run is made first where there is none yet."""
    run = sv.open_run(words[0]) if words else sv.train("experiment=demo_small")
    events = run.open_set()
    answers = run.predictions("test").set_index("source_id")
    answers = answers.join(events.events.drop(columns=[name for name in answers if name in events.events]))
    answers["is_right"] = answers["source_type_prediction"] == answers["source_type_target"]
    distances = events.table.groupby("source_id")["path_ep_distance_km"]
    answers["nearest_km"], answers["n_stations"] = distances.min(), distances.size()
    OUT.mkdir(exist_ok=True)
    draw_sections(run, events)
    draw_learning(run)
    draw_answers(answers)
    for path in sorted(OUT.glob("*.png")):
        print(f"{path.name}  {path.stat().st_size / 1000:.0f} kB")


def draw_sections(run: Run, events: OpenSet) -> None:
    """Of each class the event with the brightest picture: as recorded, and as the network sees it."""
    view = run.config["view"]
    table = run.tables["source_type_test_samples"]
    folder, samples = table.parent, pd.read_csv(table)
    samples = samples[samples["target"] == samples["prediction"]]
    figure = Figure(figsize=(9, 6.4), layout="constrained")
    panels = figure.subplots(2, 2)
    for (recorded, seen), name in zip(panels, COLOURS, strict=True):
        of_class = samples[samples["target"] == name]
        pictures = [image.imread(folder / str(path)) for path in of_class["picture"]]
        brightest = int(np.argmax([picture.mean() for picture in pictures]))
        sample, picture = of_class.iloc[brightest], pictures[brightest]
        draw_recorded(recorded, events, str(sample["event"]))
        recorded.set_title(f"{name} event {sample['event']}, vertical, as recorded", fontsize=9)
        low_km, high_km = view["offset_range_km"]
        recorded.set_xlim(low_km, high_km)
        minutes = run.config["dataset"]["samples"]["window"]["length_s"] / 60
        seen.imshow(picture, extent=(low_km, high_km, minutes, 0), aspect="auto", interpolation="nearest")
        seen.set(xlabel="distance (km)", ylabel="time after origin (minutes)")
        seen.set_title(f"the same as the network sees it, {picture.shape[0]} x {picture.shape[1]} pixels", fontsize=9)
    bands = [channel["band_hz"] for channel in view["channels"]]
    patches = [
        Patch(color=colour, label=f"{low:.3g} to {high:.3g} Hz")
        for colour, (low, high) in zip(("red", "limegreen", "blue"), bands, strict=True)
    ]
    low_db, high_db = view["envelope_db"]
    title = f"Colours: envelope, {low_db:g} to {high_db:g} dB above the noise of each trace"
    figure.legend(handles=patches, loc="outside lower center", ncols=3, fontsize=8, title=title, title_fontsize=8)
    save(figure, "sections.png")


def draw_recorded(axes: Axes, events: OpenSet, name: str) -> None:
    """Each trace at its distance, scaled to its own largest amplitude."""
    rows = events.table[events.table["source_id"] == name]
    kilometres = dict(zip(rows["station_code"], rows["path_ep_distance_km"], strict=True))
    room_km = 0.035 * max(kilometres.values())
    for trace in events[name].to_stream().select(component="Z"):
        largest = np.abs(trace.data).max()
        if largest > 0:
            minutes = trace.times() / 60
            axes.plot(
                kilometres[trace.stats.station] + room_km * trace.data / largest, minutes, color="k", linewidth=0.3
            )
    axes.set(xlabel="distance (km)", ylabel="time after origin (minutes)", ylim=(minutes[-1], 0))


def draw_learning(run: Run) -> None:
    """Loss and accuracy after each epoch."""
    history = run.history
    figure = Figure(figsize=(9, 2.9), layout="constrained")
    quantities = {"loss": "loss (nats)", "source_type_accuracy": "accuracy (share of events)"}
    for axes, (measure, label) in zip(figure.subplots(1, 2), quantities.items(), strict=True):
        for part, colour, words in (("train", GREY, "training events"), ("val", BLUE, "validation events")):
            rows = history[history["name"] == f"{part}/{measure}"]
            axes.plot(rows["epoch"].astype(int) + 1, rows["value"], "o-", color=colour, markersize=4, label=words)
        axes.set(xlabel="epoch", ylabel=label)
        axes.legend(fontsize=8)
    save(figure, "learning.png")


def draw_answers(answers: pd.DataFrame) -> None:
    """Where the test events are and which answers are wrong, and what it stated of each."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    places, stated = figure.subplots(1, 2)
    for name, colour in COLOURS.items():
        some = answers[answers["source_type_target"] == name]
        words = f"{name}: {some['is_right'].sum()} of {len(some)} right"
        places.plot(some["source_longitude_deg"], some["source_latitude_deg"], ".", color=colour, label=words)
        stated.plot(some["nearest_km"], 100 * some["source_type_probability_glacial"], ".", color=colour, label=name)
    wrong = answers[~answers["is_right"]]
    ring = {"marker": "o", "linestyle": "none", "markersize": 11, "markerfacecolor": "none", "color": "k"}
    places.plot(wrong["source_longitude_deg"], wrong["source_latitude_deg"], **ring, label="wrong")
    stated.plot(wrong["nearest_km"], 100 * wrong["source_type_probability_glacial"], **ring, label="wrong")
    stated.axhline(50, color=GREY, linewidth=0.8)
    places.set(xlabel="longitude (degrees)", ylabel="latitude (degrees)", xlim=(-180, 180), ylim=(-90, 90))
    draw_shores_in_degrees(places)
    places.set_title(f"epicentres of the {len(answers)} test events", fontsize=9)
    stated.set(xlabel="distance of the nearest station (km)", ylabel="stated probability of glacial (%)")
    stated.set_title("what the network said of each", fontsize=9)
    for axes in (places, stated):
        axes.legend(fontsize=7)
    save(figure, "answers.png")


def save(figure: Figure, name: str) -> None:
    """Write a picture without the version of the library, so that the same picture is the same file."""
    figure.savefig(OUT / name, dpi=100, metadata={"Software": None})


if __name__ == "__main__":
    main(sys.argv[1:])
