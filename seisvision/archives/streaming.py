"""An archive replayed for networks over many stations: windows about triggers, which come in packet by packet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seisvision import keys
from seisvision.archives.network_reading import NetworkArchive
from seisvision.data.importing.tables.station_table import read_stations
from seisvision.data.importing.tables.times import NS
from seisvision.data.samples.network import StationNetwork
from seisvision.data.serving.collate import collate_events
from seisvision.errors import ConfigurationError
from seisvision.evaluation.warning.censored import CensoredLocator
from seisvision.evaluation.warning.one_source import TriedPlaces
from seisvision.evaluation.warning.said import Truth
from seisvision.experiments.waveforms.derive import stored_network
from seisvision.experiments.waveforms.early_warning import (
    NetworkEstimator,
    Recordings,
    check_asked_early,
    name_of,
    travel_times,
)
from seisvision.experiments.waveforms.settings import cut_settings
from seisvision.experiments.waveforms.trained import TrainedNetwork
from seisvision.picking.channel_onsets import LOCAL_STATIONS, all_onsets
from seisvision.records.checkpoint import find_checkpoint

PIECE_S = 600.0
HEARD_SHARE = 0.5
"""Of what the best station has of a piece, from which on a station counts as recorded."""
SETTLING_S = 30.0
"""Read before every piece, until filters and averages have forgotten where it begins."""


@dataclass(frozen=True)
class Declared:
    """What is taken for an event: enough stations whose triggers fit one source."""

    first_ns: int
    """The earliest of these triggers."""
    told_ns: int
    """The last of them, before which nobody is asked."""


@dataclass(frozen=True)
class Heard:
    """Which stations were recorded piece by piece: the silence of others tells nothing."""

    begins_ns: np.ndarray
    """(M,) of the pieces."""
    is_heard: np.ndarray
    """(M, S)."""

    def at(self, time_ns: int) -> np.ndarray:
        """Stations (S,) that were recorded at a time."""
        piece = int(np.searchsorted(self.begins_ns, time_ns, side="right")) - 1
        return np.asarray(self.is_heard[max(0, piece)])


@dataclass(frozen=True)
class Layout:
    """What the windows of a training are made of, which those of an archive must be made of, too."""

    network: StationNetwork
    rate_hz: float
    n_samples: int
    components: str

    @property
    def windows(self) -> tuple[tuple[str, ...], float, int]:
        """What runs must have in common to be asked about the same recordings."""
        return self.network.names, self.rate_hz, self.n_samples

    @classmethod
    def of(cls, run: Path, trained: TrainedNetwork) -> Layout:
        """As a checkpoint says.

        Raises:
            ConfigurationError: it does not know stations or their rate.
        """
        network = stored_network(trained).get("network")
        rate_hz = trained.sampling_rate_hz
        if network is None or rate_hz is None:
            raise ConfigurationError(
                f"{run} does not say which stations it was trained on, and at which rate; give runs that were trained "
                "with dataset.samples.network={stations: training}."
            )
        view = trained.task.view
        length_s = float(cut_settings(trained.config, view)["window"]["length_s"])
        return cls(network, rate_hz, round(length_s * rate_hz), view.components)


def archive_recordings(
    runs: Sequence[Path], patterns: Iterable[str], lead_s: float, velocity: str | None, stations: str | None = None
) -> tuple[Recordings, np.ndarray]:
    """The networks of runs, and triggers with a locator, about what triggers the stations of an archive.

    Nothing is known of what happened, so that places and magnitudes of the truth are NaN, and the first P is the first
    trigger.

    Args:
        runs: trained on the same stations, windows and rate.
        patterns: of the archive.
        lead_s: seconds of a window before the first trigger.
        velocity: of the locator, as ``seisvision early-warning`` takes it.
        stations: StationXML or a table with sensitivities and angles of channels.

    Returns:
        Recordings, and the seconds (N,) of each from which on somebody is asked.

    Raises:
        ConfigurationError: a run is not fit for it, or runs were trained on different windows.
        DataError: the archive has none of the stations.
    """
    opened = [TrainedNetwork.open(find_checkpoint(run)) for run in runs]
    layouts = [Layout.of(run, trained) for run, trained in zip(runs, opened, strict=True)]
    layout = layouts[0]
    for run, trained, other in zip(runs, opened, layouts, strict=True):
        check_asked_early(run, trained)
        if other.windows != layout.windows:
            raise ConfigurationError(
                f"{run} was trained on other stations or windows than {runs[0]}; replay it by a command of its own."
            )
    length_s = layout.n_samples / layout.rate_hz
    if not 0 < lead_s < length_s:
        raise ConfigurationError(f"--lead {lead_s:g} must lie within the window of {length_s:g} s.")
    table, limits_km = travel_times({}, velocity)
    archive = NetworkArchive(patterns, layout.network.names, layout.rate_hz, read_stations(stations).channels)
    onsets_ns, heard = network_triggers_ns(archive)
    places = TriedPlaces.about(np.array(layout.network.latitude_deg), np.array(layout.network.longitude_deg), table)
    declared = list(declared_events(onsets_ns, places, length_s - lead_s, heard))
    # Windows begin at samples of the grid.
    firsts = [round((one.first_ns / NS - lead_s) * layout.rate_hz) for one in declared]
    begin_ns = np.array([round(first / layout.rate_hz * NS) for first in firsts], dtype=np.int64)

    @cache
    def batches(components: str) -> list[dict[str, Any]]:
        return [collate_events([_sample(archive, layout, begin, components)]) for begin in begin_ns.tolist()]

    estimators = [
        NetworkEstimator(name_of(run, runs), one.task, partial(batches, other.components))
        for run, one, other in zip(runs, opened, layouts, strict=True)
    ]
    first_s, told_s = (
        (np.array([getattr(one, name) for one in declared], dtype=np.int64) - begin_ns) / NS
        for name in ("first_ns", "told_ns")
    )
    onset_s, is_heard = _heard(declared, onsets_ns, begin_ns, batches(keys.COMPONENTS), layout)
    latitude, longitude = (
        np.where(is_heard, np.array(degrees), np.nan)
        for degrees in (layout.network.latitude_deg, layout.network.longitude_deg)
    )
    nothing = np.full(len(declared), np.nan)
    names = [str(number) for number in range(1, len(declared) + 1)]
    truth = Truth(names, nothing, nothing, nothing, first_s, length_s, np.zeros(len(declared), bool))
    locator = CensoredLocator(latitude, longitude, onset_s, table, depth_limits_km=limits_km)
    # Statements are made when the last sample that they are made of has come in.
    return Recordings([*estimators, locator], truth, begin_ns + round(archive.delay_s * NS)), told_s


def _heard(
    declared: Sequence[Declared],
    onsets_ns: Sequence[np.ndarray],
    begin_ns: np.ndarray,
    batches: Sequence[dict[str, Any]],
    layout: Layout,
) -> tuple[np.ndarray, np.ndarray]:
    """Triggers (N, S, 1) after the begin of each window, NaN for none, and which stations (N, S) would have been heard.

    A station whose recording is missing when an event is declared is not silent: it says nothing.
    """
    onset_s = np.full((len(declared), len(layout.network), 1), np.nan)
    is_heard = np.zeros(onset_s.shape[:2], dtype=bool)
    for row, (one, batch) in enumerate(zip(declared, batches, strict=True)):
        for station, times_ns in enumerate(onsets_ns):
            later_ns = times_ns[times_ns >= one.first_ns]
            if len(later_ns):
                onset_s[row, station, 0] = (later_ns[0] - begin_ns[row]) / NS
        told = round((one.told_ns - begin_ns[row]) / NS * layout.rate_hz)
        lately = batch[keys.WAVEFORM][0, :, 0, max(0, told - round(layout.rate_hz)) : told + 1]
        is_heard[row] = (lately != 0).any(-1).numpy()
    return onset_s, is_heard


def network_triggers_ns(archive: NetworkArchive) -> tuple[list[np.ndarray], Heard]:
    """Times of the triggers of every station's vertical component, in the order of the network, and who was heard."""
    found: list[list[int]] = [[] for _ in archive.names]
    begins_ns, heard = [], []
    rate_hz = archive.rate_hz
    settling = round(SETTLING_S * rate_hz)
    edges = np.arange(archive.begin_ns, archive.end_ns + round(PIECE_S * NS), round(PIECE_S * NS))
    for begin_ns, end_ns in pairwise(edges.tolist()):
        first, last = (round(at / NS * rate_hz) for at in (begin_ns, end_ns))
        begin = first - settling
        samples, known = archive.read(round(begin / rate_hz * NS), last - begin)
        for station, onsets in enumerate(all_onsets(samples[:, 0], known[:, 0], rate_hz, LOCAL_STATIONS)):
            own = onsets[onsets >= settling]
            found[station] += [round((begin + one) / rate_hz * NS) for one in own.tolist()]
        begins_ns.append(begin_ns)
        recorded = known[:, 0, settling:].mean(1)
        heard.append(recorded > HEARD_SHARE * recorded.max())
    onsets_ns = [np.array(sorted(times), dtype=np.int64) for times in found]
    return onsets_ns, Heard(np.array(begins_ns, dtype=np.int64), np.array(heard))


