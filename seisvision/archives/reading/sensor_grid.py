"""The channels of a sensor as Z, N and E on the grid of the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from seisvision.archives.losses import LossBook
from seisvision.archives.reading.channel_grid import ChannelGrid, Span, lay_on_grid
from seisvision.archives.reading.sensor_days import SensorDay
from seisvision.data.importing.formats.segment import Segment
from seisvision.data.importing.sensors.directions import ANGLES, Direction, sensor_directions
from seisvision.data.importing.sensors.orientation import Turn, plan_turns
from seisvision.data.importing.tables.channel_table import ChannelTable
from seisvision.keys import COMPONENTS

STANDS_FOR = {"1": 1, "2": 2, "3": 0, "Z": 0, "N": 1, "E": 2}
"""Component (Z, N, E) that a channel mostly stands for where no angles are known."""


@dataclass(frozen=True)
class SensorGrid:
    """Components on a span of the grid.

    Args:
        samples: (3, T) float64, Z, N, E, in the unit of the recording; 0 where nothing is known.
        known: (3, T) bool.
        late_s: see :class:`ChannelGrid`, of the channel that comes first.
        rates_hz: by channel.
        channels: letters of the channels that each component is made of.
    """

    span: Span
    samples: np.ndarray
    known: np.ndarray
    late_s: list[tuple[int, int, float]]
    rates_hz: dict[str, set[float]]
    channels: tuple[str, str, str]

    def time_late_s(self, sample: int) -> float:
        """By how much a sample of the span was recorded after the time of the grid."""
        return next((late for first, last, late in self.late_s if first <= sample < last), 0.0)


class SensorLayout:
    """How the components of one sensor are made of its channels, decided once a day.

    Args:
        table: angles of channels; empty where none are known.
        book: channels that are not turned or not used are told there.
    """

    def __init__(self, sensor_day: SensorDay, table: ChannelTable, book: LossBook) -> None:
        self._day, self._table, self._book = sensor_day, table, book
        self._turns: dict[frozenset[str], list[tuple[str, Turn]]] = {}

    def lay_out(self, pieces: Mapping[str, Sequence[Segment]], span: Span, owned: tuple[int, int]) -> SensorGrid:
        """Components from the pieces of every channel; losses are told of the samples that are ``owned`` only."""
        grids: dict[str, ChannelGrid] = {}
        if not any(pieces.values()):
            for letter in self._day.letters:
                self._book.add(self._day.band + letter, "gap", [owned])
            # Neither is written to memory before somebody asks for it.
            nothing, unknown = np.zeros((3, span.length)), np.zeros((3, span.length), dtype=bool)
            return SensorGrid(span, nothing, unknown, [], {}, ("", "", ""))
        for letter in self._day.letters:
            channel = self._day.band + letter

            def note(reason: str, spans: list[tuple[int, int]], detail: str, channel: str = channel) -> None:
                clipped = [(max(begin, owned[0]), min(end, owned[1])) for begin, end in spans]
                self._book.add(channel, reason, [one for one in clipped if one[1] > one[0]], detail)

            grids[letter] = lay_on_grid(pieces.get(letter, ()), span, note)
        samples, known = np.zeros((3, span.length)), np.zeros((3, span.length), dtype=bool)
        channels = ["", "", ""]
        for letters, turn in self._plan(pieces):
            there = grids[letters[0]].known
            if len(letters) > 1:
                there = np.logical_and.reduce([grids[letter].known for letter in letters])
            for row, component in enumerate(turn.components):
                if turn.is_plain:
                    made = grids[letters[row]].samples
                else:
                    weights = turn.matrix[row]
                    made = sum(w * grids[letter].samples for w, letter in zip(weights, letters, strict=True))
                if not known[component].any():
                    samples[component], known[component] = made, there
                else:
                    new = there & ~known[component]
                    samples[component][new] = np.asarray(made)[new]
                    known[component] |= there
                channels[component] += "".join(letter for letter in letters if letter not in channels[component])
        first = next((grids[letter] for letter in self._day.letters if grids[letter].known.any()), None)
        rates = {self._day.band + letter: grid.rates_hz for letter, grid in grids.items() if grid.rates_hz}
        late = [] if first is None else first.late_s
        return SensorGrid(span, samples, known, late, rates, (channels[0], channels[1], channels[2]))

    def _plan(self, pieces: Mapping[str, Sequence[Segment]]) -> list[tuple[str, Turn]]:
        """Letters of channels and what is made of them, for the channels that there are at this time."""
        there = frozenset(letter for letter, members in pieces.items() if members)
        if there and there not in self._turns:
            self._turns[there] = self._planned({letter: pieces[letter][0] for letter in there})
        return self._turns.get(there, [])

    def _planned(self, first: Mapping[str, Segment]) -> list[tuple[str, Turn]]:
        sensor = {letter: first[letter] for letter in self._day.letters if letter in first}
        found = sensor_directions(sensor, self._table, ANGLES)
        pointed = [letter for letter, direction in found.items() if isinstance(direction, Direction)]
        axes = [direction.axis for direction in found.values() if isinstance(direction, Direction)]
        turns = [("".join(pointed[row] for row in turn.channels), turn) for turn in plan_turns(axes)]
        used = "".join(letters for letters, _ in turns)
        made = {component for _, turn in turns for component in turn.components}
        for letter in sensor:
            if letter in used:
                continue
            component = STANDS_FOR.get(letter)
            verdict = found[letter]
            why = "its partner is missing" if isinstance(verdict, Direction) else str(verdict)
            channel = self._day.band + letter
            if component is None or component in made:
                self._book.add_other("not_used", why, channels=channel)
                continue
            made.add(component)
            turns.append((letter, Turn((0,), (component,), np.eye(1))))
            detail = f"taken for {COMPONENTS[component]}: {why}"
            self._book.add_other("not_turned", detail, channels=channel, seconds=0.0)
        return turns
