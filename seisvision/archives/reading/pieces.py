"""The pieces of a sensor's channels in a span of time, read as often as it takes from files that are looked at once."""

from __future__ import annotations

from pathlib import Path

from seisvision.archives.losses import LossBook
from seisvision.archives.reading.listing import SDS_NAME
from seisvision.archives.reading.sensor_days import SensorDay
from seisvision.data.importing.formats.miniseed import SoundFile, is_mseed
from seisvision.data.importing.formats.reading import Request
from seisvision.data.importing.formats.segment import Segment, checked, cut
from seisvision.data.importing.formats.waveform_files import read_segments
from seisvision.data.importing.rejections import Refusal
from seisvision.data.importing.sensors.channel_codes import clean_codes


class SensorReader:
    """Reads one sensor.

    Args:
        sensor_day: names the sensor and its files.
        book: what cannot be read is told there, once a file.
    """

    def __init__(self, sensor_day: SensorDay, book: LossBook) -> None:
        self._day, self._book = sensor_day, book
        self._files: dict[str, SoundFile | None] = {}
        self._told: set[tuple[str, str]] = set()

    def read(self, span_ns: tuple[int, int]) -> dict[str, list[Segment]]:
        """Pieces by the last letter of the channel, in the order of time."""
        found: dict[str, list[Segment]] = {}
        for path, name in self._day.files:
            for segment in self._read_file(Path(path), name, span_ns):
                letter = segment.channel[-1:]
                if self._is_own(segment) and letter in self._day.letters:
                    found.setdefault(letter, []).append(segment)
        return {letter: sorted(members, key=_order) for letter, members in found.items()}

    def _is_own(self, segment: Segment) -> bool:
        sensor = (segment.network, segment.station, segment.location, segment.channel[:-1])
        return sensor == (*self._day.codes, self._day.band)

    def _read_file(self, path: Path, name: str, span_ns: tuple[int, int]) -> list[Segment]:
        losses: list[Refusal] = []
        try:
            segments = self._segments(path, name, span_ns, losses)
        except Refusal as refusal:
            segments, losses = [], [refusal]
        except Exception as error:  # any damage: the file is told with what the reader said
            message = (str(error).strip() or type(error).__name__).splitlines()[0].replace(str(path), name)
            segments, losses = [], [Refusal("read", "unreadable", f"cannot be read: {message}")]
        for loss in losses:
            self._tell(name, loss)
        sound = []
        for segment in segments:
            if segment.flaw is not None:
                if self._is_own(segment):
                    self._tell(name, segment.flaw)
            elif segment.n_samples:
                sound.append(clean_codes(segment, {}))
        return sound

    def _segments(self, path: Path, name: str, span_ns: tuple[int, int], losses: list[Refusal]) -> list[Segment]:
        if str(path) not in self._files:
            self._files[str(path)] = SoundFile(path, losses) if path.stat().st_size and is_mseed(path) else None
            self._check_channels(path, name)
        whole = self._files[str(path)]
        if whole is None:
            return read_segments(path, span_ns, losses=losses)
        request = Request(path, span_ns)
        segments = [checked(segment) for segment in whole.read(request)]
        losses += request.losses
        return [segment if segment.flaw else cut(segment, *span_ns) for segment in segments]

    def _check_channels(self, path: Path, name: str) -> None:
        """Tell of a file whose name in an SDS says what its records do not."""
        whole = self._files[str(path)]
        if whole is None or SDS_NAME.fullmatch(path.name) is None:
            return
        held = {segment.trace_id for segment in whole.read(Request(path, headers_only=True))}
        own = {segment for segment in held if tuple(segment.split(".")[:3]) == self._day.codes}
        if not any(trace_id.split(".")[3][:-1] == self._day.band for trace_id in own):
            shown = ", ".join(sorted(held)[:5])
            self._tell(name, Refusal("read", "other_channels", f"holds {shown}, not what its name says"))

    def _tell(self, name: str, refusal: Refusal) -> None:
        if (name, refusal.cause) not in self._told:
            self._told.add((name, refusal.cause))
            self._book.add_other(refusal.cause, str(refusal), file=name)


def _order(segment: Segment) -> tuple[int, int, float]:
    return segment.start_ns, segment.n_samples, segment.rate_hz
