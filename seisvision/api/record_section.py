"""One event as seismologists draw it: time in seconds against distance in kilometres."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seisvision.data.importing.series.band import band_pass
from seisvision.data.samples.event_index import build_event_index
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import ConfigurationError, DataError
from seisvision.evaluation.figure_style import COLOURS, panel_grid, plain_text
from seisvision.keys import COMPONENTS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH_IN, LEAST_HEIGHT_IN, MOST_HEIGHT_IN = 9.0, 4.0, 12.0
MOST_LABELS = 40
"""Stations beyond which their names would stand on each other."""
TALL = 0.45
"""Half the height of a trace, in distances between neighbours."""


def draw_record_section(
    waveform_set: WaveformSet,
    rows: np.ndarray,
    event_id: str,
    component: str | None = None,
    band_hz: tuple[float, float] | None = None,
) -> Figure:
    """Draw the recordings of an event, each scaled to its own largest value.

    Time counts from the origin where it is known, else from the first sample of the event. Where every distance is
    known the stations stand at theirs, else in the order of the set. P and S are marked where the set has them.

    Args:
        waveform_set: the set.
        rows: (S,) of the event.
        event_id: for the title.
        component: one letter; None the first of Z, N, E that was recorded.
        band_hz: corners of a zero-phase band-pass; None as stored.

    Raises:
        DataError: no recording has this component.
        ConfigurationError: the band is not allowed.
    """
    letter = _component(waveform_set, rows, component)
    waveforms, mask = waveform_set.read_rows(rows, letter)
    index = build_event_index(waveform_set, [event_id])
    recorded = np.flatnonzero(mask[:, 0])
    origin_s = float(index.origin_s[0])
    zero_s = 0.0 if np.isnan(origin_s) else origin_s
    offsets_km = index.offset_km[recorded]
    has_place = bool(np.isfinite(offsets_km).all()) and len(recorded) > 0
    heights = offsets_km if has_place else np.arange(len(recorded), dtype=float)
    spread = np.ptp(heights) or 1.0
    size = TALL * spread / max(len(recorded) - 1, 1) if has_place else TALL
    height_in = float(np.clip(0.28 * len(recorded) + 1.5, LEAST_HEIGHT_IN, MOST_HEIGHT_IN))
    figure, (axes,) = panel_grid(1, 1, WIDTH_IN, height_in)
    metadata = waveform_set.table
    for number, height in zip(recorded.tolist(), heights.tolist(), strict=True):
        rate_hz = float(index.sampling_rate_hz[number])
        samples = _filtered(waveforms[number][0].astype(float), rate_hz, band_hz)
        times_s = index.start_s[number] - zero_s + np.arange(len(samples)) / rate_hz
        scaled = samples - samples.mean()
        axes.plot(times_s, height + size * scaled / (np.abs(scaled).max() or 1.0), color="black", linewidth=0.5)
        for phase, colour in zip((0, 1), COLOURS, strict=False):
            at_s = index.arrivals_s[number, phase] - zero_s
            label = f"{'PS'[phase]} of the set"
            axes.plot([at_s, at_s], [height - size, height + size], color=colour, linewidth=1.2, label=label)
        if len(recorded) <= MOST_LABELS:
            row = metadata.iloc[rows[number]]
            name = ".".join(str(row.get(part, "")) for part in ("station_network_code", "station_code"))
            axes.annotate(
                plain_text(name), (1.005, height), xycoords=("axes fraction", "data"), fontsize=7, va="center"
            )
    _label(axes, event_id, letter, band_hz, np.isnan(origin_s), has_place, index.arrivals_s)
    return figure


def _component(waveform_set: WaveformSet, rows: np.ndarray, asked: str | None) -> str:
    orders = set("".join(waveform_set.table["trace_component_order"].iloc[rows].astype(str)))
    letter = asked or next((one for one in (*COMPONENTS, *sorted(orders)) if one in orders), "Z")
    if len(letter) != 1 or letter not in orders:
        there = ", ".join(sorted(orders))
        raise DataError(f"component='{letter}' was recorded at no station of this event; it has {there}. Name one.")
    return letter


def _filtered(samples: np.ndarray, rate_hz: float, band_hz: tuple[float, float] | None) -> np.ndarray:
    if band_hz is None:
        return samples
    low, high = band_hz
    if not 0 < low < high <= rate_hz / 2:
        raise ConfigurationError(
            f"band_hz={band_hz} is not allowed; give two rising frequencies in Hz, up to {rate_hz / 2:g} Hz, half the "
            "sampling rate."
        )
    return band_pass(samples, rate_hz, band_hz, zerophase=True)


def _label(
    axes: object, event_id: str, letter: str, band_hz: tuple[float, float] | None, no_origin: bool, has_place: bool,
    arrivals_s: np.ndarray,
) -> None:  # fmt: skip
    from matplotlib.axes import Axes

    assert isinstance(axes, Axes)
    band = "as stored" if band_hz is None else f"{band_hz[0]:g} to {band_hz[1]:g} Hz"
    title = f"{plain_text(event_id)}: component {letter}, {band}, each trace by its largest value"
    axes.set(
        title=title,
        xlabel="seconds after the first sample" if no_origin else "seconds after the origin",
        ylabel="epicentral distance, km" if has_place else "station, in the order of the set",
    )
    if not has_place:
        axes.set_yticks([])
    if np.isfinite(arrivals_s).any():
        handles, labels = axes.get_legend_handles_labels()
        known = dict(zip(labels, handles, strict=True))
        axes.legend(known.values(), known.keys(), loc="upper right", fontsize=8)
