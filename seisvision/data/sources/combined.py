"""Several waveform sets as one, with equal windows, so that their style does not tell them apart."""

from __future__ import annotations

import hashlib
import json
import logging
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from seisvision.data.importing.rejections import FILE_NAME, Refusal, RejectionLog, write_rejections
from seisvision.data.importing.series.band import band_pass
from seisvision.data.samples.arrivals import THEORETICAL
from seisvision.data.samples.resample import resample, same_rate
from seisvision.data.sets.same_event import EventFacts, told_twice
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.sets.writer import WaveformSetWriter
from seisvision.data.sources.folder import FolderSource
from seisvision.errors import ConfigurationError, DataError, did_you_mean
from seisvision.files import check_writable, clear_lock, locked
from seisvision.keys import COMPONENTS
from seisvision.seeding import DEFAULT_SEED, numpy_stream

log = logging.getLogger(__name__)

VERSION = 1
BAND_FILTER = "zero phase"
EVENTS_PER_CHUNK = 20000
DROPPED = ("trace_name", "trace_npts", "trace_dt_s", "trace_chunk", "split")
"""Columns that describe the file of the old set, or its own split."""
ONSETS = ("trace_p_arrival_sample", "trace_P_arrival_sample")


@dataclass(frozen=True)
class Member:
    """One set that goes in, and the translation of its vocabulary.

    Args:
        path: folder, or name in the data folder.
        name: short name, put before ids and kept in ``source_set``; by default that of the folder.
        columns: column of the set to the name it gets.
        values: column (by its new name) to a mapping of its values to those of the combined set; a value mapped to
            nothing leaves the event out, a value that is not mapped stays.
        factors: column (by its new name) to what it is multiplied by, such as 0.001 for metres to kilometres.
        select: column (by its new name) to the values to keep.
    """

    path: str
    name: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)
    factors: Mapping[str, float] = field(default_factory=dict)
    select: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """What the set is called in the combined one."""
        return self.name or Path(self.path).name


@dataclass(frozen=True)
class Cut:
    """The window that every trace gets.

    Args:
        components: which a trace must have recorded; others are left out of it.
        sampling_rate_hz: rate; traces with a lower one are refused, because what they lack would tell the set.
        before_s: start of the window before the onset (``trace_onset_s``, else the P pick).
        length_s: length.
        jitter_s: the start is moved by a random time in [-jitter_s, jitter_s], fixed by seed, event and station. The
            window must lie inside the recording for every such time.
        band_hz: band-pass of zero phase before cutting, so that the bands of the recorders are equal; none leaves it
            out.
        normalise: ``trace_max`` divides each window by its maximum, ``none`` keeps amplitudes.
    """

    components: str = "Z"
    sampling_rate_hz: float = 40.0
    before_s: float = 10.0
    length_s: float = 60.0
    jitter_s: float = 5.0
    band_hz: tuple[float, float] | None = None
    normalise: str = "trace_max"


