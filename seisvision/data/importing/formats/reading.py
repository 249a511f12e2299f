"""What a reader is asked for, and the settings of a source that say how its files are to be understood."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from seisvision.data.importing.rejections import Refusal

PICKLED = "PICKLE"
"""A format of obspy that runs code from the file."""


@dataclass(frozen=True)
class Reading:
    """How the files of a source are to be understood.

    Args:
        format: name of the format, for files that do not say themselves what they are; none recognises it.
        traces: CSV that gives SEG-Y and SU traces the codes of their stations, by trace number.
        undated_ns: when SEG-Y traces whose headers hold no date begin; none refuses them.
    """

    format: str | None = None
    traces: str | None = None
    undated_ns: int | None = None


@dataclass
class Request:
    """One file to be read.

    Args:
        span_ns: start and end of what is wanted; none for everything.
        headers_only: leave the samples.
        losses: what of the file cannot be read is added here.
    """

    path: Path
    span_ns: tuple[int, int] | None = None
    headers_only: bool = False
    reading: Reading = field(default_factory=Reading)
    losses: list[Refusal] = field(default_factory=list)


def known_formats() -> tuple[str, ...]:
    """Names that ``format`` may have: those of obspy, and ASDF."""
    from obspy.core.util.base import ENTRY_POINTS

    return ("ASDF", *sorted(name for name in ENTRY_POINTS["waveform"] if name != PICKLED))
