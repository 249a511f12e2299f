"""What to import and how, as typed settings read from a small YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from seisvision.data.importing.formats.reading import Reading, known_formats
from seisvision.data.importing.sensors.channel_codes import check_mapping
from seisvision.data.importing.setting_types import typed_settings
from seisvision.data.importing.settings_file import read_settings, understood
from seisvision.errors import ConfigurationError, did_you_mean
from seisvision.keys import COMPONENTS
from seisvision.seeding import DEFAULT_SEED

ASSOCIATIONS = ("name", "folder", "time", "sds", "sac")
REFERENCES = ("onset", "origin", "trace")
LATER = {"detrend": True}
"""Settings of ``processing`` that recipes did not have at first, and what was done then."""


@dataclass(frozen=True)
class Association:
    """How a recording finds its event.

    Args:
        by: ``name`` (the file name up to its ending is the event id), ``folder`` (the name of the folder that holds
            the file is), ``time`` (a recording belongs to every event whose time span it covers), ``sds`` (the same
            for the day files of a SeisComP archive, which need not be opened for it) or ``sac`` (KEVNM of the SAC
            header, or its origin time written as YYYYMMDDTHHMMSS; the field record of SEG-Y).
        pattern: regular expression whose first group is the event id, searched in the file (or folder) name.
        before_s: with ``time`` and ``sds``, start of the time span before the origin time.
        after_s: with ``time`` and ``sds``, end of the time span after the origin time. Both are raised where the window
            reaches further.
    """

    by: str = "name"
    pattern: str | None = None
    before_s: float = 30.0
    after_s: float = 120.0


@dataclass(frozen=True)
class Source:
    """One collection of recordings with its events and stations.

    Args:
        name: short name, kept in column ``source_dataset``.
        waveforms: folders (searched through), files or glob patterns.
        events: QuakeML (or any catalogue obspy reads), CSV, an ASDF archive, ``sac`` to take events from the headers
            of SAC or SEG-Y, or ``files`` for recordings without a catalogue: every id found in the file names is an
            event of which nothing is known.
        stations: StationXML (or any inventory obspy reads), CSV, an ASDF archive, ``sac``, or none.
        association: how a file finds its event.
        picks: CSV or QuakeML of picks, or one file per event where the path holds ``{event_id}``; ``events`` for those
            of the catalogue, ``sac`` for the named times of SAC headers; a picked P is the onset.
        min_pick_probability: picks of which the picker says that they are less probable are left out.
        source_type: one class name for all events, or a mapping of class names in the catalogue to those in the set;
            a class mapped to nothing is left out, a class that is not mapped keeps its name.
        response: ``none`` (keep counts), ``gain`` (divide by the sensitivity) or ``remove``, from StationXML.
        output: ground motion asked of ``response=remove``: VEL, DISP or ACC.
        unit: unit of the recordings where ``response`` is ``none``; none: what SAC headers say (IDEP), else counts.
        orientation: ``angles`` (azimuth and dip of StationXML, CSV or SAC headers, where there are any) or ``letters``
            (Z, N and E are vertical, north and east whatever the angles).
        channel_codes: names of channels in the files to codes, such as ``{UD: HHZ, NS: HHN, EW: HHE}``; a location
            may stand before the code (``01.HHZ``).
        id_prefix: put before every event id, so that the ids of several sources differ.
        format: name of the format of the files (``SEGY``, ``SU``, ``MSEED``, ... as obspy calls them), where they
            cannot be recognised; none looks at each file.
        traces: CSV with the columns trace (a number or a range), network, station, location, channel, and
            latitude_deg, longitude_deg, elevation_m where the traces have no places: what SEG-Y and SU traces are.
        undated_s: seconds after the origin of its event at which a SEG-Y trace without a date begins; none refuses it.
        licence: licence of the recordings, kept in the card.
        citation: what to cite, kept in the card.
    """

    name: str
    waveforms: tuple[str, ...]
    events: str
    stations: str | None = None
    association: Association = Association()
    picks: str | None = None
    min_pick_probability: float = 0.0
    source_type: str | dict[str, str | None] | None = None
    response: str = "none"
    output: str = "VEL"
    unit: str | None = None
    orientation: str = "angles"
    channel_codes: dict[str, str] = field(default_factory=dict)
    id_prefix: str = ""
    format: str | None = None
    traces: str | None = None
    undated_s: float | None = None
    licence: str = "not stated"
    citation: str = "not stated"

    @property
    def reading(self) -> Reading:
        """How its files are to be understood."""
        return Reading(self.format, self.traces)


SOURCE_KEYS = tuple(item.name for item in fields(Source) if item.name != "name")
"""Settings of a source that may be changed in all of them; ``name`` is that of the set."""


@dataclass(frozen=True)
class Processing:
    """What is done to each recording, in this order: fill gaps, detrend, taper, response, resample, turn, filter.

    Args:
        components: components of the set, some of ZNE.
        channels: band and instrument codes in order of preference; a station gives one of them. Codes that are not
            listed are taken last.
        rate_hz: sampling rate of the set; none keeps the rate of each station.
        band_hz: corners of the Butterworth band-pass; none leaves it out. Recordings that do not hold it are refused.
        corners: poles at each corner.
        zerophase: filter forwards and backwards, so that arrivals stay where picks and predicted times are.
        max_gap_s: longer gaps reject the recording, shorter ones are interpolated.
        taper_fraction: part of the recording tapered at either end, at most ``taper_max_s``.
        taper_max_s: longest taper.
        detrend: take away the line of least squares, and with it the mean; false for recordings that were processed
            before.
        water_level_db: water level of the response removal.
        normalise: ``none``, or ``trace_max`` / ``trace_rms``: divide each window by its maximum or root mean square
            (kept in column ``trace_scale``), so that the unit of the recorder cannot tell the source.
    """

    components: str = COMPONENTS
    channels: tuple[str, ...] = ("HH", "BH", "EH", "SH", "HN", "EN")
    rate_hz: float | None = None
    band_hz: tuple[float, float] | None = None
    corners: int = 4
    zerophase: bool = True
    max_gap_s: float = 1.0
    taper_fraction: float = 0.05
    taper_max_s: float = 2.0
    detrend: bool = True
    water_level_db: float = 60.0
    normalise: str = "none"


@dataclass(frozen=True)
class Quality:
    """What is refused. Every refusal is listed with its reason.

    Args:
        min_length_s: shorter recordings are refused.
        min_nyquist_hz: recordings sampled too slowly for the band of the set are refused.
        max_flat_s: recordings that hold one value for longer are dead, or were for a while.
        max_interpolated_fraction: part of a recording, and of the window, that may be filled gaps.
        overlaps: ``reject`` or ``flag`` recordings of which two pieces hold different samples of one time.
        clipped: ``flag`` or ``reject`` recordings that look clipped.
        missing_station: ``keep`` (offset NaN) or ``reject`` recordings of a station without position.
        missing_origin: ``keep`` (offset NaN) or ``reject`` events without origin.
        min_snr: amplitude ratio at which a recording counts as showing the event.
        min_stations: events left with fewer stations are refused.
        min_signal_stations: events that fewer stations show (see ``min_snr``) are refused.
    """

    min_length_s: float = 10.0
    min_nyquist_hz: float = 0.0
    max_flat_s: float = 5.0
    max_interpolated_fraction: float = 0.1
    overlaps: str = "reject"
    clipped: str = "flag"
    missing_station: str = "keep"
    missing_origin: str = "keep"
    min_snr: float = 4.0
    min_stations: int = 1
    min_signal_stations: int = 0


@dataclass(frozen=True)
class Window:
    """The part of the recordings that is kept: one length, and one start for all stations of an event.

    Args:
        reference: ``onset`` (median of the detected onsets), ``origin`` (time of the catalogue) or ``trace`` (start
            of the earliest recording).
        before_s: start of the window before the reference.
        length_s: length of the window.
        jitter_s: the start is moved by a random time in [-jitter_s, jitter_s], drawn per event; with ``trace`` only by
            times that do not lead before the recording.
        per_station: cut each station about its own onset or start, with a shift of its own, so that travel times
            between stations are lost; for collections whose records are cut that way already.
        max_pad_s: zeros that may stand for missing recording; a station that lacks more is refused.
    """

    reference: str = "onset"
    before_s: float = 20.0
    length_s: float = 60.0
    jitter_s: float = 0.0
    per_station: bool = False
    max_pad_s: float = 0.0


@dataclass(frozen=True)
class Recipe:
    """Sources and the settings they share.

    Args:
        name: name of the set.
        sources: at least one.
        window: none keeps the whole recordings.
        onset_band_hz: band in which onsets are sought: what the band of the set holds of it, if that is an octave.
        seed: base seed of the random shifts.

    Raises:
        ConfigurationError: a setting is not allowed.
    """

    name: str
    sources: tuple[Source, ...]
    description: str = ""
    processing: Processing = field(default_factory=Processing)
    quality: Quality = field(default_factory=Quality)
    window: Window | None = None
    onset_band_hz: tuple[float, float] = (2.0, 12.0)
    seed: int = DEFAULT_SEED

    def __post_init__(self) -> None:
        _check(self)

    def parameters(self) -> dict[str, Any]:
        """Settings for the card: everything but the sources."""
        settings = asdict(self)
        del settings["sources"]
        return settings


def content_of(recipe: Any) -> dict[str, Any]:
    """Plain content of a recipe to be hashed: settings that came later are left out where they change nothing."""
    content = asdict(recipe)
    for name, default in LATER.items():
        if content["processing"][name] == default:
            del content["processing"][name]
    return content


def load_recipe(path: str | Path, root: str | None = None, changes: list[str] | None = None) -> Recipe:
    """Read a recipe; ``${root}`` in it stands for ``root``, ``changes`` are ``section.key=value`` settings.

    Raises:
        ConfigurationError: the file is missing or not YAML, or holds an unknown or contradictory setting.
    """
    with understood(path):
        return build_recipe(read_settings(path, root, changes, "conf/import", SOURCE_KEYS))


def build_recipe(content: Mapping[str, Any]) -> Recipe:
    """Build a recipe from plain containers, as they stand in the YAML file.

    Raises:
        ConfigurationError: an unknown, missing or contradictory setting.
    """
    plain = dict(content)
    if not plain.get("sources"):
        raise ConfigurationError("a recipe needs 'sources', a list with at least one source")
    plain["sources"] = tuple(_build_source(source, i) for i, source in enumerate(plain["sources"]))
    for key, kind in (("processing", Processing), ("quality", Quality), ("window", Window)):
        if plain.get(key) is not None:
            plain[key] = build_settings(kind, plain[key], key)
        elif key != "window":
            plain.pop(key, None)
    if isinstance(plain.get("window"), Window):
        plain["sources"] = tuple(
            _reaching(source, plain["window"], plain.get("processing")) for source in plain["sources"]
        )
    return build_settings(Recipe, plain, "recipe")


def _reaching(source: Source, window: Window, processing: Processing | None) -> Source:
    """Let what is read of a source by time reach over the window, and over the taper beyond it, where it falls short.

    With the reference ``onset`` it then reaches over the window about any onset in the time span that was asked for.
    """
    if source.association.by not in ("time", "sds"):
        return source
    association, taper_s = source.association, (processing or Processing()).taper_max_s
    before_s, after_s = association.before_s, association.after_s
    needed_before_s = window.before_s + window.jitter_s
    needed_after_s = window.length_s - window.before_s + window.jitter_s
    if window.reference == "trace":
        needed_before_s, needed_after_s = before_s, needed_after_s - before_s
    onset = window.reference == "onset"
    if needed_before_s > before_s:
        before_s = needed_before_s + taper_s + (before_s if onset else 0.0)
    if needed_after_s > after_s:
        after_s = needed_after_s + taper_s + (after_s if onset else 0.0)
    return replace(source, association=replace(association, before_s=before_s, after_s=after_s))


def _build_source(content: Mapping[str, Any], index: int) -> Source:
    where = f"sources[{index}]"
    if not isinstance(content, Mapping):
        raise ConfigurationError(f"{where} must be a mapping with waveforms and events, not {content!r:.80}")
    plain = dict(content)
    waveforms = plain.get("waveforms")
    plain["waveforms"] = (waveforms,) if isinstance(waveforms, str) else waveforms or ()
    if plain.get("picks") == "events":
        plain["picks"] = plain.get("events")
    plain["association"] = build_settings(Association, plain.get("association") or {}, f"{where}.association")
    plain["channel_codes"] = check_mapping(plain.get("channel_codes") or {}, f"{where}.channel_codes")
    plain.setdefault("name", f"source{index}")
    if isinstance(plain.get("format"), str):
        plain["format"] = plain["format"].upper()
    return build_settings(Source, plain, where)


def build_settings(kind: type, content: Mapping[str, Any], where: str, *, checks_lists: bool = True) -> Any:
    """Make the dataclass ``kind`` from ``content``, see :func:`typed_settings`; ``where`` names it in messages.

    Raises:
        ConfigurationError: a key it does not have, a value of another type, or a key that is missing.
    """
    if not isinstance(content, Mapping):
        raise ConfigurationError(f"{where} must be a mapping, not {content!r}")
    allowed = [item.name for item in fields(kind)]
    for key in content:
        if key not in allowed:
            raise ConfigurationError(f"{where} has no setting '{key}'. {did_you_mean(str(key), allowed)}")
    settings = typed_settings(kind, content, where, checks_lists=checks_lists)
    try:
        return kind(**settings)
    except TypeError as error:
        raise ConfigurationError(f"{where} is incomplete: {error}") from error


def _check(recipe: Recipe) -> None:
    processing, quality, window = recipe.processing, recipe.quality, recipe.window
    for source in recipe.sources:
        one_of(f"association.by of source '{source.name}'", source.association.by, ASSOCIATIONS)
        one_of(f"response of source '{source.name}'", source.response, ("none", "gain", "remove"))
        one_of(f"orientation of source '{source.name}'", source.orientation, ("angles", "letters"))
        one_of(f"output of source '{source.name}'", source.output, ("VEL", "DISP", "ACC"))
        if source.format is not None:
            one_of(f"format of source '{source.name}'", source.format, known_formats())
        if not source.waveforms:
            raise ConfigurationError(f"source '{source.name}' names no waveforms; give a folder, files or a pattern")
    names = [source.name for source in recipe.sources]
    if len(set(names)) != len(names):
        raise ConfigurationError(f"source names must differ; got {', '.join(names)}")
    one_of("processing.normalise", processing.normalise, ("none", "trace_max", "trace_rms"))
    one_of("quality.overlaps", quality.overlaps, ("reject", "flag"))
    if not 0 <= quality.max_interpolated_fraction <= 1:
        raise ConfigurationError(
            f"quality.max_interpolated_fraction={quality.max_interpolated_fraction:g} must be a part, from 0 to 1"
        )
    one_of("quality.clipped", quality.clipped, ("flag", "reject"))
    one_of("quality.missing_station", quality.missing_station, ("keep", "reject"))
    one_of("quality.missing_origin", quality.missing_origin, ("keep", "reject"))
    components = processing.components
    if not components or components != "".join(c for c in COMPONENTS if c in components):
        raise ConfigurationError(f"processing.components={components!r} must be some of '{COMPONENTS}', in that order")
    _check_rates(processing)
    _check_onset_band(recipe.onset_band_hz, processing.rate_hz)
    if window is not None:
        one_of("window.reference", window.reference, REFERENCES)
        if window.length_s <= 0 or window.jitter_s < 0 or window.max_pad_s < 0:
            raise ConfigurationError("window.length_s must be positive, jitter_s and max_pad_s not negative")


def _check_rates(processing: Processing) -> None:
    rate, band = processing.rate_hz, processing.band_hz
    if rate is not None and (not isinstance(rate, int | float) or rate <= 0):
        raise ConfigurationError(
            f"processing.rate_hz={rate} must be a positive number, or null to keep the recorded rate"
        )
    if band is None:
        return
    if len(band) != 2 or not 0 < band[0] < band[1]:
        raise ConfigurationError(f"processing.band_hz={list(band)} must be two rising, positive frequencies")
    if rate is not None and band[1] > 0.45 * rate:
        raise ConfigurationError(
            f"processing.band_hz ends at {band[1]} Hz, too close to half the sampling rate {rate} Hz; "
            f"end at {0.45 * rate:g} Hz or raise processing.rate_hz to {band[1] / 0.45:g} Hz"
        )


def _check_onset_band(band_hz: tuple[float, float], rate_hz: float | None) -> None:
    """The band of the default may end beyond what slow sets hold; one that was chosen is meant."""
    if len(band_hz) != 2 or not 0 < band_hz[0] < band_hz[1]:
        raise ConfigurationError(f"onset_band_hz={list(band_hz)} must be two rising, positive frequencies")
    if rate_hz is not None and band_hz[1] > rate_hz / 2 and band_hz != Recipe.onset_band_hz:
        raise ConfigurationError(
            f"onset_band_hz ends at {band_hz[1]:g} Hz, above half the sampling rate {rate_hz:g} Hz of the set; "
            f"end at {rate_hz / 2:g} Hz or raise processing.rate_hz to {2 * band_hz[1]:g} Hz"
        )


def one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    """Raise ConfigurationError unless ``value`` is one of ``allowed``."""
    if value not in allowed:
        raise ConfigurationError(f"{name}={value!r} is not allowed. {did_you_mean(str(value), list(allowed))}")
