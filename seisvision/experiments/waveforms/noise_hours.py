"""Hours of noise at the stations of a simulated network, on which every alert is a false one."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import torch

from seisvision import keys
from seisvision.data.samples.network import StationNetwork
from seisvision.data.serving.collate import collate_events
from seisvision.data.synthesis_local.generator import LocalEventGenerator
from seisvision.data.synthesis_local.parameters import LocalSynthesisParameters
from seisvision.errors import ConfigurationError

FIRST_INDEX = 10_000_000
"""Of the records of noise: beyond the events of any set, so that none of them has been learnt from."""
HOUR_S = 3600.0
MOST_HOURS = 24.0
"""Recordings are held in memory: 0.03 GB an hour of 30 stations at 20 Hz."""


def noise_batches(
    card: dict[str, Any],
    network: StationNetwork,
    rate_hz: float,
    length_s: float,
    hours: float,
    components: str = keys.COMPONENTS,
    batch_size: int = 16,
) -> list[dict[str, Any]]:
    """Batches of records of noise, as sets serve them, of the stations of a network.

    Args:
        card: of the set that the network was trained on, with the parameters of its simulation.
        network: the stations; each keeps its slot.
        rate_hz: of the samples.
        length_s: of a record.
        hours: in all; the last record is whole.
        components: and their order, of Z, N and E.
        batch_size: records of a batch.

    Raises:
        ConfigurationError: the set was not simulated about a network at this rate, or the hours are not allowed.
    """
    if not 0 < hours <= MOST_HOURS:
        raise ConfigurationError(f"--noise-hours {hours:g} is not allowed; give hours above 0, at most {MOST_HOURS:g}.")
    given = card.get("parameters") or {}
    names = {field.name for field in fields(LocalSynthesisParameters)} & set(given)
    stated: dict[str, Any] = {
        name: tuple(given[name]) if isinstance(given[name], list) else given[name] for name in names
    }
    if not stated.get("network_km") or stated.get("sampling_rate_hz") != rate_hz:
        raise ConfigurationError(
            "--noise-hours simulates noise at the stations of a set that was simulated (dataset=synthetic_network), at "
            "its own rate; of recordings give a set with records of noise instead."
        )
    parameters = replace(LocalSynthesisParameters(**stated), length_s=length_s, lead_s=(0.0, 0.0))
    generator, records = LocalEventGenerator(parameters), []
    order = [keys.COMPONENTS.index(letter) for letter in components]
    slot_of = {name.rpartition(".")[2]: slot for slot, name in enumerate(network.names)}
    for number in range(int(np.ceil(hours * HOUR_S / length_s))):
        geometry, waveforms = generator.noise_alone(FIRST_INDEX + number)
        # Stations that the network does not know have no slot, as in its training.
        slots = [slot_of.get(code, -1) for code in geometry.station_code.tolist()]
        known = np.flatnonzero(np.array(slots) >= 0)
        here = [slots[k] for k in known.tolist()]
        records.append(_record(f"noise-{number:06d}", network, rate_hz, here, waveforms[known][:, order]))
    return [collate_events(records[k : k + batch_size]) for k in range(0, len(records), batch_size)]


def _record(
    name: str, network: StationNetwork, rate_hz: float, slots: list[int], waveforms: np.ndarray
) -> dict[str, Any]:
    n = len(network)
    samples = torch.zeros(n, *waveforms.shape[1:])
    samples[slots] = torch.from_numpy(waveforms.astype(np.float32))
    there = torch.zeros(n, dtype=torch.bool)
    there[slots] = True
    unknown = torch.full((n,), torch.nan)
    per_station = (keys.OFFSET_KM, keys.AZIMUTH_DEG, keys.BACK_AZIMUTH_DEG, keys.ONSET_S, keys.START_S)
    return {
        keys.WAVEFORM: samples,
        keys.STATION_MASK: there,
        keys.COMPONENT_MASK: there[:, None].expand(n, waveforms.shape[1]).clone(),
        **dict.fromkeys(per_station, unknown),
        keys.ARRIVALS_S: torch.full((n, 2), torch.nan),
        keys.STATION_KM: torch.from_numpy(network.place_km),
        keys.SAMPLING_RATE_HZ: rate_hz,
        keys.SOURCE_ID: name,
        keys.TARGETS: {},
    }
