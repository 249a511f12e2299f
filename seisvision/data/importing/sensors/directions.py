"""Which way each channel of a sensor points: from StationXML, CSV or SAC headers, else from its letter.

SAC headers: SAC users manual, chapter "SAC data file format": CMPAZ clockwise from north, CMPINC from vertical upwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from seisvision.data.importing.rejections import Refusal
from seisvision.data.importing.sensors.channel_codes import LETTERS, unnamed
from seisvision.data.importing.sensors.orientation import LEAK_DEG, NOMINAL, angle_deg, axis
from seisvision.data.importing.tables.channel_table import ChannelTable, Recorded
from seisvision.data.importing.tables.text_tables import NAN

ANGLES, LETTER, AGAINST_ANGLES, BACK_AZIMUTH = "angles", "letters", "letters_against_angles", "back_azimuth"
"""Where a direction is from; the last but one: the angles known are zeros that contradict each other."""
RADIAL_SLACK_DEG = 20.0
"""Great circles and the angles that rotating programs write differ by some degrees."""
HALF = float(np.sqrt(0.5))
"""Cosine of 45 degrees: nearer to an axis than to the plane across it."""
Angles = tuple[float, float]
"""Azimuth and dip in degrees."""


@dataclass(frozen=True)
class Direction:
    """Unit vector (Z, N, E) along which a channel counts upwards, and where it is from."""

    axis: np.ndarray
    known_from: str

    @cached_property
    def vector(self) -> tuple[float, ...]:
        """The axis as numbers that can be compared."""
        return tuple(self.axis.tolist())


def sensor_directions(
    sensor: Mapping[str, Recorded], table: ChannelTable, trusted: str, back_azimuth_deg: float | None = None
) -> dict[str, Direction | Refusal]:
    """Direction of every channel of a sensor, by component letter; a refusal where it cannot be known.

    Args:
        trusted: ``angles``, or ``letters`` to take Z, N and E at their word.
        back_azimuth_deg: from the station to the source, for R and T; None where it does not matter yet, so that they
            are just horizontal.
    """
    is_told = trusted == ANGLES and (bool(table.epochs) or any(item.sac for item in sensor.values()))
    if not is_told and not sensor.keys() & {"R", "T"}:
        return dict(_by_letters(tuple((letter, item.channel) for letter, item in sensor.items())))
    found: dict[str, Direction | Refusal] = {}
    known: dict[str, Angles] = {}
    zeros: set[str] = set()
    if trusted == ANGLES:
        known, zeros = _known_angles(sensor, table, found)
    for letter, item in sensor.items():
        if letter in "RT" and not {"R", "T"} <= sensor.keys():
            found[letter] = Refusal("selection", "half_of_a_pair", "its horizontal partner is missing")
        elif letter in "RT":
            found[letter] = _radial(letter, item, back_azimuth_deg)
    rest = {letter: item.channel for letter, item in sensor.items() if letter not in found}
    return found | _by_angles_or_letters(rest, known, zeros)


def listed_directions(sensor: Mapping[str, Any], trusted: str) -> dict[str, Direction | Refusal]:
    """Directions by the angles of the obspy channels of a sensor, before anything is recorded."""
    angles = {letter: (_or_nan(item.azimuth), _or_nan(item.dip)) for letter, item in sensor.items()}
    known, zeros = _meant(angles) if trusted == ANGLES else ({}, set())
    return _by_angles_or_letters({letter: item.code for letter, item in sensor.items()}, known, zeros)


def _or_nan(value: Any) -> float:
    return NAN if value is None else float(value)


@lru_cache(maxsize=1024)
def _by_letters(channels: tuple[tuple[str, str], ...]) -> dict[str, Direction | Refusal]:
    """What letters say where nothing else says anything, which is the same for most sensors of a network."""
    return _by_angles_or_letters(dict(channels), {}, set())


def _by_angles_or_letters(
    channels: Mapping[str, str], known: Mapping[str, Angles], zeros: set[str]
) -> dict[str, Direction | Refusal]:
    """Letters are taken at their word unless angles known of the same sensor contradict theirs."""
    found: dict[str, Direction | Refusal] = {}
    astray = any(_off_letter_deg(letter, angles) > LEAK_DEG for letter, angles in known.items())
    for letter, channel in channels.items():
        if letter in known:
            found[letter] = Direction(axis(*known[letter]), ANGLES)
        elif letter in NOMINAL and not (astray and letter in "NE"):
            found[letter] = Direction(NOMINAL[letter], AGAINST_ANGLES if letter in zeros else LETTER)
        else:
            found[letter] = _unknown(letter, channel)
    return found


def _unknown(letter: str, channel: str) -> Refusal:
    if letter not in LETTERS:
        return unnamed(channel)
    why = "those of its partners contradict their letters" if letter in NOMINAL else "its letter says none"
    reason = f"cannot be turned to north and east: azimuth and dip of {channel} are not known, and {why}"
    return Refusal("processing", "no_azimuth", reason)


def _known_angles(
    sensor: Mapping[str, Recorded], table: ChannelTable, refused: dict[str, Direction | Refusal]
) -> tuple[dict[str, Angles], set[str]]:
    """Angles of the channels for which a table or a header has some, and channels with zeros in place of angles."""
    listed: dict[str, Angles] = {}
    for letter, item in sensor.items():
        try:
            epoch = table.find(item)
        except Refusal as refusal:
            refused[letter] = refusal
            continue
        if epoch is not None:
            listed[letter] = epoch.azimuth_deg, epoch.dip_deg
        elif any(_is_astray(letter, other.azimuth_deg, other.dip_deg) for other in table.at_other_times(item)):
            reason = f"the stations have {item.channel} at other times only, and then it was not what its letter says"
            refused[letter] = Refusal("processing", "no_azimuth", reason)
    listed, zeros = _meant(listed)
    headers, more = _sac_angles({letter: item.sac for letter, item in sensor.items() if letter not in "RT"})
    for letter in listed.keys() & headers.keys():
        apart = angle_deg(axis(*listed[letter]), axis(*headers[letter]))
        if apart > LEAK_DEG:
            refused[letter] = Refusal(
                "station", "angles_disagree", _contradiction(listed[letter], headers[letter]), apart
            )
    return headers | listed, (zeros | more) - headers.keys() - listed.keys()


def _contradiction(listed: Angles, header: Angles) -> str:
    shown = "; the SAC header says ".join(f"azimuth {azimuth:g} and dip {dip:g}" for azimuth, dip in (listed, header))
    return f"the stations say {shown}"


def _meant(angles: Mapping[str, Angles]) -> tuple[dict[str, Angles], set[str]]:
    """Leave out what are no angles, and zeros that some writers put in their place."""
    usable = {letter: pair for letter, given in angles.items() if (pair := _usable(letter, *given)) is not None}
    zeros = {letter for letter, pair in usable.items() if pair[0] % 360 == 0 and pair[1] == 0}
    if len(zeros) == 1 and _stands_in(next(iter(zeros)), usable):
        zeros = set()
    rest = {letter: pair for letter, pair in usable.items() if letter not in zeros or letter == "N"}
    return rest, zeros - rest.keys()


def _stands_in(letter: str, angles: Mapping[str, Angles]) -> bool:
    """Whether a channel may really point north: its letter says so or nothing, or another took its place."""
    if letter == "N" or letter not in NOMINAL:
        return True
    others = [axis(*pair) for other, pair in angles.items() if other != letter]
    return any(abs(vector @ NOMINAL[letter]) > HALF for vector in others)


def _usable(letter: str, azimuth_deg: float, dip_deg: float) -> Angles | None:
    """Angles within their limits; a missing dip is 0 for what is no vertical, a missing azimuth 0 for a vertical."""
    if np.isnan(dip_deg) and letter not in "Z3":
        dip_deg = 0.0
    if np.isnan(azimuth_deg) and abs(dip_deg) == 90:
        azimuth_deg = 0.0
    return (azimuth_deg, dip_deg) if abs(azimuth_deg) <= 360 and abs(dip_deg) <= 90 else None


def _sac_angles(headers: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, Angles], set[str]]:
    """Angles of SAC headers. Some programs write the dip of SEED into CMPINC: no inclination is below 0."""
    stated = {
        letter: (_number(header, "cmpaz"), _number(header, "cmpinc")) for letter, header in headers.items() if header
    }
    if not stated:
        return {}, set()
    stated = {letter: pair for letter, pair in stated.items() if not np.isnan(pair).all()}
    upright = {letter for letter, (_, inclination) in stated.items() if inclination == 0}
    below = any(-90 <= inclination < 0 for _, inclination in stated.values())
    if below or upright & {"N", "E"} or {"1", "2"} <= upright:
        return _meant(stated)
    return _meant({letter: (azimuth, inclination - 90) for letter, (azimuth, inclination) in stated.items()})


def _number(header: Mapping[str, Any], key: str) -> float:
    return float(header.get(key, NAN))


def _off_letter_deg(letter: str, angles: Angles) -> float:
    """Angle between a channel and its letter; a vertical counted downwards says nothing of the horizontals."""
    if letter not in NOMINAL:
        return 0.0
    vector = axis(*angles)
    return angle_deg(np.abs(vector) if letter == "Z" else vector, NOMINAL[letter])


def _is_astray(letter: str, azimuth_deg: float, dip_deg: float) -> bool:
    usable = _usable(letter, azimuth_deg, dip_deg)
    return usable is not None and usable != (0, 0) and _off_letter_deg(letter, usable) > LEAK_DEG


def _radial(letter: str, item: Recorded, back_azimuth_deg: float | None) -> Direction | Refusal:
    """R points away from the source, T ninety degrees clockwise of it, as in obspy and SAC.

    The back azimuth of a SAC header comes first, because it is what the recordings were turned with. CMPAZ only has to
    agree, unless it is what the channel had before it was turned (0 or 90).
    """
    if back_azimuth_deg is None:
        return Direction(axis(0 if letter == "R" else 90, 0), BACK_AZIMUTH)
    stated = _number(item.sac, "baz")
    back_azimuth = stated if abs(stated) <= 360 else back_azimuth_deg
    header = _number(item.sac, "cmpaz")
    is_own = 0 < header <= 360 and header != 90
    if np.isnan(back_azimuth) and is_own:
        return Direction(axis(header, 0), ANGLES)
    if np.isnan(back_azimuth):
        reason = f"cannot be turned to north and east: the back azimuth of {item.channel} is not known"
        return Refusal("processing", "no_azimuth", reason)
    azimuth = (back_azimuth + (180 if letter == "R" else 270)) % 360
    if is_own and angle_deg(axis(header, 0), axis(azimuth, 0)) > RADIAL_SLACK_DEG:
        reason = f"points to {azimuth:.4g} degrees by the back azimuth, to {header:.4g} by the SAC header"
        return Refusal("station", "angles_disagree", reason, header)
    return Direction(axis(azimuth, 0), BACK_AZIMUTH)
