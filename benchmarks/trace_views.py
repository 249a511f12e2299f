"""How fast pictures of single traces are drawn, against ObsPy's own drawings of the same traces.

    OMP_NUM_THREADS=1 python benchmarks/trace_views.py [--batch 64] [--repeats 9] [--json]

One thread; one component of 3600 samples (30 minutes at 2 Hz) to 96 x 192 pixels, and ObsPy at that size and at its
own. All competitors take turns in one run, so that a busy machine slows all of them, and medians are compared. Time is
processor time of the process, which equals the wall clock on an idle machine; the wall clock is printed too.
Each of our pictures is compared with ObsPy's picture of the same kind: plot, linear or logarithmic spectrogram. Rows
``transforms of ... alone`` do nothing but the Fourier transforms that a picture is made of: no code with the same
transforms can be faster.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from functools import partial
from typing import Any
from unittest.mock import patch

os.environ.setdefault("OMP_NUM_THREADS", "1")

import matplotlib as mpl
import numpy as np
import torch
from measuring import Spent, in_turns, machine, told

from seisvision import keys
from seisvision.data.synthesis.generator import EventGenerator
from seisvision.data.synthesis.parameters import SynthesisParameters
from seisvision.views.channels import Channel
from seisvision.views.traces.spectrogram import SpectrogramView
from seisvision.views.traces.trace import TraceView

RATE_HZ, HEIGHT, WIDTH = 2.0, 96, 192
BANDS = [Channel("Z", (0.4, 0.95)), Channel("Z", (1 / 30, 1 / 10)), Channel("Z", (1 / 150, 1 / 35))]
KINDS = {"plot": (800, 250), "linear spectrogram": (640, 480), "log spectrogram": (640, 480)}
"""ObsPy's pictures and their own sizes in pixels."""


def synthetic_traces(count: int) -> dict:
    """Batch of traces of the default synthetic set's events."""
    generator = EventGenerator(SynthesisParameters(n_stations=(16, 16), fault=0.0))
    waveform = np.concatenate([generator.event(index).waveforms[:, :1] for index in range(-(-count // 16))])[:count]
    return {
        keys.WAVEFORM: torch.from_numpy(waveform)[:, None],
        keys.STATION_MASK: torch.ones(count, 1, dtype=torch.bool),
        keys.SAMPLING_RATE_HZ: RATE_HZ,
    }


def obspy_pixels(waveform: torch.Tensor, kind: str, size_px: tuple[int, int]) -> np.ndarray:
    """Draw one trace as an array of pixels, the way a user of ObsPy would."""
    import matplotlib.pyplot as plt
    from obspy import Trace

    trace = Trace(waveform.numpy(), {"sampling_rate": RATE_HZ})
    figure = plt.figure(figsize=(size_px[0] / 100, size_px[1] / 100), dpi=100)
    if kind == "plot":
        trace.plot(fig=figure, handle=True, draw=False)
    else:
        trace.spectrogram(axes=figure.add_subplot(111), log=kind.startswith("log"), show=False)
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba()).copy()
    plt.close(figure)
    return pixels


def obspy_name(kind: str, size_px: tuple[int, int]) -> str:
    return f"ObsPy {kind}, {size_px[1]} x {size_px[0]}"


def competitors(batch: dict) -> dict[str, tuple[Callable[[int], object], int]]:
    """Name to (what to run, given the number of the turn; number of pictures it makes)."""
    waveform = batch[keys.WAVEFORM][:, 0, 0]
    count = len(waveform)
    views = {
        "line": TraceView(HEIGHT, WIDTH, components="Z"),
        "line, 10-30 s": TraceView(HEIGHT, WIDTH, BANDS[1:2], components="Z"),
        "three stacked bands": TraceView(HEIGHT, WIDTH, BANDS, stack="all", components="Z"),
        "log spectrogram, 64 x 192": SpectrogramView(64, WIDTH, components="Z"),
        "log spectrogram": SpectrogramView(HEIGHT, WIDTH, components="Z"),
        "linear spectrogram": SpectrogramView(HEIGHT, WIDTH, (0.0, 0.95), axis="linear", components="Z"),
    }
    ours = {f"seisvision {name}": ((lambda _, view=view: view(batch)), count) for name, view in views.items()}
    for name in ("log spectrogram", "linear spectrogram"):
        ours[f"transforms of {name} alone"] = (transforms_of(views[name], batch), count)
    theirs = {
        obspy_name(kind, size): ((lambda turn, k=kind, s=size: obspy_pixels(waveform[turn % count], k, s)), 1)
        for kind, own in KINDS.items()
        for size in ((WIDTH, HEIGHT), own)
    }
    return theirs | ours


def transforms_of(view: SpectrogramView, batch: dict) -> Callable[[int], object]:
    """The Fourier transforms that ``view`` does for ``batch``, on numbers that lie ready, in the quickest way."""
    real, inverse = torch.fft.rfft, torch.fft.ifft
    shapes: list[tuple[bool, torch.Size]] = []

    def seen(is_real: bool, values: torch.Tensor, **said: Any) -> torch.Tensor:
        shapes.append((is_real, values.shape))
        return (real if is_real else inverse)(values, **said)

    with patch.object(torch.fft, "rfft", partial(seen, True)), patch.object(torch.fft, "ifft", partial(seen, False)):
        view(batch)
    series = {shape: torch.randn(shape) for is_real, shape in shapes if is_real}
    bands = {shape: torch.randn(shape, dtype=torch.complex64) for is_real, shape in shapes if not is_real}

    def transform(_: int) -> None:
        for is_real, shape in shapes:
            real(series[shape]) if is_real else inverse(bands[shape], norm="forward")

    return transform


def measure(batch: dict, repeats: int) -> dict[str, Spent]:
    """Milliseconds per picture of every competitor, in turns."""
    running = competitors(batch)
    actions, pictures = ({name: pair[part] for name, pair in running.items()} for part in (0, 1))
    return in_turns(actions, repeats, pictures)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=64, help="traces per batch")
    parser.add_argument("--repeats", type=int, default=9, help="turns of every competitor")
    parser.add_argument("--json", action="store_true", help="print JSON in place of a table")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    mpl.use("Agg")
    about = machine()
    results = {
        name: one.as_dict() for name, one in measure(synthetic_traces(arguments.batch), arguments.repeats).items()
    }
    for name, result in results.items():
        kind = next((kind for kind in KINDS if kind in name), "plot")
        for size, words in (((WIDTH, HEIGHT), "same size"), (KINDS[kind], "its own size")):
            result[f"times faster than ObsPy, {words}"] = results[obspy_name(kind, size)]["cpu_ms"] / result["cpu_ms"]
    if arguments.json:
        print(json.dumps({"machine": about, "batch": arguments.batch, "results": results}, indent=2))
        return
    print(f"{told(about)}; {arguments.repeats} turns of {arguments.batch} traces")
    print(f"{'ms a picture':36s} {'cpu':>8s} {'(least to largest)':>20s} {'wall':>8s} | times faster than ObsPy at")
    print(f"{'':74s} | {'same size':>10s} {'own size':>9s}")
    for name, result in results.items():
        same, own = (value for key, value in result.items() if key.startswith("times"))
        ends = f"({result['cpu_least_ms']:.3f} to {result['cpu_largest_ms']:.3f})"
        print(f"{name:36s} {result['cpu_ms']:8.3f} {ends:>20s} {result['wall_ms']:8.3f} | {same:10.1f} {own:9.1f}")


if __name__ == "__main__":
    main()
