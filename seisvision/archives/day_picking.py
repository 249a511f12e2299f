"""One day of a sensor, in pieces that follow one another: the next is read while the last is computed."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from seisvision.archives.around import Around
from seisvision.archives.losses import Loss, LossBook
from seisvision.archives.networks import CurveNetwork
from seisvision.archives.peaks import AMPLITUDE_S, amplitude, find_peaks, window_residual
from seisvision.archives.pick_table import ArchivePick
from seisvision.archives.reading.channel_grid import FLAT_S, Span
from seisvision.archives.reading.pieces import SensorReader
from seisvision.archives.reading.sensor_days import SensorDay
from seisvision.archives.reading.sensor_grid import SensorGrid, SensorLayout
from seisvision.archives.reading.units import amplitude_units
from seisvision.archives.settings import PickSettings
from seisvision.archives.stacking import stack_curves
from seisvision.archives.windows import (
    bridge_short,
    cut_windows,
    cut_zero_filled,
    starts_in_blocks,
    starts_on_grid,
    with_enough,
)
from seisvision.data.importing.series.gaps import runs_of
from seisvision.data.importing.tables.channel_table import ChannelTable
from seisvision.data.importing.tables.times import DAY_S, NS
from seisvision.keys import COMPONENTS

LEAST_KNOWN_S = 1.0
"""A window with less costs nothing."""
BRIDGED_S = 0.5
"""Gaps that do not part two pieces."""


@dataclass(frozen=True)
class DayResult:
    """What a day came to; ``picked_s`` is how much of it was seen by the network."""

    picks: list[ArchivePick]
    losses: list[Loss]
    picked_s: float


@dataclass(frozen=True)
class Curves:
    """Curves of a piece of a day.

    Args:
        begin: first sample, counted from the start of the day.
        stacked: (K, T) by phase, 0 where nothing is known.
        seen: (T,) number of windows.
        starts: (W,) of all windows, counted from the start of the day.
        windows: (W, K, n_samples) curve of each.
    """

    begin: int
    stacked: np.ndarray
    seen: np.ndarray
    starts: np.ndarray
    windows: np.ndarray


class DayPicker:
    """Picks days of sensors with one network.

    Args:
        network: gives curves.
        table: angles and sensitivities of channels; empty where none are known.
        around: what of the archive is wanted; None: all.
        device: where the network is.
    """

    def __init__(
        self,
        network: CurveNetwork,
        settings: PickSettings,
        table: ChannelTable | None = None,
        around: Around | None = None,
        device: str = "cpu",
    ) -> None:
        self._network, self._settings, self._around = network, settings, around
        self._table = ChannelTable() if table is None else table
        self._device = torch.device(device)
        self.rate_hz = float(settings.rate_hz or network.sampling_rate_hz)
        self._length = int(network.n_samples)
        self._step = max(1, self._length - round(settings.overlap * self._length))
        blind_s = settings.blind_s
        self._blind = self._length // 12 if blind_s is None else round(blind_s * self.rate_hz)
        if settings.windows == "blocks" and blind_s is None:
            self._blind = 0
        # A window must see something that its neighbours do not have to.
        self._blind = min(self._blind, (self._length - self._step) // 2)
        self._separation = max(1, round(settings.separation_s * self.rate_hz))
        self._order = [COMPONENTS.index(letter) for letter in network.components]

    def pick(self, sensor_day: SensorDay) -> DayResult:
        """Pick one day; what its files say of other days is left to those."""
        day_start_ns = sensor_day.day * DAY_S * NS
        book = LossBook(sensor_day.codes, day_start_ns, self.rate_hz)
        picks: list[ArchivePick] = []
        rates: dict[str, set[float]] = {}
        n_known, n_components = 0, np.zeros(3, dtype=np.int64)
        units = amplitude_units(self._table, sensor_day)
        for owned, grid in self._grids(sensor_day, book):
            if not grid.rates_hz:
                continue
            for channel, found in grid.rates_hz.items():
                rates.setdefault(channel, set()).update(found)
            inside = slice(owned[0] - grid.span.first, owned[1] - grid.span.first)
            usable = self._usable(grid, owned, book, sensor_day)
            n_known += int(np.count_nonzero(usable[inside]))
            n_components += np.count_nonzero(grid.known[:, inside], axis=1)
            if usable.any():
                curves = self.curves(grid, usable, owned, sensor_day.day)
                picks += self._picks(curves, grid, owned, sensor_day, units)
        self._tell_rates(rates, book)
        for component, n_samples in zip(COMPONENTS, n_components.tolist(), strict=True):
            if component in self._network.components and not n_samples and n_known:
                book.add_other(
                    "missing_component", f"{sensor_day.band}{component}", seconds=n_known / self.rate_hz,
                    channels=f"{sensor_day.band}{component}",
                )  # fmt: skip
        return DayResult(sorted(picks), book.losses(), n_known / self.rate_hz)

    def grids(self, sensor_day: SensorDay) -> Iterator[tuple[tuple[int, int], SensorGrid]]:
        """Pieces of the day: the samples that each answers for, and the recording with what lies around them."""
        return self._grids(sensor_day, LossBook(sensor_day.codes, sensor_day.day * DAY_S * NS, self.rate_hz))

    def _grids(self, sensor_day: SensorDay, book: LossBook) -> Iterator[tuple[tuple[int, int], SensorGrid]]:
        reader, layout = SensorReader(sensor_day, book), SensorLayout(sensor_day, self._table, book)

        def read(owned: tuple[int, int]) -> SensorGrid:
            span = self._span(owned, sensor_day.day)
            begin_ns, end_ns = span.times_ns
            return layout.lay_out(reader.read((begin_ns - NS, end_ns + NS)), span, owned)

        pieces = self._pieces(sensor_day.day)
        with ThreadPoolExecutor(1, "reads-ahead") as ahead:
            waiting = ahead.submit(read, pieces[0]) if pieces else None
            for number, owned in enumerate(pieces):
                assert waiting is not None
                grid = waiting.result()
                if number + 1 < len(pieces):
                    waiting = ahead.submit(read, pieces[number + 1])
                yield owned, grid

    def _pieces(self, day: int) -> list[tuple[int, int]]:
        """Samples of each piece of a day that is wanted."""
        n_samples = round(DAY_S * self.rate_hz)
        if self._settings.windows == "blocks":
            return [(0, n_samples)]
        size = round(self._settings.piece_s * self.rate_hz)
        pieces = [(begin, min(begin + size, n_samples)) for begin in range(0, n_samples, size)]
        if self._around is None:
            return pieces
        day_start_ns = day * DAY_S * NS
        return [
            piece
            for piece in pieces
            if self._around.samples(day_start_ns, self.rate_hz, piece[0], piece[1] - piece[0]).any()
        ]

    def _span(self, owned: tuple[int, int], day: int) -> Span:
        """What must be read so that the curves of a piece are those of an endless recording."""
        margin = 0
        if self._settings.windows == "grid":
            # Gaps of up to half a window must be seen whole by all windows that touch them.
            margin = (
                self._length + self._length // 2 + self._separation + round((FLAT_S + AMPLITUDE_S + 5) * self.rate_hz)
            )
        return Span(owned[0] - margin, owned[1] - owned[0] + 2 * margin, self.rate_hz, day * DAY_S * NS)

    def _usable(self, grid: SensorGrid, owned: tuple[int, int], book: LossBook, sensor_day: SensorDay) -> np.ndarray:
        """Samples (T,) of which any component is known, without pieces that are too short to be picked."""
        known: np.ndarray = np.any(grid.known, axis=0)
        if known.all():
            return known
        bridge, shortest = round(BRIDGED_S * self.rate_hz), round(self._settings.shortest_s * self.rate_hz)
        for begin, end in _runs_over(known, bridge):
            # What is cut by the ends of the span may go on beyond them.
            if end - begin < shortest and begin > 0 and end < len(known):
                known[begin:end] = False
                first = grid.span.first
                span = (max(first + begin, owned[0]), min(first + end, owned[1]))
                if span[1] > span[0]:
                    book.add(sensor_day.band + sensor_day.letters, "short_piece", [span])
        return known

    def curves(self, grid: SensorGrid, usable: np.ndarray, owned: tuple[int, int], day: int) -> Curves:
        """Curves of the samples that a piece answers for, and of those around them that picks depend on."""
        reach = self._separation + 1
        first, n_samples = grid.span.first, round(DAY_S * self.rate_hz)
        begin, end = owned[0] - reach, owned[1] + reach
        if self._settings.windows == "blocks":
            begin, end = owned
            starts = starts_in_blocks(usable, self._step, self._length)
        else:
            starts = starts_on_grid(day * n_samples, begin, end, self._step, self._length) - first
            wanted = usable
            if self._around is not None:
                wanted = usable & self._around.samples(grid.span.day_start_ns, self.rate_hz, first, len(usable))
            starts = with_enough(wanted, starts, self._length, 1)
            starts = with_enough(usable, starts, self._length, round(LEAST_KNOWN_S * self.rate_hz))
        windows = self._run(grid, usable, starts)
        pairs = zip((starts + first).tolist(), windows, strict=True)
        how, blind = self._settings.stack, self._blind
        stacked, seen = stack_curves(pairs, windows.shape[1], begin, end, blind, how)
        stacked[:, ~usable[begin - first : end - first]] = 0
        return Curves(begin, stacked, seen, starts + first, windows)

    def _run(self, grid: SensorGrid, usable: np.ndarray, starts: np.ndarray) -> np.ndarray:
        """Curves (W, K, n_samples) of the phases in all windows."""
        rows = [list(self._network.curve_names).index(phase) for phase in self._network.phases]
        made = np.empty((len(starts), len(rows), self._length), dtype=np.float32)
        samples, known = grid.samples, grid.known & usable
        if self._settings.windows == "grid":
            samples, known = bridge_short(samples, known, self._length // 2)
        for begin in range(0, len(starts), self._settings.batch_size):
            some = starts[begin : begin + self._settings.batch_size]
            if self._settings.windows == "blocks":
                windows = cut_zero_filled(samples, some.tolist(), self._length, self._order)
            else:
                windows = cut_windows(samples, known, some.tolist(), self._length, self._order)
            with torch.inference_mode():
                found = self._network.curves(torch.from_numpy(windows).to(self._device))
            made[begin : begin + len(some)] = found[:, rows].float().cpu().numpy()
        return made

    def _picks(
        self, curves: Curves, grid: SensorGrid, owned: tuple[int, int], sensor_day: SensorDay, units: tuple[float, str]
    ) -> Iterator[ArchivePick]:
        wanted = None
        if self._around is not None:
            length = owned[1] - owned[0]
            wanted = self._around.samples(grid.span.day_start_ns, self.rate_hz, owned[0], length)
        for number, phase in enumerate(self._network.phases):
            threshold = self._settings.threshold(phase)
            for peak in find_peaks(curves.stacked[number], threshold, self._separation).tolist():
                at = curves.begin + peak
                if owned[0] <= at < owned[1] and (wanted is None or wanted[at - owned[0]]):
                    yield self._pick(curves, grid, sensor_day, number, at, units)

    def _pick(
        self, curves: Curves, grid: SensorGrid, sensor_day: SensorDay, number: int, at: int, units: tuple[float, str]
    ) -> ArchivePick:
        phase, sample = self._network.phases[number], at - grid.span.first
        seeing = np.flatnonzero(
            (curves.starts + self._blind <= at) & (at < curves.starts + self._length - self._blind)
        ).tolist()
        residual = window_residual(
            [curves.windows[one, number] for one in seeing],
            [at - int(curves.starts[one]) for one in seeing],
            self._separation,
            self._settings.threshold(phase),
        )
        letters = dict.fromkeys(
            "".join(made for made, known in zip(grid.channels, grid.known[:, sample], strict=True) if known)
        )
        time_s = at / self.rate_hz + grid.time_late_s(sample)
        scaled, unit = units
        return ArchivePick(
            grid.span.day_start_ns + round(time_s * NS),
            *sensor_day.codes,
            " ".join(sensor_day.band + letter for letter in letters),
            phase,
            float(curves.stacked[number, at - curves.begin]),
            amplitude(grid.samples, grid.known, sample, self.rate_hz) / scaled,
            unit,
            residual / self.rate_hz,
            len(seeing),
        )

    def _tell_rates(self, rates: dict[str, set[float]], book: LossBook) -> None:
        """Channels of several rates, and sensors whose channels differ in theirs."""
        if len({rate for found in rates.values() for rate in found}) > 1:
            detail = "; ".join(
                f"{channel} {', '.join(f'{rate:g}' for rate in sorted(found))} Hz"
                for channel, found in sorted(rates.items())
            )
            book.add_other("two_rates", detail, channels=" ".join(sorted(rates)), seconds=0.0)


def _runs_over(known: np.ndarray, bridge: int) -> list[tuple[int, int]]:
    """Runs of True that gaps of up to ``bridge`` do not part."""
    runs: list[tuple[int, int]] = []
    for begin, end in runs_of(known):
        if runs and begin - runs[-1][1] <= bridge:
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((begin, end))
    return runs
