"""Templates from windows of events: P on the vertical, S on the horizontals, of the channels that stand out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from seisvision.cataloguing.job import CatalogueJob
from seisvision.cataloguing.matching.correlation import Templates
from seisvision.cataloguing.windows import Events, banded_windows, windows_of
from seisvision.data.importing.tables.times import NS

PHASE_OF = (0, 1, 1)
"""Phase (P, S) whose arrival the window of Z, N and E follows."""
NOISE_S = (1.0, 5.0)
"""The noise is that from so long to so long before P."""


@dataclass(frozen=True)
class TemplateSet:
    """Templates of events; channels are stations times Z, N, E.

    Attributes:
        rows: (K,) numbers of the events.
        templates: delays count from the origin time of the event, in samples.
        left_out: event id and why it is no template.
    """

    rows: np.ndarray
    templates: Templates
    left_out: list[tuple[str, str]]


def make_templates(job: CatalogueJob, events: Events) -> TemplateSet:
    """A template of every event that enough stations saw."""
    how, rate = job.settings.match, job.settings.cut.rate_hz
    length, lead = round(how.length_s * rate), round(how.lead_s * rate)
    n_channels = 3 * len(job.network.station_id)
    pieces, delays, masks, rows = [], [], [], []
    left_out: list[tuple[str, str]] = []
    for row in range(len(events)):
        raw = windows_of(job, events, row)
        lines = banded_windows(job, events, row, how.band_hz)
        samples = np.zeros((n_channels, length), np.float32)
        delay, snr = np.zeros(n_channels, np.int64), np.zeros(n_channels)
        for station in np.flatnonzero(raw.start_ns):
            start_ns = int(raw.start_ns[station])
            p = round((int(events.arrival_ns[row, station, 0]) - start_ns) / NS * rate)
            quiet = slice(max(0, p - round(NOISE_S[1] * rate)), max(0, p - round(NOISE_S[0] * rate)))
            for component, phase in enumerate(PHASE_OF):
                at = round((int(events.arrival_ns[row, station, phase]) - start_ns) / NS * rate) - lead
                known = raw.known[station, component]
                piece = lines[station, component, at : at + length]
                if at < 0 or len(piece) < length or not known[at : at + length].all() or not known[quiet].any():
                    continue
                noise = np.sqrt(np.mean(lines[station, component, quiet] ** 2))
                channel = 3 * station + component
                snr[channel] = np.sqrt(np.mean(piece**2)) / max(float(noise), 1e-30)
                samples[channel] = piece
                delay[channel] = round((start_ns - int(events.origin_ns[row])) / NS * rate) + at
        chosen = np.argsort(-snr, kind="stable")[: how.most_channels]
        used = np.zeros(n_channels, bool)
        used[chosen] = snr[chosen] >= how.least_snr
        n_stations = len(np.unique(np.flatnonzero(used) // 3))
        if n_stations < how.fewest_stations:
            told = f"{n_stations} stations stand out of the noise, {how.fewest_stations} are needed"
            left_out.append((str(events.event_id[row]), told))
            continue
        rows.append(row)
        pieces.append(samples)
        delays.append(delay)
        masks.append(used)
    shape = (0, n_channels)
    templates = Templates(
        torch.from_numpy(np.stack(pieces) if rows else np.zeros((*shape, length), np.float32)),
        torch.from_numpy(np.stack(delays) if rows else np.zeros(shape, np.int64)),
        torch.from_numpy(np.stack(masks) if rows else np.zeros(shape, bool)),
    )
    return TemplateSet(np.array(rows, int), templates, left_out)
