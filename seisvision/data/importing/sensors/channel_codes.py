"""Channel codes as files spell them, and the SEED codes they stand for.

Codes: SEED manual 2.4, appendix A: band, instrument and orientation. An empty location is written ``--`` in places.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from seisvision.data.importing.formats.waveform_files import Segment
from seisvision.data.importing.rejections import Refusal
from seisvision.errors import ConfigurationError

LETTERS = "ZNERT123UVWABCLQ"
"""Orientation codes; all but Z, N, E, R and T need an azimuth and a dip."""
NOT_MOTION = {
    "A": "tilt", "B": "creep", "C": "calibration or a clock", "D": "pressure", "E": "electronics",
    "F": "a magnetic field", "I": "humidity", "J": "rotation", "K": "temperature", "M": "mass position",
    "O": "water current", "Q": "electric potential", "R": "rainfall", "S": "strain", "T": "tide", "V": "strain",
    "W": "wind",
}  # fmt: skip
"""Instrument codes of sensors that do not record the motion of the ground."""
WORDS = {"UD": "Z", "NS": "N", "EW": "E", "VERTICAL": "Z", "NORTH": "N", "EAST": "E", "X": "N or E", "Y": "E or N"}
"""Names that recorders give to components."""
CODE_LENGTH = 3


def clean_location(location: str | None) -> str:
    """Location code without blanks; ``--`` is the empty one."""
    return (location or "").strip(" -\x00")


def clean_channel(channel: str | None, codes: Mapping[str, str], location: str = "") -> tuple[str, str]:
    """Location and channel in capitals, after the mapping ``codes`` of names in files to ``CHA`` or ``LOC.CHA``."""
    # Readers of miniSEED spell codes of other than three letters with underscores: U_D_ for UD.
    name = (channel or "").strip(" \x00").upper().replace("_", "")
    if name not in codes:
        return clean_location(location), name
    place, _, code = codes[name].rpartition(".")
    return place or clean_location(location), code


def clean_codes(segment: Segment, codes: Mapping[str, str]) -> Segment:
    """The segment under its SEED codes, so that two spellings of a channel are one channel."""
    location, channel = clean_channel(segment.channel, codes, segment.location)
    network, station = segment.network.strip(), segment.station.strip()
    if (network, station, location, channel) == (segment.network, segment.station, segment.location, segment.channel):
        return segment
    return replace(segment, network=network, station=station, location=location, channel=channel)


def check_mapping(codes: object, where: str) -> dict[str, str]:
    """The mapping of channel names with keys in capitals.

    Raises:
        ConfigurationError: no mapping, or a value that is no ``CHA`` or ``LOC.CHA``.
    """
    if not isinstance(codes, Mapping):
        raise ConfigurationError(f"{where}={codes!r} must map names in the files to codes, such as {{UD: HHZ}}")
    checked = {}
    for name, code in codes.items():
        location, _, channel = str(code).upper().rpartition(".")
        if not (channel.isalnum() and len(channel) <= CODE_LENGTH and len(location) <= 2) or not str(name).strip():
            raise ConfigurationError(
                f"{where}.{name}={code!r} must be a channel code such as HHZ, or location and channel such as 01.HHZ"
            )
        checked[str(name).strip().upper()] = f"{location}.{channel}" if location else channel
    return checked


def check_code(channel: str) -> None:
    """Check that a code can name a component of ground motion.

    Raises:
        Refusal: it is too long, a word of the recorder, or of a sensor of something else.
    """
    word = channel.rstrip("0123456789") if len(channel) == CODE_LENGTH else channel
    if word in WORDS or len(channel) > CODE_LENGTH or not channel.isalnum():
        raise unnamed(channel)
    kind = NOT_MOTION.get(channel[1]) if len(channel) == CODE_LENGTH else None
    if kind is not None:
        raise Refusal(
            "selection",
            "not_ground_motion",
            f"channel '{channel}' is {kind}, going by its instrument code {channel[1]}",
        )


def unnamed(channel: str) -> Refusal:
    """Refusal of a channel whose code says no component, and how to say it."""
    word = channel.rstrip("0123456789") if len(channel) == CODE_LENGTH else channel
    meaning = f" (perhaps {WORDS[word]})" if word in WORDS else ""
    cure = f"; channel_codes: {{{channel}: {_guess(channel, word)}}} in the source would say what it is"
    return Refusal(
        "selection", "component", f"channel '{channel}' names no component{meaning}{cure if channel else ''}"
    )


def _guess(channel: str, word: str) -> str:
    """What a name may stand for, to be copied into a recipe; all letters where it does not tell which."""
    with_location = re.fullmatch(r"([A-Z]{2}[ZNE123])(\d\d)", channel)
    if with_location is not None:
        return f"{with_location[2]}.{with_location[1]}"
    letters = WORDS.get(word, "Z, N or E").replace(",", " or").split(" or ")
    return " or ".join(f"HH{letter}" for letter in letters)
