"""Which stretch of time is cut out of a recording, and how it is read."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace

import numpy as np

from seisvision.data.samples.resample import resample, same_rate, settling_samples, stretch_start
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import ConfigurationError, DataError, did_you_mean
from seisvision.seeding import numpy_stream

REFERENCES = ("trace", "origin", "onset", "random")


@dataclass(frozen=True)
class Window:
    """The stretch of time cut from every trace of an event (one for all, so that moveout is kept) or from one trace.

    Attributes:
        reference: what ``start_s`` counts from: ``"trace"`` (start of the trace; of the earliest of an event),
            ``"origin"`` (origin time) or ``"onset"`` (onset of the trace; for events the median over the traces,
            because single picks go astray). ``"random"``, for single traces, draws a start such that the window lies
            inside the recording.
        start_s: start after the reference, negative for before. Not used by ``"random"``.
        length_s: length.
        jitter_s: the start moves by a random amount up to this, either way, fixed per event or trace and seed. Not
            used by ``"random"``.
        complete: for single traces: the recording must fill the window. Where it does not, the zeros before or after
            it tell how long after the origin time the reference lies, hence the distance.
        redrawn: in training the start moves by up to ``jitter_s`` anew in every epoch. All else, validation and test
            among it, sees the fixed window.
    """

    reference: str = "trace"
    start_s: float = 0.0
    length_s: float = 60.0
    jitter_s: float = 0.0
    complete: bool = False
    redrawn: bool = False

    def __post_init__(self) -> None:
        """Refuse values that make no window."""
        if self.reference not in REFERENCES:
            raise ConfigurationError(
                f"window.reference='{self.reference}' is not known. {did_you_mean(self.reference, list(REFERENCES))}"
            )
        if self.length_s <= 0 or self.jitter_s < 0:
            raise ConfigurationError(
                f"window.length_s={self.length_s} must be positive and window.jitter_s={self.jitter_s} not negative"
            )
        if self.redrawn and (self.reference == "random" or self.jitter_s == 0):
            raise ConfigurationError(
                f"window.redrawn=true moves the start by up to window.jitter_s={self.jitter_s} about "
                f"window.reference='{self.reference}'; give a jitter above 0, and trace, origin or onset as reference"
            )

    @property
    def widest(self) -> Window:
        """All that may be seen of a trace: the window itself, or all that an epoch may draw."""
        if not self.redrawn:
            return self
        start_s, length_s = self.start_s - self.jitter_s, self.length_s + 2 * self.jitter_s
        return replace(self, start_s=start_s, length_s=length_s, jitter_s=0.0, redrawn=False)

    def jitters_s(self, names: list[str], seed: int) -> np.ndarray:
        """Return the jitter (N,) of events or traces; it follows from the name, not from the order in the file."""
        if self.jitter_s == 0:
            return np.zeros(len(names))
        return self.jitter_s * (2 * draws("jitter", names, seed) - 1)


def draws(stream: str, names: list[str], seed: int) -> np.ndarray:
    """Return a uniform draw from [0, 1) for each name (N,), whatever the other names are."""
    return np.array([numpy_stream(seed, stream, zlib.crc32(name.encode())).random() for name in names])


@dataclass(frozen=True)
class WindowReader:
    """Reads windows of one length, rate and choice of components.

    Where traces begin between two samples of the common time grid, the nearer is taken.

    Attributes:
        waveform_set: where the waveforms lie.
        components: components wanted, such as ``"Z"``.
        sampling_rate_hz: rate of what is returned.
        length_s: length of the windows.

    Raises:
        ConfigurationError: components or rate are not allowed.
    """

    waveform_set: WaveformSet
    components: str
    sampling_rate_hz: float
    length_s: float

    def __post_init__(self) -> None:
        """Refuse components and rates that cannot be read."""
        if not self.components or len(set(self.components)) != len(self.components):
            raise ConfigurationError(f"components='{self.components}' must be different letters such as 'Z' or 'ZNE'")
        if self.sampling_rate_hz <= 0:
            raise ConfigurationError(
                f"sampling_rate_hz={self.sampling_rate_hz} must be positive, or null to keep the set's own"
            )

    @property
    def n_samples(self) -> int:
        """Length T of every window."""
        return round(self.length_s * self.sampling_rate_hz)

    def read(self, rows: np.ndarray, rates_hz: np.ndarray, lead_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return waveforms float32 (S, C, T), zero outside the recordings, and mask bool (S, C).

        The mask is false where a component was not recorded or has no sample inside the window.

        Args:
            rows: (S,) metadata rows.
            rates_hz: (S,) sampling rates as stored.
            lead_s: (S,) start of the windows after the start of the traces.
        """
        recorded, mask = self.waveform_set.read_rows(rows, self.components)
        windows = np.zeros((len(rows), len(self.components), self.n_samples), dtype=np.float32)
        for i, waveform in enumerate(recorded):
            if same_rate(rates_hz[i], self.sampling_rate_hz):
                touched = _place(windows[i], waveform, round(lead_s[i] * self.sampling_rate_hz))
            else:
                touched = self._resample_into(windows[i], waveform, lead_s[i], rates_hz[i])
            mask[i] &= touched
        return windows, mask

    def _resample_into(self, window: np.ndarray, waveform: np.ndarray, lead_s: float, rate_hz: float) -> bool:
        """Resample just the stretch that the window needs, with room for the filter on both sides."""
        first = stretch_start(lead_s * rate_hz, rate_hz, self.sampling_rate_hz)
        last = int((lead_s + self.length_s) * rate_hz) + settling_samples(rate_hz, self.sampling_rate_hz) + 1
        stretch = waveform[:, first : max(last, 0)]
        if stretch.shape[1] == 0:
            return False
        skipped = round((lead_s - first / rate_hz) * self.sampling_rate_hz)
        return _place(window, resample(stretch, rate_hz, self.sampling_rate_hz), skipped)

    def gaps(self, recorded: np.ndarray, rates_hz: np.ndarray, lead_s: np.ndarray) -> np.ndarray:
        """Return why each recording does not fill its window, text (S,), "" where it does.

        Args:
            recorded: (S,) samples of the recordings, at their own rates.
            rates_hz: (S,) sampling rates as stored.
            lead_s: (S,) start of the windows after the start of the traces, finite.
        """
        first = np.round(lead_s * self.sampling_rate_hz).astype(int)
        available = np.floor(recorded * (self.sampling_rate_hz / rates_hz) + 1e-3).astype(int)
        reasons = np.full(len(first), "", dtype=object)
        reasons[first + self.n_samples > available] = "the window ends after the recording"
        reasons[first < 0] = "the window begins before the recording"
        reasons[self.n_samples > available] = "the recording is shorter than the window"
        return reasons


def _place(window: np.ndarray, waveform: np.ndarray, skipped: int) -> bool:
    """Copy ``waveform[:, skipped:]`` to the start of ``window`` (C, T); tell whether any of it falls inside."""
    first, last = max(skipped, 0), min(skipped + window.shape[1], waveform.shape[1])
    if first >= last:
        return False
    window[:, first - skipped : last - skipped] = waveform[:, first:last]
    return True


def common_rate_hz(rates_hz: np.ndarray) -> float:
    """Return the one sampling rate that all traces share.

    Raises:
        DataError: there are no traces, or several rates.
    """
    rates = np.unique(rates_hz)
    if len(rates) == 0:
        raise DataError("nothing was selected, so there is no sampling rate to keep; check split and class map")
    if not np.all(same_rate(rates, rates[0])):
        some = ", ".join(f"{rate:g}" for rate in rates[:8])
        raise DataError(
            f"the traces have {len(rates)} sampling rates ({some} Hz); bring all to one with "
            f"dataset.samples.sampling_rate_hz={rates[0]:g} (dataset.traces.sampling_rate_hz for single traces)"
        )
    return float(rates[0])
