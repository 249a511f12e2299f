"""How fast record sections are drawn, against ObsPy's own drawing of the same events.

    OMP_NUM_THREADS=1 python benchmarks/rendering.py [--batch 32] [--repeats 9] [--json]

One thread; 30 traces of 3600 samples each (30 minutes at 2 Hz) to 224 x 224 pixels. All competitors take turns in one
run, so that a busy machine slows all of them, and medians are compared. Time is processor time of
the process, which equals the wall clock on an idle machine; the wall clock is printed too.
ObsPy draws axes and labels beside the traces, and has no drawing like our densities: each of ours is compared with its
filled wiggles and with its lines, the quicker of its two, and says so.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import matplotlib as mpl
import numpy as np
import torch
from measuring import Spent, in_turns, machine, told

from seisvision import keys
from seisvision.data.synthesis.generator import EventGenerator
from seisvision.data.synthesis.parameters import SynthesisParameters
from seisvision.views.sections.record_section import Channel, RecordSection

STATIONS, SAMPLES, RATE_HZ, PIXELS = 30, 3600, 2.0, 224
BANDS = [Channel("Z", (1 / 150, 1 / 35)), Channel("Z", (1 / 30, 1 / 10)), Channel("Z", (0.4, 0.95))]
FILLED, LINES = "ObsPy filled, 224 x 224", "ObsPy lines, 224 x 224"
FILLED_NATIVE, LINES_NATIVE = "ObsPy filled, 1000 x 600", "ObsPy lines, 1000 x 600"


def synthetic_events(events: int) -> dict:
    """Batch of the default synthetic set's tectonic and glacial events, all with 30 working stations."""
    generator = EventGenerator(SynthesisParameters(n_stations=(STATIONS, STATIONS), fault=0.0))
    made = [generator.event(index) for index in range(events)]
    waveform = np.stack([event.waveforms[:, :1] for event in made])
    offset_km = np.stack([event.geometry.offset_km for event in made]).astype(np.float32)
    return {
        keys.WAVEFORM: torch.from_numpy(waveform),
        keys.STATION_MASK: torch.ones(events, STATIONS, dtype=torch.bool),
        keys.OFFSET_KM: torch.from_numpy(offset_km),
        keys.ONSET_S: torch.full((events, STATIONS), torch.nan),
        keys.START_S: torch.zeros(events, STATIONS),
        keys.SAMPLING_RATE_HZ: RATE_HZ,
    }


def draw_with_obspy(batch: dict, event: int, width: int, height: int, filled: bool) -> None:
    """Draw one event as an array of pixels, the way a user of ObsPy would."""
    import matplotlib.pyplot as plt
    from obspy import Stream, Trace

    traces = [
        Trace(waveform.numpy(), {"sampling_rate": RATE_HZ, "distance": 1000 * offset_km})
        for waveform, offset_km in zip(
            batch[keys.WAVEFORM][event, :, 0], batch[keys.OFFSET_KM][event].tolist(), strict=True
        )
    ]
    figure = plt.figure(figsize=(width / 100, height / 100), dpi=100)
    colours = {"fillcolors": ("black", None)} if filled else {}
    Stream(traces).plot(type="section", fig=figure, handle=True, draw=False, **colours)
    figure.canvas.draw()
    np.asarray(figure.canvas.buffer_rgba()).copy()
    plt.close(figure)


def competitors(batch: dict) -> dict[str, tuple[Callable[[int], object], int]]:
    """Name to (what to run, given the number of the turn; number of pictures it makes)."""
    settings = {"components": "Z", "offset_range_km": (0.0, 5100.0)}
    envelope = [*BANDS[:2], Channel("Z", BANDS[2].band_hz, "envelope")]
    views = {
        "density": RecordSection(PIXELS, PIXELS, **settings),
        "filled wiggles": RecordSection(PIXELS, PIXELS, style="wiggle", **settings),
        "density, 8-150 s": RecordSection(PIXELS, PIXELS, [Channel("Z", (1 / 150, 1 / 8))], **settings),
        "filled wiggles, 8-150 s": RecordSection(
            PIXELS, PIXELS, [Channel("Z", (1 / 150, 1 / 8))], style="wiggle", **settings
        ),
        "three bands, density": RecordSection(PIXELS, PIXELS, BANDS, **settings),
        "three bands, two signed and an envelope": RecordSection(PIXELS, PIXELS, envelope, **settings),
        "three bands, decibel envelopes": RecordSection(
            PIXELS, PIXELS, BANDS, style="envelope", envelope_db=(6.0, 30.0), **settings
        ),
    }
    events = len(batch[keys.WAVEFORM])
    ours = {f"seisvision {name}": ((lambda _, view=view: view(batch)), events) for name, view in views.items()}
    theirs = {
        FILLED: (lambda turn: draw_with_obspy(batch, turn % events, PIXELS, PIXELS, True), 1),
        LINES: (lambda turn: draw_with_obspy(batch, turn % events, PIXELS, PIXELS, False), 1),
        FILLED_NATIVE: (lambda turn: draw_with_obspy(batch, turn % events, 1000, 600, True), 1),
        LINES_NATIVE: (lambda turn: draw_with_obspy(batch, turn % events, 1000, 600, False), 1),
    }
    return theirs | ours


def measure(batch: dict, repeats: int) -> dict[str, Spent]:
    """Milliseconds per picture of every competitor, in turns."""
    running = competitors(batch)
    actions, pictures = ({name: pair[part] for name, pair in running.items()} for part in (0, 1))
    return in_turns(actions, repeats, pictures)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=32, help="events per batch")
    parser.add_argument("--repeats", type=int, default=9, help="turns of every competitor")
    parser.add_argument("--json", action="store_true", help="print JSON in place of a table")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    mpl.use("Agg")
    about = machine()
    spent = measure(synthetic_events(arguments.batch), arguments.repeats)
    results = {name: one.as_dict() for name, one in spent.items()}
    for result in results.values():
        for reference in (FILLED, LINES, FILLED_NATIVE, LINES_NATIVE):
            result[f"times faster than {reference}"] = results[reference]["cpu_ms"] / result["cpu_ms"]
    if arguments.json:
        print(json.dumps({"machine": about, "batch": arguments.batch, "results": results}, indent=2))
        return
    print(f"{told(about)}; {arguments.repeats} turns of {arguments.batch} events")
    print(f"{'ms a picture':48s} {'cpu':>8s} {'(least to largest)':>20s} {'wall':>8s} | times faster than ObsPy's")
    print(f"{'':86s} | {'filled':>9s} {'lines':>9s}")
    for name, result in results.items():
        filled, lines = (result[f"times faster than {reference}"] for reference in (FILLED, LINES))
        ends = f"({result['cpu_least_ms']:.3f} to {result['cpu_largest_ms']:.3f})"
        print(f"{name:48s} {result['cpu_ms']:8.3f} {ends:>20s} {result['wall_ms']:8.3f} | {filled:9.1f} {lines:9.1f}")


if __name__ == "__main__":
    main()
