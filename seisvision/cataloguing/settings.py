"""Settings of ``seisvision catalogue run``, as in ``conf/catalogue``: a section for each stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from seisvision.cataloguing.association.protocol import Rules
from seisvision.errors import ConfigurationError, did_you_mean

STAGES = ("pick", "associate", "locate", "cut", "match", "relocate", "magnitude", "finish")
ASSOCIATORS = ("vote", "pyocto")


@dataclass(frozen=True)
class PickStage:
    """How picks come to be.

    Args:
        rule: name of a rule, such as ``pal``; None where a network or a table gives picks.
        ckpt: network that picks, as of ``seisvision pick --ckpt``.
        table: picks that exist, in any table that ``seisvision locate`` reads.
        rate_hz: at which recordings are picked; None: that of the network.
        thresholds: least probability by phase.
        stretch: events are so many times as short as those that rules know.
    """

    rule: str | None = None
    ckpt: str | None = None
    table: str | None = None
    rate_hz: float | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)
    stretch: float = 1.0

    def __post_init__(self) -> None:
        """Refuse more than one source of picks."""
        given = [name for name in ("rule", "ckpt", "table") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ConfigurationError(
                f"pick: one of rule, ckpt and table gives picks; {' and '.join(given) or 'none'} is set. Give one, "
                "such as pick.rule=pal, or pick.ckpt=runs/... with pick.rule=null."
            )


@dataclass(frozen=True)
class CutStage:
    """Windows of the events, for magnitudes, correlation and templates.

    Args:
        rate_hz: of the windows, and of the matched filter.
        before_s: before the earliest P of a station.
        length_s: of each window.
    """

    rate_hz: float = 50.0
    before_s: float = 6.0
    length_s: float = 40.0


@dataclass(frozen=True)
class MatchStage:
    """The matched filter.

    Args:
        band_hz: corners of the band-pass of recordings and templates.
        length_s: of templates, from ``lead_s`` before the arrival on.
        lead_s: see above.
        fewest_stations: of a template and of a detection.
        most_channels: of a template, the clearest ones.
        least_snr: root mean square of the window over that before the event, of a channel of a template.
        mad: a detection stands so many median absolute deviations above the median of its template's hour.
        least_correlation: and so high on average of its channels.
        apart_s: detections whose origin times are closer are one, the clearest.
        pick_correlation: a window counts as a pick from that correlation on.
        search_s: how far a pick may lie from where the template has it.
        piece_s: recordings are read so much at a time.
    """

    band_hz: tuple[float, float] = (2.0, 15.0)
    length_s: float = 4.0
    lead_s: float = 0.5
    fewest_stations: int = 4
    most_channels: int = 24
    least_snr: float = 3.0
    mad: float = 10.0
    least_correlation: float = 0.12
    apart_s: float = 3.0
    pick_correlation: float = 0.5
    search_s: float = 0.3
    piece_s: float = 3600.0


@dataclass(frozen=True)
class RelocateStage:
    """Double difference.

    Args:
        band_hz: of the correlated windows.
        window_s: their length after the arrival, P and S.
        search_s: largest lag.
        least_correlation: of a differential time that counts.
        separation_km: of two events that are compared.
        most_neighbours: of an event, the nearest ones.
        fewest_links: differential times that two events need.
        iterations: of the least squares.
        n_bootstrap: draws for the errors.
    """

    band_hz: tuple[float, float] = (2.0, 15.0)
    window_s: tuple[float, float] = (1.0, 1.6)
    search_s: float = 0.4
    least_correlation: float = 0.8
    separation_km: float = 4.0
    most_neighbours: int = 12
    fewest_links: int = 8
    iterations: int = 8
    n_bootstrap: int = 200


@dataclass(frozen=True)
class MagnitudeStage:
    """Local magnitude: log10 of the Wood-Anderson amplitude (mm) plus the correction of ``correction``.

    Args:
        correction: ``hutton_boore`` (1987, BSSA 77, 2074) or ``pal``: log10(A / micrometre) + log10(R / km) + 1.
        least_snr: amplitude over noise.
    """

    correction: str = "hutton_boore"
    least_snr: float = 3.0


@dataclass(frozen=True)
class CatalogueSettings:
    """All of them.

    Args:
        stages: that are done, of :data:`STAGES`, in their order.
        associator: ``vote`` or ``pyocto``.
    """

    stages: tuple[str, ...]
    pick: PickStage
    associator: str = "vote"
    associate: Rules = field(default_factory=Rules)
    cut: CutStage = field(default_factory=CutStage)
    match: MatchStage = field(default_factory=MatchStage)
    relocate: RelocateStage = field(default_factory=RelocateStage)
    magnitude: MagnitudeStage = field(default_factory=MagnitudeStage)

    def __post_init__(self) -> None:
        """Refuse stages that are none, or that lack what they need."""
        for stage in self.stages:
            if stage not in STAGES:
                raise ConfigurationError(f"stages: {stage} is unknown. {did_you_mean(stage, list(STAGES))}")
        for needed, by in (("cut", ("match", "relocate", "magnitude")),):
            if needed not in self.stages and any(stage in self.stages for stage in by):
                raise ConfigurationError(f"stages: {', '.join(by)} need {needed}; add it.")
        if self.associator not in ASSOCIATORS:
            raise ConfigurationError(
                f"associator={self.associator} is unknown. {did_you_mean(self.associator, list(ASSOCIATORS))}"
            )

    def section(self, stage: str) -> dict[str, Any]:
        """Plain settings of a stage."""
        own = getattr(self, stage, None)
        about = {} if own is None else asdict(own)
        return {**about, "associator": self.associator} if stage == "associate" else about

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> CatalogueSettings:
        """From a composed configuration.

        Raises:
            ConfigurationError: a name is unknown or a value is not allowed.
        """
        sections = {
            "pick": PickStage, "associate": Rules, "cut": CutStage, "match": MatchStage, "relocate": RelocateStage,
            "magnitude": MagnitudeStage,
        }  # fmt: skip
        known = {item.name for item in fields(cls)}
        values: dict[str, Any] = {}
        for name, value in given.items():
            if name not in known:
                raise ConfigurationError(f"catalogue setting {name} is unknown. {did_you_mean(name, sorted(known))}")
            values[name] = _section(sections[name], name, value) if name in sections else value
        values["stages"] = tuple(values["stages"])
        return cls(**values)


def _section(kind: type, name: str, given: Mapping[str, Any]) -> Any:
    known = [item.name for item in fields(kind)]
    for key in given:
        if key not in known:
            raise ConfigurationError(f"catalogue setting {name}.{key} is unknown. {did_you_mean(key, known)}")
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in given.items()})