def declared_events(
    onsets_ns: Sequence[np.ndarray], places: TriedPlaces, quiet_s: float, heard: Heard
) -> Iterator[Declared]:
    """Events that :data:`FEWEST_TRIGGERS` stations declare whose triggers fit one source.

    A trigger that does not fit begins no window, and none is declared within ``quiet_s`` of the first trigger of
    another, or later than that after its own first trigger, when its window would be over.
    """
    longest_ns = round(min(float(places.travel_s.max()) + places.slack_s, quiet_s) * NS)
    triggers = sorted((int(at), number) for number, times in enumerate(onsets_ns) for at in times)
    at_ns, station = (np.array([one[k] for one in triggers], dtype=np.int64) for k in range(2))
    until_ns = None
    for last, now_ns in enumerate(at_ns.tolist()):
        if until_ns is not None and now_ns < until_ns:
            continue
        # Those of the event before are not part of this one.
        since_ns = now_ns - longest_ns if until_ns is None else max(now_ns - longest_ns, until_ns)
        first = int(np.searchsorted(at_ns, since_ns))
        time_s, there = (at_ns[first : last + 1] - now_ns) / NS, station[first : last + 1]
        agreeing = places.agreeing(time_s, there, heard.at(now_ns), (since_ns - now_ns) / NS, 0.0)
        # Nothing is declared by what came before: that it is not enough has been seen then.
        if agreeing[-1]:
            first_ns = int(at_ns[first : last + 1][agreeing].min())
            until_ns = first_ns + round(quiet_s * NS)
            yield Declared(first_ns, now_ns)


def _sample(archive: NetworkArchive, layout: Layout, begin_ns: int, components: str) -> dict[str, Any]:
    """A window of all stations, as sets serve them."""
    samples, known = archive.read(begin_ns, layout.n_samples)
    order = [keys.COMPONENTS.index(letter) for letter in components]
    n = len(layout.network)
    unknown = torch.full((n,), torch.nan)
    component_mask = torch.from_numpy(known[:, order].any(-1))
    return {
        keys.WAVEFORM: torch.from_numpy(np.where(known, samples, 0.0).astype(np.float32)[:, order]),
        keys.STATION_MASK: component_mask.any(1),
        keys.COMPONENT_MASK: component_mask,
        keys.OFFSET_KM: unknown,
        keys.AZIMUTH_DEG: unknown,
        keys.BACK_AZIMUTH_DEG: unknown,
        keys.ONSET_S: unknown,
        keys.ARRIVALS_S: torch.full((n, 2), torch.nan),
        keys.START_S: unknown,
        keys.STATION_KM: torch.from_numpy(layout.network.place_km),
        keys.SAMPLING_RATE_HZ: layout.rate_hz,
        keys.SOURCE_ID: str(begin_ns),
        keys.TARGETS: {},
    }