class CombinedSource:
    """A set made of several, kept in the data folder under the hash of what goes into it.

    Args:
        sets: one mapping a set, with the arguments of :class:`Member`.
        seed: base seed of the random shifts.
        **cut: arguments of :class:`Cut`.

    Raises:
        ConfigurationError: a setting is unknown, two sets share a name, or no set is named.
    """

    def __init__(self, sets: Sequence[Mapping[str, Any]], *, seed: int = DEFAULT_SEED, **cut: Any) -> None:
        self.members = [_build(Member, dict(one), "sets") for one in sets]
        if cut.get("band_hz") is not None:
            cut["band_hz"] = tuple(cut["band_hz"])
        self.cut: Cut = _build(Cut, cut, "combined")
        self.seed = seed
        labels = [member.label for member in self.members]
        if not labels or len(set(labels)) != len(labels) or any(":" in label for label in labels):
            raise ConfigurationError(
                f"sets need different names without ':'; got {', '.join(labels) or 'none'}; give name"
            )
        if self.cut.normalise not in ("none", "trace_max"):
            raise ConfigurationError(f"normalise={self.cut.normalise!r} is not allowed; use none or trace_max")
        if not self.cut.components or set(self.cut.components) - set(COMPONENTS):
            raise ConfigurationError(f"components={self.cut.components!r} must be some of {COMPONENTS!r}")

    def fingerprint(self, data_dir: str | Path) -> str:
        """Short hash of the sets and settings; the combined set need not exist, but if it does, edits of it count.

        Raises:
            DataError: a set is missing or damaged.
        """
        from seisvision.data.sets.set_files import set_fingerprint

        wanted = self._wanted(data_dir)
        folder = _folder(data_dir, wanted)
        return set_fingerprint(folder) if (folder / "card.json").is_file() else wanted

    def _wanted(self, data_dir: str | Path) -> str:
        from seisvision.data.sets.set_files import set_fingerprint

        prints = [set_fingerprint(FolderSource(member.path).prepare(data_dir)) for member in self.members]
        members = [asdict(member) | {"path": label} for member, label in zip(self.members, prints, strict=True)]
        content = [VERSION, self.seed, asdict(self.cut), members]
        if self.cut.band_hz is not None:
            # Sets that were filtered causally, as once was done, are others.
            content.append(BAND_FILTER)
        text = json.dumps(content, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def prepare(self, data_dir: str | Path) -> Path:
        """Return the folder of the combined set; makes it when it is not there.

        Raises:
            DataError: a set is missing or damaged, or nothing is left of all of them.
        """
        fingerprint = self._wanted(data_dir)
        folder = _folder(data_dir, fingerprint)
        lock = folder.with_name(f".{folder.name}.lock")
        if (folder / "card.json").is_file():
            clear_lock(lock)
            return folder
        check_writable(folder.parent, "system.data_dir")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with locked(lock):
            if not (folder / "card.json").is_file():
                log.info("Combining %s in %s, once", ", ".join(member.label for member in self.members), folder)
                self._make(folder, Path(data_dir), fingerprint)
        return folder

    def _make(self, folder: Path, data_dir: Path, fingerprint: str) -> None:
        sets = [WaveformSet(FolderSource(member.path).prepare(data_dir)) for member in self.members]
        rejected: list[RejectionLog] = []
        n_events = sum(map(len, sets))
        chunk = EVENTS_PER_CHUNK if n_events > EVENTS_PER_CHUNK else None
        order = "".join(c for c in COMPONENTS if c in self.cut.components)
        card = _card(self.members, sets, self.cut) | {"fingerprint": fingerprint}
        with WaveformSetWriter(folder, card=card, component_order=order, events_per_chunk=chunk) as writer:
            for member, waveform_set in zip(self.members, sets, strict=True):
                events = _events(member, waveform_set, self.cut, order, self.seed, rejected)
                for rows, waveforms in events:
                    writer.add_event(rows, waveforms)
            rejections = [item for one in rejected for item in one.items]
            counts = Counter(f"{item.source}/{item.cause}" for item in rejections)
            writer.card["rejected"] = dict(sorted(counts.items()))
            write_rejections(writer.partial / FILE_NAME, rejections)
        for cause, number in sorted(counts.items()):
            log.info("Left out of the combined set: %s %d", cause, number)
        told = told_twice(EventFacts.of(WaveformSet(folder)))
        if told:
            log.warning("%s in the combined set; splits keep them on one side", told.describe())


def _folder(data_dir: str | Path, fingerprint: str) -> Path:
    return Path(data_dir).expanduser() / f"combined-{fingerprint}"


def _build(kind: type, content: dict[str, Any], where: str) -> Any:
    allowed = list(kind.__dataclass_fields__)  # type: ignore[attr-defined]
    unknown = [key for key in content if key not in allowed]
    if unknown:
        raise ConfigurationError(f"{where} has no setting '{unknown[0]}'. {did_you_mean(unknown[0], allowed)}")
    try:
        return kind(**content)
    except TypeError as error:
        raise ConfigurationError(f"{where} is incomplete: {error}") from error


def _card(members: list[Member], sets: list[WaveformSet], cut: Cut) -> dict[str, Any]:
    def said(key: str) -> list[str]:
        found = [one.card.get(key, "not stated") for one in sets]
        lists = [item if isinstance(item, list) else [item] for item in found]
        return sorted({str(item) for items in lists for item in items})

    names = [member.label for member in members]
    steps = [f"components {cut.components}, {cut.sampling_rate_hz:g} Hz"]
    if cut.band_hz is not None:
        steps.append(f"band-pass {cut.band_hz[0]:g} to {cut.band_hz[1]:g} Hz, {BAND_FILTER}")
    steps.append(f"{cut.length_s:g} s from {cut.before_s:g} s before the onset, moved at random by {cut.jitter_s:g} s")
    return {
        "name": "+".join(names),
        "description": f"Combined from {', '.join(names)}, with equal windows",
        "source": [{"name": name, "fingerprint": one.fingerprint} for name, one in zip(names, sets, strict=True)],
        "licence": said("licence"),
        "citation": said("citation"),
        "unit": "normalised" if cut.normalise != "none" else " or ".join(said("unit")),
        "processing": steps + ([] if cut.normalise == "none" else [f"divided by {cut.normalise}"]),
        "parameters": asdict(cut) | {"sets": [asdict(member) for member in members]},
    }


def translate(table: pd.DataFrame, member: Member) -> pd.DataFrame:
    """Return the table in the vocabulary of the combined set; values mapped to nothing become missing.

    Raises:
        DataError: a column to translate is not there.
    """
    for column in member.columns:
        if column not in table:
            raise DataError(f"set '{member.label}' has no column '{column}'. {did_you_mean(column, list(table))}")
    # A column of the new name that is there already gives way.
    clashing = [new for old, new in member.columns.items() if new in table and new != old]
    table = table.drop(columns=clashing).rename(columns=dict(member.columns))
    for column in (*member.values, *member.factors, *member.select):
        if column not in table:
            raise DataError(f"set '{member.label}' has no column '{column}'. {did_you_mean(column, list(table))}")
    for column, mapping in member.values.items():
        old = table[column].astype(object)
        table[column] = [mapping.get(value, value) if isinstance(value, str) else value for value in old]
    for column, factor in member.factors.items():
        table[column] = pd.to_numeric(table[column], errors="coerce") * factor
    return table


def _events(
    member: Member, waveform_set: WaveformSet, cut: Cut, order: str, seed: int, rejected: list[RejectionLog]
) -> Iterator[tuple[list[dict[str, Any]], list[np.ndarray]]]:
    table = translate(waveform_set.metadata, member)
    for source_id in waveform_set.source_ids:
        own_id = f"{member.label}:{source_id}"
        refused = RejectionLog(member.label, own_id)
        rejected.append(refused)
        rows = waveform_set.rows(source_id)
        part = table.iloc[rows]
        try:
            _check_event(part, member)
        except Refusal as refusal:
            refused.add(refusal)
            continue
        waveforms, recorded = waveform_set.read_rows(rows, order)
        kept = []
        for number, row in enumerate(part.to_dict("records")):
            station = f"{row.get('station_network_code', '')}.{row.get('station_code', '')}..{rows[number]}"
            try:
                kept.append(
                    _cut_trace(row, waveforms[number], recorded[number], cut, order, f"{own_id}/{station}", seed)
                )
            except Refusal as refusal:
                refused.add(refusal, trace_id=station)
        if kept:
            yield [_columns(row, own_id, member.label) for row, _ in kept], [waveform for _, waveform in kept]
        else:
            refused.add(Refusal("event", "few_stations", "no trace is left"))


def _check_event(part: pd.DataFrame, member: Member) -> None:
    first = part.iloc[0]
    for column in member.values:
        if None in member.values[column].values() and pd.isna(first[column]):
            raise Refusal("event", "class_left_out", f"its {column} is left out")
    for column, wanted in member.select.items():
        if first[column] not in list(wanted):
            raise Refusal("event", "not_selected", f"its {column} is '{first[column]}'")


def _cut_trace(
    row: dict[str, Any], waveform: np.ndarray, recorded: np.ndarray, cut: Cut, order: str, name: str, seed: int
) -> tuple[dict[str, Any], np.ndarray]:
    """One trace in the common window, and its row.

    Raises:
        Refusal: it lacks a component, samples, a rate, an onset or motion.
    """
    rate_hz, new_hz = float(row["trace_sampling_rate_hz"]), cut.sampling_rate_hz
    if not recorded.all():
        raise Refusal("selection", "component", f"has not all of the components {order}")
    if rate_hz < new_hz and not same_rate(rate_hz, new_hz):
        raise Refusal("quality", "slow_sampling", f"sampled at {rate_hz:g} Hz < {new_hz:g} Hz", rate_hz)
    onset_s = _onset_s(row)
    shift_s = float(
        numpy_stream(seed, "combined/window", zlib.crc32(name.encode())).uniform(-cut.jitter_s, cut.jitter_s)
    )
    first = round((onset_s - cut.before_s + shift_s) * new_hz)
    length = round(cut.length_s * new_hz)
    earliest_s = onset_s - cut.before_s - cut.jitter_s
    # Every shift must be possible: where only some fit, the place of the onset would tell the set after all.
    if earliest_s < 0 or earliest_s + 2 * cut.jitter_s + cut.length_s > waveform.shape[1] / rate_hz:
        raise Refusal("window", "outside_recording", "the window does not lie inside the recording")
    samples = waveform.astype(np.float64)
    if cut.band_hz is not None:
        samples = band_pass(samples, rate_hz, cut.band_hz)
    if not same_rate(rate_hz, new_hz):
        samples = resample(samples.astype(np.float32), rate_hz, new_hz)
    samples = samples[:, first : first + length]
    if samples.shape[1] < length:
        raise Refusal("window", "outside_recording", "the window does not lie inside the recording")
    scale = float(np.abs(samples).max())
    if scale == 0:
        raise Refusal("window", "flat", "zero throughout the window", 0.0)
    samples = samples / scale if cut.normalise == "trace_max" else samples
    return _moved(row, first / new_hz, onset_s, length, cut), samples.astype(np.float32)


def _onset_s(row: Mapping[str, Any]) -> float:
    rate_hz = float(row["trace_sampling_rate_hz"])
    picked = () if row.get("trace_p_status") == THEORETICAL else ONSETS
    candidates = [row.get("trace_onset_s"), *(_divided(row.get(column), rate_hz) for column in picked)]
    known = [float(value) for value in candidates if value is not None and pd.notna(value)]
    if not known:
        raise Refusal("window", "no_onset", "neither onset nor P pick says where to cut")
    return known[0]


def _divided(value: Any, rate_hz: float) -> float:
    number = pd.to_numeric(value, errors="coerce") if value is not None else np.nan
    return float(number) / rate_hz


def _moved(row: dict[str, Any], start_s: float, onset_s: float, length: int, cut: Cut) -> dict[str, Any]:
    """The row with times and samples counted from the new start."""
    rate_hz, new_hz = float(row["trace_sampling_rate_hz"]), cut.sampling_rate_hz
    row = _with_samples({key: value for key, value in row.items() if key not in DROPPED}, rate_hz)
    for column in [key for key in row if str(key).endswith("_sample")]:
        sample = (_divided(row[column], rate_hz) - start_s) * new_hz
        row[column] = round(sample, 2) if 0 <= sample < length else np.nan
    if isinstance(row.get("trace_start_time"), str):
        start = pd.Timestamp(row["trace_start_time"]) + pd.Timedelta(seconds=start_s)
        start = start.tz_localize("UTC") if start.tzinfo is None else start
        row["trace_start_time"] = start.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    changed: dict[str, Any] = {"trace_onset_s": round(onset_s - start_s, 4), "trace_sampling_rate_hz": new_hz}
    changed |= {"trace_original_sampling_rate_hz": row.get("trace_original_sampling_rate_hz", rate_hz)}
    changed["trace_component_order"] = "".join(c for c in COMPONENTS if c in cut.components)
    return row | changed | ({"trace_unit": "normalised"} if cut.normalise != "none" else {})


def _with_samples(row: dict[str, Any], rate_hz: float) -> dict[str, Any]:
    """The row with computed arrivals, which synthetic sets once held in seconds, as samples like all others."""
    for phase in ("p", "s"):
        time_s = row.pop(f"trace_theoretical_{phase}_s", None)
        if pd.notna(time_s) and f"trace_{phase}_arrival_sample" not in row:
            row[f"trace_{phase}_arrival_sample"] = float(time_s) * rate_hz
            row[f"trace_{phase}_status"] = THEORETICAL
    return row


def _columns(row: dict[str, Any], own_id: str, label: str) -> dict[str, Any]:
    cell = row.get("source_cell")
    own = {"source_id": own_id, "source_set": label}
    # Events without a place keep their own company, and cells of the map are the same in all sets.
    named = isinstance(cell, str) and cell and not cell.startswith("none-")
    return row | own | {"source_cell": cell if named else f"none-{own_id}"}
