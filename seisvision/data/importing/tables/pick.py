"""One arrival time that a person or a picker has read."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from seisvision.data.importing.tables.phases import phase_family, phase_weight
from seisvision.data.importing.tables.text_tables import NAN

BLANK = ("", "--", "*", "nan", "none", "null")
"""What tables write for a code that is not known."""
MODES = {"manual": "manual", "automatic": "automatic"} | {
    "m": "manual", "h": "manual", "f": "manual", "human": "manual",
    "a": "automatic", "auto": "automatic", "autopicker": "automatic",
}  # fmt: skip
"""Words and letters for who picked; the letters are the review flags of AQMS (automatic, human, final)."""
STATUSES = ("final", "confirmed", "reviewed", "preliminary", "rejected")
"""Evaluation statuses of QuakeML 1.2, the most trusted first."""

NOT_USED = 4
"""Weight of HYPO71 (Lee and Lahr, 1975, USGS Open-File Report 75-311) and of NORDIC that takes a pick out."""


@dataclass(frozen=True)
class Pick:
    """A pick as it was written.

    Args:
        station: code of the station.
        phase: name of the phase, as written.
        time_ns: time since 1970; None where it cannot be read.
        written: the time as text where it cannot be read.
        network: code, empty where it is not said, like location and channel.
        location: code.
        channel: code.
        event_id: id in the catalogue; None where the table knows no events, which is what pickers of continuous
            recordings write.
        origin_ns: origin time of the event in the file of picks, where there is one.
        mode: ``manual``, ``automatic`` or empty.
        status: one of ``STATUSES`` or empty.
        author: person, agency or picker.
        probability: what a picker says of itself, 0 to 1; NaN where it says nothing.
        uncertainty_s: standard deviation of the time; NaN where it is not known.
        located: whether the preferred origin was found with it.
        weight: 0 (full) to 4 (not used) beside the pick; None where it has none there.
        file: name of the file it comes from.
    """

    station: str
    phase: str
    time_ns: int | None
    written: str = ""
    network: str = ""
    location: str = ""
    channel: str = ""
    event_id: str | None = None
    origin_ns: int | None = None
    mode: str = ""
    status: str = ""
    author: str = ""
    probability: float = NAN
    uncertainty_s: float = NAN
    located: bool = False
    file: str = ""
    weight: int | None = None

    @property
    def trace_id(self) -> str:
        """NET.STA.LOC.CHA, empty parts for what is not said."""
        return ".".join((self.network, self.station, self.location, self.channel))

    @property
    def family(self) -> str:
        """``P``, ``S``, or empty for a phase that is not the first of its kind."""
        return phase_family(self.phase)

    @property
    def is_unused(self) -> bool:
        """Whether whoever picked gave it the weight 4, beside it or behind the phase: not to be used (HYPO71)."""
        return NOT_USED in (self.weight, phase_weight(self.phase))

    @property
    def judgement(self) -> str:
        """Mode and status, such as ``manual reviewed``."""
        return f"{self.mode} {self.status}".strip()

    def of(self, event_id: str) -> Pick:
        """The same pick as one of an event."""
        return replace(self, event_id=event_id)


def code(text: object) -> str:
    """A code without blanks around it, empty for what tables write in its place."""
    plain = "" if text is None else str(text).strip()
    return "" if plain.lower() in BLANK else plain


def stream_codes(text: str) -> tuple[str, str, str, str]:
    """Network, station, location and channel of ``STA``, ``NET.STA``, ``NET.STA.LOC`` or ``NET.STA.LOC.CHA``."""
    parts = [code(part) for part in text.split(".")]
    if len(parts) == 1 or len(parts) > 4:
        return "", text.strip(), "", ""
    network, station, location, channel = (*parts, "", "")[:4]
    if len(parts) == 3 and len(location) == 3:  # a channel: codes of locations have two characters
        location, channel = "", location
    return network, station, location, channel


def mode_and_status(text: str) -> tuple[str, str]:
    """Mode and evaluation status among the words of a text; empty for what it does not say."""
    words = re.findall(r"[a-z]+", text.lower())
    mode = next((MODES[word] for word in words if word in MODES), "")
    return mode, next((word for word in words if word in STATUSES), "")
