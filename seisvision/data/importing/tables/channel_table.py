"""Channels of stations by epoch: which way they point, and what their samples mean.

Standard: FDSN StationXML 1.2 (channel azimuth, dip, response); dip as in the SEED manual 2.4, blockette 52.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from seisvision.data.importing.formats.waveform_files import Segment
from seisvision.data.importing.rejections import Refusal
from seisvision.data.importing.sensors.channel_codes import clean_channel
from seisvision.data.importing.sensors.orientation import angle_deg, axis
from seisvision.data.importing.series.signals import Recording
from seisvision.data.importing.tables.text_tables import NAN
from seisvision.data.importing.tables.times import NS
from seisvision.data.importing.tables.units import ground_unit

Recorded = Segment | Recording
"""What has SEED codes, a time and perhaps a SAC header."""
SLACK_NS = NS
"""Files begin with the record that was open when the epoch began."""

ROUNDING_DEG, ROUNDING_FACTOR = 1.0, 1.01
"""Two descriptions of one channel may differ by that, as two data centres round."""
STAGES_FACTOR = 2.0
"""Sensitivities and the product of their stages rarely agree to the last digit."""


@dataclass(frozen=True)
class ChannelEpoch:
    """A channel as it was for some time.

    Args:
        location: None where the table does not say, so that it holds for every location.
        azimuth_deg: clockwise from north; NaN where it is not known.
        dip_deg: down from the horizontal; NaN where it is not known.
        response: obspy response, or None.
    """

    location: str | None
    start_ns: float
    end_ns: float
    azimuth_deg: float = NAN
    dip_deg: float = NAN
    response: Any = None

    @property
    def sensitivity(self) -> tuple[float, str]:
        """Counts per unit of input and the unit as the file spells it; NaN where there is none."""
        whole = getattr(self.response, "instrument_sensitivity", None)
        value = getattr(whole, "value", None)
        return NAN if value is None else float(value), str(getattr(whole, "input_units", None) or "")

    @property
    def gain(self) -> tuple[float, str]:
        """Sensitivity in counts per m, m/s or m/s**2, and that unit; as it is stated where it is of something else."""
        value, text = self.sensitivity
        factor, unit = ground_unit(text) or (1.0, text)
        return value / factor, unit

    def same_as(self, other: ChannelEpoch) -> bool:
        """Whether samples of both mean the same."""
        one, two = ([*epoch.sensitivity[:1], epoch.azimuth_deg, epoch.dip_deg] for epoch in (self, other))
        return np.array_equal(one, two, equal_nan=True) and self.sensitivity[1] == other.sensitivity[1]


@dataclass
class ChannelTable:
    """Epochs of channels by network, station and channel.

    Args:
        codes: names of channels in the files to SEED codes, as in the recipe.
    """

    codes: Mapping[str, str] = field(default_factory=dict)
    epochs: dict[tuple[str, str, str], list[ChannelEpoch]] = field(default_factory=dict)

    def add(
        self, network: str, station: str, location: str | None, channel: str, span: tuple[float, float], **what: Any
    ) -> None:
        """Add an epoch from start to end in ns; ``what`` are the other arguments of :class:`ChannelEpoch`."""
        place, code = clean_channel(channel, self.codes, location or "")
        epoch = ChannelEpoch(None if location is None and not place else place, *span, **what)
        self.epochs.setdefault((network, station, code), []).append(epoch)

    def find(self, item: Recorded) -> ChannelEpoch | None:
        """Epoch of a recording at its start; None where the table has none.

        A location that the table does not have is taken for the only one it has.

        Raises:
            Refusal: the table has several other locations, or the channel changed during the recording.
        """
        known = self._known(item)
        if not known:
            return None
        own = [epoch for epoch in known if epoch.location in (item.location, None)]
        if not own:
            own = _only_location(item, [epoch for epoch in known if _holds(epoch, item.start_ns)])
        current = _begun_last([epoch for epoch in own if _holds(epoch, item.start_ns)])
        if not current:
            return None
        found = current[0]
        if any(_point_apart(found, other) for other in current[1:]):
            reason = f"the stations say two directions of {item.trace_id} for one time"
            raise Refusal("station", "two_epochs", reason)
        for epoch in own:
            if item.start_ns + SLACK_NS < epoch.start_ns < item.end_ns and not epoch.same_as(found):
                reason = f"{item.trace_id} changed its sensor during the recording"
                raise Refusal("station", "epoch_boundary", reason)
        return found

    def at_other_times(self, item: Recorded) -> list[ChannelEpoch]:
        """Epochs of the channel, whenever they were."""
        return [epoch for epoch in self._known(item) if epoch.location in (item.location, None)]

    def borrowed_channel(self, item: Recorded) -> str:
        """NET.STA.LOC.CHA of the epoch of a recording where its location is another one, else empty."""
        try:
            epoch = self.find(item)
        except Refusal:
            return ""
        if epoch is None or epoch.location in (item.location, None):
            return ""
        return f"{item.network}.{item.station}.{epoch.location}.{item.channel}"

    def _known(self, item: Recorded) -> list[ChannelEpoch]:
        for network in (item.network, ""):
            if (network, item.station, item.channel) in self.epochs:
                return self.epochs[network, item.station, item.channel]
        return []

    def response(self, item: Recorded) -> tuple[Any, float, str]:
        """Response of a recording, with the factor of its input unit to metres and seconds and that unit.

        Raises:
            Refusal: the table has none at that time, or it is not that of ground motion.
        """
        epoch = self.find(item)
        if epoch is None or epoch.response is None:
            raise Refusal("processing", "no_response", f"no response of {item.trace_id} at that time")
        text = _input_units(epoch.response) or epoch.sensitivity[1]
        unit = ground_unit(text)
        if unit is None:
            reason = f"{item.trace_id} has the input unit '{text}', which is no ground motion"
            raise Refusal("processing", "not_ground_motion", reason)
        for other in self._beside(item, epoch):
            if other.response is not None and _gains_apart(epoch.gain, other.gain):
                stated = " and ".join(f"{gain:g} per {name}" for gain, name in (epoch.gain, other.gain))
                raise Refusal("station", "two_epochs", f"the stations say two gains of {item.trace_id}: {stated}")
        return epoch.response, *unit

    def _beside(self, item: Recorded, epoch: ChannelEpoch) -> list[ChannelEpoch]:
        """Epochs of the same location that hold from the same time on."""
        known = [other for other in self._known(item) if other.location == epoch.location]
        return [other for other in known if other.start_ns == epoch.start_ns and _holds(other, item.start_ns)]

    def plain_response(self, item: Recorded) -> Any:
        """Response of a recording from metres and seconds to counts: obspy guesses at units that it does not know.

        Raises:
            Refusal: as for :meth:`response`, or a response without stages, or with a gain of zero.
        """
        response, factor, unit = self.response(item)
        stages = response.response_stages
        gains = [stage.stage_gain for stage in stages]
        if not stages or any(gain is not None and not (np.isfinite(gain) and gain) for gain in gains):
            reason = f"the response of {item.trace_id} has " + ("a stage with a gain of 0" if stages else "no stages")
            raise Refusal("processing", "no_response", reason)
        if stages[0].input_units == unit.upper():
            return response
        response = deepcopy(response)
        response.response_stages[0].input_units = unit.upper()
        response.response_stages[0].stage_gain = (gains[0] or 1.0) / factor
        whole = response.instrument_sensitivity
        if whole is not None and whole.value is not None:
            whole.input_units, whole.value = unit.upper(), whole.value / factor
        return response

    def sensitivity(self, item: Recorded) -> tuple[float, str]:
        """Counts per m, m/s or m/s**2, with its sign, and that unit.

        Raises:
            Refusal: the table has none at that time, it is zero or no number, or it is not that of ground motion.
        """
        response, factor, unit = self.response(item)
        value = ChannelEpoch(None, 0, 0, response=response).sensitivity[0]
        if not np.isfinite(value) or value == 0:
            stated = "states no sensitivity" if np.isnan(value) else f"states a sensitivity of {value:g}"
            hint = "; a polynomial response has none" if getattr(response, "response_stages", None) else ""
            raise Refusal("processing", "no_response", f"the response of {item.trace_id} {stated}{hint}", value)
        gain = _check_against_stages(item, response, (value / factor, unit))
        return gain, unit

    def polarity(self, item: Recorded) -> float:
        """-1 where counts fall when the ground moves along the axis of the channel (negative sensitivity), else 1.

        Raises:
            Refusal: it is not known which epoch holds, and their signs differ.
        """
        try:
            return _sign(self.find(item))
        except Refusal:
            signs = {_sign(epoch) for epoch in self._known(item)}
            if len(signs) > 1:
                raise
            return signs.pop()


def within_limits(station_xml: bytes) -> bytes:
    """StationXML with azimuths brought into 0 to 360, and without azimuths and dips that are no angles."""

    def mended(match: re.Match[bytes]) -> bytes:
        value = float(match[3])
        if match[1] == b"Azimuth" and abs(value) <= 360:
            return b"<Azimuth%b>%f</Azimuth>" % (match[2], value % 360)
        return match[0] if match[1] == b"Dip" and abs(value) <= 90 else b""

    return re.sub(rb"<(Azimuth|Dip)([^>]*)>\s*([-+.\dEe]+)\s*</\1>", mended, station_xml)


def _holds(epoch: ChannelEpoch, time_ns: int) -> bool:
    return epoch.start_ns - SLACK_NS <= time_ns <= epoch.end_ns


def _sign(epoch: ChannelEpoch | None) -> float:
    return -1.0 if epoch is not None and epoch.sensitivity[0] < 0 else 1.0


def _begun_last(epochs: list[ChannelEpoch]) -> list[ChannelEpoch]:
    """Of epochs that are left open by mistake those that began last hold."""
    return [epoch for epoch in epochs if epoch.start_ns == max(other.start_ns for other in epochs)]


def _point_apart(one: ChannelEpoch, other: ChannelEpoch) -> bool:
    """Whether two epochs differ in direction or sign, by more than the rounding of two writers."""
    angles = (one.azimuth_deg, one.dip_deg, other.azimuth_deg, other.dip_deg)
    if one.sensitivity[0] * other.sensitivity[0] < 0:
        return True
    return bool(np.isfinite(angles).all()) and angle_deg(axis(*angles[:2]), axis(*angles[2:])) > ROUNDING_DEG


def _gains_apart(one: tuple[float, str], other: tuple[float, str], factor: float = ROUNDING_FACTOR) -> bool:
    """Whether two gains differ in unit or by more than a factor; one that is not known differs from none."""
    if np.isnan(one[0] + other[0]) or not one[0] * other[0]:
        return False
    return one[1] != other[1] or not 1 / factor <= one[0] / other[0] <= factor


def _check_against_stages(item: Recorded, response: Any, gain: tuple[float, str]) -> float:
    """The gain by the unit in which the sensitivity is stated, which may differ from that of the stages.

    Raises:
        Refusal: the stages, told at the same frequency, multiply to something else.
    """
    whole, stages = response.instrument_sensitivity, response.response_stages or []
    own = ChannelEpoch(None, 0, 0, response=response).gain
    stated = own if ground_unit(whole.input_units) is not None else gain
    if stated[1] != gain[1]:
        reason = f"the sensitivity of {item.trace_id} is per {stated[1]}, its first stage per {gain[1]}"
        raise Refusal("processing", "no_response", reason)
    gains = [stage.stage_gain for stage in stages]
    if not gains or None in gains or stages[0].stage_gain_frequency != whole.frequency:
        return stated[0]
    product = float(np.prod(gains)) / (ground_unit(stages[0].input_units) or (1.0, ""))[0]
    if _gains_apart(stated, (product, stated[1]), STAGES_FACTOR):
        reason = f"the sensitivity of {item.trace_id} is {stated[0]:g}, its stages multiply to {product:g}"
        raise Refusal("processing", "no_response", reason, product)
    return stated[0]


def _only_location(item: Recorded, epochs: list[ChannelEpoch]) -> list[ChannelEpoch]:
    """Epochs of the one location there is.

    Raises:
        Refusal: there are several that differ.
    """
    locations = sorted({epoch.location or "--" for epoch in epochs})
    if len(locations) > 1 and not all(epoch.same_as(epochs[0]) for epoch in epochs):
        shown = ", ".join(locations)
        reason = f"the stations have {item.channel} at locations {shown}, not at '{item.location or '--'}'"
        raise Refusal("station", "unknown_location", reason)
    return epochs


def _input_units(response: Any) -> str:
    stages = getattr(response, "response_stages", None) or []
    return str(stages[0].input_units or "") if stages else ""
