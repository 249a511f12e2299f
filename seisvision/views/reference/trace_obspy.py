"""Single traces as ObsPy draws them: the pictures of the Seismic Atlas' regression, for reference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from seisvision import keys
from seisvision.errors import ConfigurationError
from seisvision.views.reference.obspy_view import ObspyView
from seisvision.views.reference.record_section_obspy import figure_pixels, shrink
from seisvision.views.settings import positive

if TYPE_CHECKING:
    import numpy as np
    from obspy import Trace

SPECTROGRAM_SAMPLES = 256
"""ObsPy's default window has 128 samples, and two of them must fit."""


class TraceObspy(ObspyView):
    """``Trace.plot()`` with ObsPy's defaults, shrunk to (B, 3, H, W); ink 1 on paper 0.

    ObsPy's defaults are a figure of 800 x 250 pixels, a black line, and an amplitude axis fitted to the trace.
    Means are taken away first; dead traces draw nothing.

    It loops over traces on the processor and takes a tenth of a second for each: use
    :class:`~seisvision.views.traces.trace.TraceView` unless the paper's own pictures are wanted.

    Args:
        height, width: size of the picture in pixels.
        component: which component is drawn, one of ``components``, the order in the waveforms.
        band_hz: (low, high) of a filter, see :mod:`seisvision.views.filters`; None, as in the paper: none.
        fixed_level: half height of the amplitude axis in the unit of the waveforms, for all traces alike; None:
            fitted to each. ObsPy has no such setting, the axis is changed after it has drawn.
        decorations: False leaves the frame, ticks, labels and the box with the trace's id out and lets the axes
            fill the figure. True draws them as ObsPy does. **Such pictures leak**: the labels print amplitudes
            and times (the id is not known to a batch).
    """

    unit = "trace"

    def __init__(
        self,
        height: int = 96,
        width: int = 192,
        component: str = "Z",
        band_hz: tuple[float, float] | None = None,
        fixed_level: float | None = None,
        decorations: bool = False,
        components: str = keys.COMPONENTS,
    ) -> None:
        super().__init__(height, width, component, band_hz, decorations, components)
        self.fixed_level = None if fixed_level is None else positive("fixed_level", fixed_level)

    def describe(self) -> dict[str, str]:
        """Name of each picture channel, in order, and what its values mean."""
        leak = ", with frame and labels (leaky)" if self.decorations else ""
        return dict.fromkeys(("red", "green", "blue"), f"{self._kind()} of {self.component}{leak}")

    @torch.no_grad()
    def forward(self, batch: dict[str, Any]) -> torch.Tensor:
        """Draw the traces of ``batch``: float32 (B, 3, H, W) on the device of the waveforms."""
        from obspy import Trace

        self.check_single_traces(batch[keys.WAVEFORM])
        sampling_rate_hz = float(batch[keys.SAMPLING_RATE_HZ])
        recorded, ground = (part[:, 0] for part in self.recorded_and_drawn(batch))
        live = batch[keys.STATION_MASK][:, 0].cpu() & recorded.isfinite().all(-1)
        live &= recorded.amax(-1) > recorded.amin(-1)
        pictures = torch.zeros(len(ground), 3, self.height, self.width)
        for number in live.nonzero()[:, 0].tolist():
            trace = Trace(ground[number].numpy(), {"sampling_rate": sampling_rate_hz})
            what = [ground[number], torch.tensor(sampling_rate_hz)]
            pictures[number] = self.drawn_once(what, lambda trace=trace: self._draw_one(trace))  # type: ignore[misc]
        return pictures.to(batch[keys.WAVEFORM].device)

    def _kind(self) -> str:
        return "ink in [0, 1] of ObsPy's plot"

    def _draw_one(self, trace: Trace) -> torch.Tensor:
        return 1 - shrink(draw_trace(trace, self.decorations, self.fixed_level), self.height, self.width)


class SpectrogramObspy(TraceObspy):
    """``Trace.spectrogram()`` with ObsPy's defaults, shrunk to (B, 3, H, W): its colours, in [0, 1].

    ObsPy's defaults are windows of 128 samples that overlap by 90 %, padded to eight times their length, a linear
    frequency axis up to the Nyquist frequency, and the square root of power between its extremes as colours.
    Dead traces draw nothing. Arguments as for :class:`TraceObspy`, but for ``fixed_level``.

    Raises ConfigurationError, when drawing, for windows of less than 256 samples.
    """

    def __init__(
        self,
        height: int = 96,
        width: int = 192,
        component: str = "Z",
        band_hz: tuple[float, float] | None = None,
        decorations: bool = False,
        components: str = keys.COMPONENTS,
    ) -> None:
        super().__init__(height, width, component, band_hz, None, decorations, components)

    def to_uint8(self, image: torch.Tensor) -> torch.Tensor:
        """Return ``image`` (B, 3, H, W) for people: uint8 (B, H, W, 3), ObsPy's colours."""
        return (image * 255).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)

    def _kind(self) -> str:
        return "colour in [0, 1] of ObsPy's spectrogram"

    def _draw_one(self, trace: Trace) -> torch.Tensor:
        return shrink(draw_spectrogram(trace, self.decorations), self.height, self.width)


def draw_trace(trace: Trace, decorations: bool = False, fixed_level: float | None = None) -> np.ndarray:
    """Return ObsPy's plot of ``trace`` as uint8 (250, 800, 3), or with an amplitude axis of +-``fixed_level``."""
    figure = trace.plot(handle=True, draw=False)
    if fixed_level is not None:
        figure.axes[0].set_ylim(-fixed_level, fixed_level)
    return figure_pixels(figure, decorations)


def draw_spectrogram(trace: Trace, decorations: bool = False) -> np.ndarray:
    """Return ObsPy's spectrogram of ``trace`` as uint8 (480, 640, 3)."""
    if len(trace) < SPECTROGRAM_SAMPLES:
        raise ConfigurationError(
            f"ObsPy's spectrogram needs windows of at least {SPECTROGRAM_SAMPLES} samples, these have {len(trace)}; "
            "use longer windows, or the view spectrogram"
        )
    return figure_pixels(trace.spectrogram(show=False), decorations)
