"""What an audit says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

SEVERITIES = ("fatal", "warning", "note")
"""``fatal``: results would be wrong. ``warning``: results may be misleading. ``note``: good to know."""
MAX_EXAMPLES = 5


@dataclass(frozen=True)
class Finding:
    """One fault, or one thing to know, of a waveform set.

    Args:
        code: short fixed name, to look for in scripts.
        severity: one of :data:`SEVERITIES`.
        title: what was found, in a few words.
        count: traces or events concerned.
        of: traces or events looked at.
        unit: what is counted: ``traces``, ``events``, ``stations``, ...
        remedy: what to do.
        examples: up to :data:`MAX_EXAMPLES`, by event and station.
    """

    code: str
    severity: str
    title: str
    count: int
    of: int
    unit: str
    remedy: str
    examples: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain containers for JSON."""
        return asdict(self) | {"examples": list(self.examples)}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Finding:
        """Build the finding that :meth:`to_dict` described."""
        return cls(**content | {"examples": tuple(content["examples"])})

    def sentence(self) -> str:
        """One line for a log."""
        return f"{self.title} ({self.count} of {self.of} {self.unit}). {self.remedy}"


def by_severity(findings: Iterable[Finding]) -> list[Finding]:
    """Sort: fatal first, then by share of what was looked at."""
    return sorted(
        findings, key=lambda item: (SEVERITIES.index(item.severity), -item.count / max(item.of, 1), item.code)
    )


def worst_of(count: int, of: int, fatal_share: float) -> str:
    """Return ``fatal`` where more than ``fatal_share`` of what was looked at is concerned, else ``warning``."""
    return "fatal" if count > fatal_share * of else "warning"
