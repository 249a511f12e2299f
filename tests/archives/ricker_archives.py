"""Archives of noise and Ricker wavelets, and a network that finds exactly these: a test can say what it must pick."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pymseed
import torch

from seisvision.archives.day_picking import DayPicker, DayResult
from seisvision.archives.reading.listing import list_archive
from seisvision.archives.reading.sensor_days import plan_days
from seisvision.archives.settings import PickSettings
from seisvision.data.importing.tables.times import NS, format_ns, time_ns

DAY_NS = time_ns("2020-03-01T00:00:00Z")
HALF_S = 0.4
PEAK_HZ = 3.0


def ricker(times_s: np.ndarray) -> np.ndarray:
    """Wavelet about time zero."""
    squared = (np.pi * PEAK_HZ * times_s) ** 2
    return (1 - 2 * squared) * np.exp(-squared)


class RickerNetwork(torch.nn.Module):
    """Correlation with the wavelet: P on Z, S on E.

    Both curves at a sample come from the 0.8 s around it alone, however the window is shifted.
    """

    phases = ("P", "S")
    curve_names = ("P", "S")

    def __init__(self, n_samples: int = 600, rate_hz: float = 20.0, components: str = "ZNE") -> None:
        super().__init__()
        self.n_samples, self.sampling_rate_hz, self.components = n_samples, rate_hz, components
        half = round(HALF_S * rate_hz)
        wavelet = torch.from_numpy(ricker(np.arange(-half, half + 1) / rate_hz)).double()
        wavelet = wavelet - wavelet.mean()
        self.register_buffer("wavelet", wavelet / wavelet.norm())

    def curves(self, windows: torch.Tensor) -> torch.Tensor:
        rows = [self.components.index(letter) for letter in "ZE" if letter in self.components]
        lines = windows[:, rows].double()
        lines = torch.cat([lines, torch.zeros_like(lines)], 1)[:, :2]
        n = len(self.wavelet)
        pad = torch.nn.functional.pad(lines, (n // 2, n // 2))
        pieces = pad.unfold(-1, n, 1)
        pieces = pieces - pieces.mean(-1, keepdim=True)
        size = pieces.norm(dim=-1).clamp_min(1000.0)
        return ((pieces @ self.wavelet) / size).clamp(0, 1).float()


def record(
    rate_hz: float,
    start_ns: int,
    n_samples: int,
    onsets_ns: Iterable[int],
    seed: int = 0,
    height: float = 2000.0,
    offset: float = 500.0,
) -> np.ndarray:
    """int32 samples: noise of 20 counts on an offset, with a wavelet at each onset."""
    samples = offset + np.random.default_rng(seed).normal(0, 20, n_samples)
    for onset in onsets_ns:
        centre = (onset - start_ns) * rate_hz / NS
        first, last = max(0, int(centre - rate_hz)), min(n_samples, int(centre + rate_hz) + 1)
        if last > first:
            samples[first:last] += height * ricker((np.arange(first, last) - centre) / rate_hz)
    return np.rint(samples).astype(np.int32)


def write_mseed(
    path: Path, codes: tuple[str, str, str, str], pieces: Sequence[tuple[int, float, np.ndarray]], version: int = 2
) -> Path:
    """Write pieces (start, rate, samples) of one channel, as one file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    for start_ns, rate_hz, samples in pieces:
        with pymseed.MS3TraceList() as traces:
            traces.add_data(pymseed.nslc2sourceid(*codes), samples, "i", rate_hz, starttime=start_ns)
            traces.to_file(path, format_version=version, max_record_length=512)
    return path


def sds_path(folder: Path, codes: tuple[str, str, str, str], day: str = "2020.061") -> Path:
    network, station, _, channel = codes
    return folder / day[:4] / network / station / f"{channel}.D" / f"{'.'.join(codes)}.D.{day}"


def pick_folder(
    folder: Path, network: torch.nn.Module | None = None, table: object = None, **settings: object
) -> DayResult:
    """Picks and losses of the one day of one sensor in a folder."""
    days, _ = plan_days(list_archive([str(folder)])[0])
    assert len(days) == 1, days
    picker = DayPicker(
        network or RickerNetwork(), PickSettings(**{"thresholds": {"P": 0.8, "S": 0.8}} | settings), table
    )
    return picker.pick(days[0])


def times(result: DayResult, phase: str) -> list[str]:
    return [format_ns(pick.time_ns) for pick in result.picks if pick.phase == phase]
