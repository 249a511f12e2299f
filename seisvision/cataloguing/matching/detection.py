"""Detections of a piece of the archive: where stacked correlations stand out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from seisvision.cataloguing.job import CatalogueJob
from seisvision.cataloguing.matching.correlation import Templates, network_correlation
from seisvision.cataloguing.recordings import band_passed
from seisvision.data.importing.tables.times import DAY_S, NS

MARGIN_S = 10.0
"""Read on both sides, so that filters have settled."""


@dataclass(frozen=True, order=True)
class Detection:
    """A place where a template stands out.

    Args:
        origin_ns: time of the reference of the template, its origin time.
        template: number.
        clarity: median absolute deviations above the median.
        correlation: mean over the channels that have a say.
        n_channels: these.
    """

    origin_ns: int
    template: int
    clarity: float
    correlation: float
    n_channels: int


def pieces(job: CatalogueJob) -> list[int]:
    """Start times of the pieces of the archive, on a grid that does not depend on it."""
    step = round(job.settings.match.piece_s * NS)
    day_ns = DAY_S * NS
    return [day * day_ns + at for day in job.recordings.days for at in range(0, day_ns, step)]


def detect(job: CatalogueJob, start_ns: int, templates: Templates, device: str = "cpu") -> list[Detection]:
    """Detections with origin times in the piece."""
    how, rate = job.settings.match, job.settings.cut.rate_hz
    length, margin = templates.samples.shape[-1], round(MARGIN_S * rate)
    end_ns = min(start_ns + round(how.piece_s * NS), (start_ns // (DAY_S * NS) + 1) * DAY_S * NS)
    owned = round((end_ns - start_ns) / NS * rate)
    after = int(templates.delay[templates.used].max().item()) + length if len(templates) else 0
    before = max(0, -int(templates.delay[templates.used].min())) if len(templates) else 0
    n_samples = owned + after + before + 2 * margin
    begin_ns = start_ns - round((before + margin) / rate * NS)
    names = job.network.station_id
    samples = np.zeros((3 * len(names), n_samples), np.float32)
    known = np.zeros(samples.shape, bool)
    for station, name in enumerate(names):
        found = job.recordings.window(name, begin_ns, n_samples)
        if found is None or not found.known.any():
            continue
        rows = slice(3 * station, 3 * station + 3)
        samples[rows] = band_passed(found.samples, found.known, rate, how.band_hz)
        known[rows] = found.known
    if not known.any():
        return []
    inside = slice(before + margin, before + margin + owned)
    n_used = templates.used.sum(1)
    detections: list[Detection] = []
    data, mask = torch.from_numpy(samples).to(device), torch.from_numpy(known).to(device)
    for some, stack, counts in network_correlation(data, mask, templates):
        for row, template in enumerate(range(some.start, some.stop)):
            number = float(n_used[template].item())
            heard = torch.full_like(stack[row, inside], number) if counts is None else counts[row, inside].float()
            # Fewer channels are noisier: their sum over the root of their number is as noisy as with all.
            level = stack[row, inside] / (heard.clamp_min(1) * number).sqrt()
            for at, clarity in _standing_out(level, heard, how.mad, how.fewest_stations, round(how.apart_s * rate)):
                count = int(heard[at])
                correlation = float(stack[row, inside.start + at]) / count
                if correlation >= how.least_correlation:
                    origin_ns = start_ns + round(at / rate * NS)
                    detections.append(Detection(origin_ns, template, clarity, correlation, count))
    return sorted(detections)


def _standing_out(
    level: torch.Tensor, heard: torch.Tensor, mad: float, fewest: int, apart: int
) -> list[tuple[int, float]]:
    """Places and clarity of the highest values of every stretch above the threshold."""
    usable = level[heard >= fewest]
    if len(usable) < 2 * apart:
        return []
    middle = usable.median()
    spread = float((usable - middle).abs().median())
    if spread <= 0:
        return []
    clarity = (level - middle) / spread
    places = ((clarity > mad) & (heard >= fewest)).nonzero()[:, 0]
    if not len(places):
        return []
    places_np, heights = places.cpu().numpy(), clarity[places].cpu().numpy()
    found = []
    for stretch in np.split(np.arange(len(places_np)), np.flatnonzero(np.diff(places_np) > apart) + 1):
        best = stretch[int(heights[stretch].argmax())]
        found.append((int(places_np[best]), float(heights[best])))
    return found


def merged(detections: list[Detection], apart_s: float) -> list[Detection]:
    """Of detections whose origin times are closer than ``apart_s`` the clearest."""
    kept: list[Detection] = []
    times: list[int] = []
    for one in sorted(detections, key=lambda each: (-each.clarity, each)):
        at = int(np.searchsorted(times, one.origin_ns))
        near = [times[number] for number in (at - 1, at) if 0 <= number < len(times)]
        if all(abs(one.origin_ns - other) >= apart_s * NS for other in near):
            times.insert(at, one.origin_ns)
            kept.append(one)
    return sorted(kept)


def stored(detections: list[Detection]) -> list[list[Any]]:
    """Plain values."""
    return [[*vars(one).values()] for one in detections]
