"""What an archive costs beside the bare network: time of a day, of a day with thousands of gaps, memory over days.

    python benchmarks/picking.py [--hours 24] [--rounds 3] [--days 3] [--rate 100]

One process and one thread, all in turn: the network alone on the windows of the day, the day through the house, the
day with 5,000 gaps. Medians of the rounds with the least and the largest, of the processor; wall time too, in which
reading goes on beside computing where there is a second processor. A child process tells how much memory days take
beside torch and the network.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pymseed
import torch
from measuring import in_turns, spread, tell_machine

from seisvision.archives.day_picking import DayPicker
from seisvision.archives.reading.listing import list_archive
from seisvision.archives.reading.sensor_days import SensorDay, plan_days
from seisvision.archives.settings import PickSettings
from seisvision.data.importing.tables.times import DAY_S, NS, time_ns
from seisvision.models.waveforms.unet1d import UNet1d
from seisvision.tasks.pick_network import PickNetwork, phasenet_of

DAY_NS = time_ns("2020-03-01T00:00:00Z")
GAPS_A_DAY = 5000
GAP_S = 0.8


def network() -> PickNetwork:
    """PhaseNet's size, with weights that nothing has trained: it takes as long."""
    torch.manual_seed(0)
    weights = dict(UNet1d(3, 3000).state_dict())
    return phasenet_of(weights | {"out.weight": torch.randn(3, 8, 1), "out.bias": torch.tensor([3.0, 0.0, 0.0])})


class Recorder:
    """Passes windows on to a network, and keeps them."""

    def __init__(self, inner: PickNetwork) -> None:
        self.inner, self.seen = inner, list[torch.Tensor]()

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def curves(self, windows: torch.Tensor) -> torch.Tensor:
        """As the network does."""
        self.seen.append(windows.clone())
        return self.inner.curves(windows)


def write_days(folder: Path, days: int, hours: float, rate_hz: float, gaps: int) -> list[SensorDay]:
    """Noise of three components, in files of a day; with so many gaps in 24 hours."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    n_samples = round(hours * 3600 * rate_hz)
    breaks = np.sort(rng.uniform(0, hours * 3600, round(gaps * hours / 24)))
    for day in range(days):
        start_ns = DAY_NS + day * DAY_S * NS
        for letter in "ZNE":
            samples = rng.normal(0, 500, n_samples).astype(np.int32)
            name = f"XX.AAA..HH{letter}.D.2020.{61 + day:03d}"
            begin = 0
            for at in [*breaks, np.inf]:
                end = int(min(at * rate_hz, n_samples))
                if end > begin:
                    _append(folder / name, f"FDSN:XX_AAA__H_H_{letter}", samples[begin:end], rate_hz, start_ns, begin)
                begin = int(min((at + GAP_S) * rate_hz, n_samples))
    return plan_days(list_archive([str(folder)])[0])[0]


def _append(path: Path, source: str, samples: np.ndarray, rate_hz: float, start_ns: int, begin: int) -> None:
    with pymseed.MS3TraceList() as traces:
        traces.add_data(source, samples, "i", rate_hz, starttime=start_ns + round(begin / rate_hz * NS))
        traces.to_file(path, format_version=2, max_record_length=512)


def compare(folder: Path, hours: float, rounds: int, rate_hz: float) -> None:
    plain = write_days(folder / "plain", 1, hours, rate_hz, 0)[0]
    broken = write_days(folder / "broken", 1, hours, rate_hz, GAPS_A_DAY)[0]
    recorder = Recorder(network())
    DayPicker(recorder, PickSettings()).pick(plain)
    windows = recorder.seen
    picker = DayPicker(recorder.inner, PickSettings())

    def alone() -> None:
        with torch.inference_mode():
            for batch in windows:
                recorder.inner.curves(batch)

    works = {
        "network alone": lambda _: alone(),
        "day": lambda _: picker.pick(plain),
        "day, 5,000 gaps": lambda _: picker.pick(broken),
    }
    spent = in_turns(works, rounds, are_short=False)
    medians = {name: (one.median_ms / 1e3, statistics.median(one.wall_ms) / 1e3) for name, one in spent.items()}
    print(f"{hours:g} h at {rate_hz:g} Hz, {sum(map(len, windows))} windows, {rounds} rounds")
    for name, one in spent.items():
        against = [here / there for here, there in zip(medians[name], medians["network alone"], strict=True)]
        cpu = spread([ms / 1e3 for ms in one.cpu_ms], " s of processor")
        print(f"{name:18s} {cpu:32s} {against[0]:.3f}x, {medians[name][1]:8.2f} s of wall {against[1]:.3f}x")
    gaps = [here / there for here, there in zip(medians["day, 5,000 gaps"], medians["day"], strict=True)]
    print(f"5,000 gaps against none: {gaps[0]:.3f}x of processor, {gaps[1]:.3f}x of wall")


def memory(folder: Path, days: int, hours: float, rate_hz: float) -> None:
    """Peaks in a process of its own, day after day."""
    write_days(folder / "days", days, hours, rate_hz, 0)
    subprocess.run([sys.executable, __file__, "--memory", str(folder / "days")], check=True)


def peak_mb() -> float:
    """Largest resident memory of this process so far."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


def tell_memory(folder: Path) -> None:
    """Be that process."""
    torch.set_num_threads(1)
    net = network()
    with torch.inference_mode():
        net.curves(torch.zeros(1, 3, 3000))
    before = peak_mb()
    print(f"torch and network: {before:.0f} MB")
    picker = DayPicker(net, PickSettings())
    for sensor_day in plan_days(list_archive([str(folder)])[0])[0]:
        picker.pick(sensor_day)
        peak = peak_mb()
        print(f"after {sensor_day.date}: {peak - before:.0f} MB beside them")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=24.0, help="of recording a day")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--days", type=int, default=3, help="for the memory")
    parser.add_argument("--rate", type=float, default=100.0, help="of the recordings")
    parser.add_argument("--memory", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.memory is not None:
        tell_memory(asked.memory)
        return
    torch.set_num_threads(1)
    tell_machine()
    with tempfile.TemporaryDirectory() as folder:
        compare(Path(folder), asked.hours, asked.rounds, asked.rate)
        memory(Path(folder), asked.days, asked.hours, asked.rate)


if __name__ == "__main__":
    main()
