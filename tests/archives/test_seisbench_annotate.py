"""The same weights give the same curves here and in SeisBench's ``annotate``, gaps and edges included."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ricker_archives import DAY_NS, record, write_mseed

from seisvision.archives.day_picking import DayPicker
from seisvision.archives.reading.listing import list_archive
from seisvision.archives.reading.sensor_days import plan_days
from seisvision.archives.settings import PickSettings
from seisvision.data.importing.tables.times import NS

models = pytest.importorskip("seisbench.models", reason="SeisBench is an extra")
obspy = pytest.importorskip("obspy")
RATE_HZ = 100.0
OVERLAP = 1500


class FromSeisBench(torch.nn.Module):
    """A model of SeisBench asked window by window, as its ``annotate`` prepares them."""

    phases = ("P", "S")
    sampling_rate_hz = RATE_HZ

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model.eval()
        self.n_samples, self.components = model.in_samples, model.component_order
        self.curve_names = tuple(model.labels)

    def curves(self, windows: torch.Tensor) -> torch.Tensor:
        prepared = windows - windows.mean(-1, keepdim=True)
        return self.model(prepared / (prepared.std(-1, keepdim=True, unbiased=False) + 1e-10))


@pytest.fixture(scope="module")
def model() -> Any:
    torch.manual_seed(0)
    return models.PhaseNet(phases="NPS", component_order="ZNE", norm="std")


def write(folder: Path, pieces: dict[str, list[tuple[float, float]]]) -> Any:
    """Channels with samples between the given seconds, as files and as an ObsPy stream."""
    stream = obspy.Stream()
    for seed, (letter, spans) in enumerate(pieces.items()):
        onsets = [DAY_NS + at * NS for at in range(20, 600, 45)]
        samples = record(RATE_HZ, DAY_NS, round(600 * RATE_HZ), onsets, seed)
        cut = []
        for begin_s, end_s in spans:
            part = samples[round(begin_s * RATE_HZ) : round(end_s * RATE_HZ)]
            start_ns = DAY_NS + round(begin_s * NS)
            cut.append((start_ns, RATE_HZ, part))
            header = {"network": "XX", "station": "AAA", "channel": f"HH{letter}", "sampling_rate": RATE_HZ}
            stream.append(obspy.Trace(part.astype(np.float64), {**header, "starttime": obspy.UTCDateTime(ns=start_ns)}))
        write_mseed(folder / f"{letter}.mseed", ("XX", "AAA", "", f"HH{letter}"), cut)
    return stream


def ours(folder: Path, model: Any, stack: str) -> np.ndarray:
    days, _ = plan_days(list_archive([str(folder)])[0])
    overlap = OVERLAP / model.in_samples
    picker = DayPicker(FromSeisBench(model), PickSettings(windows="blocks", stack=stack, overlap=overlap, blind_s=0.0))
    ((owned, grid),) = picker.grids(days[0])
    return picker.curves(grid, grid.known.any(axis=0), owned, days[0].day).stacked


def theirs(stream: Any, model: Any, stack: str, length: int) -> np.ndarray:
    """Their curves on our samples, 0 where they have none."""
    how = {"mean": "avg", "max": "max"}[stack]
    annotated = model.annotate(stream, overlap=OVERLAP, stacking=how, blinding=(0, 0))
    curves = np.zeros((2, length), dtype=np.float32)
    for row, phase in enumerate("PS"):
        for trace in annotated.select(channel=f"*_{phase}"):
            first = round((trace.stats.starttime.ns - DAY_NS) * RATE_HZ / NS)
            curves[row, first : first + len(trace)] = np.ma.filled(trace.data, 0)
    return curves


WHOLE = [(0.0, 600.0)]
CASES = {
    "unbroken": dict.fromkeys("ZNE", WHOLE),
    "a_gap_of_all": {letter: [(0.0, 200.0), (230.5, 600.0)] for letter in "ZNE"},
    "a_gap_of_one": {"Z": WHOLE, "N": [(0.0, 200.0), (215.0, 600.0)], "E": WHOLE},
    "a_short_block": {letter: [(0.0, 200.0), (230.0, 250.0), (300.0, 600.0)] for letter in "ZNE"},
    "one_component_missing": dict.fromkeys("ZN", WHOLE),
}


@pytest.mark.parametrize(("case", "stack"), [*((case, "mean") for case in CASES), ("a_gap_of_one", "max")])
def test_curves_are_those_of_annotate(tmp_path: Path, model: Any, case: str, stack: str) -> None:
    stream = write(tmp_path, CASES[case])
    mine = ours(tmp_path, model, stack)
    other = theirs(stream, model, stack, mine.shape[1])
    # Theirs may add up to more than one where maxima of different windows meet; ours are scaled there.
    other /= np.maximum(other.sum(axis=0), 1)
    np.testing.assert_allclose(mine, other, atol=1e-4)
    assert (mine > 0.05).any()
