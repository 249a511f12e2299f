"""Record sections as ObsPy draws them: the pictures of the Seismic Atlas, for reference."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from seisvision import keys
from seisvision.views.reference.obspy_view import ObspyView

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from obspy import Stream


class RecordSectionObspy(ObspyView):
    """``Stream.plot(type="section")`` with ObsPy's defaults, shrunk to (B, 3, H, W); ink 1 on paper 0.

    ObsPy's defaults are a figure of 1000 x 600 pixels at 100 dots per inch, time upward along the vertical
    axis, black lines of width 1 and opacity 0.5, every trace normalised by its largest absolute sample and
    given a width that depends on the number of traces, and a distance axis fitted to the section; traces of
    10 000 samples or more are resampled. Means are taken away first; traces of unknown offset and dead ones
    are left out.

    It loops over events on the processor and takes a tenth of a second for each the first time: use
    :class:`~seisvision.views.sections.record_section.RecordSection` unless the paper's own pictures are wanted.

    Args:
        height, width: size of the picture in pixels.
        component: which component is drawn, one of ``components``, the order in the waveforms.
        band_hz: (low, high) of a filter, see :mod:`seisvision.views.filters`; None, as in the paper: none.
        decorations: False leaves title, ticks, labels, grid and frame out and lets the axes fill the figure.
            True draws them as ObsPy does. **Such pictures leak**: the title prints the network, the channel, the
            number of traces and the absolute start time (what of these a batch knows is the number), and the
            tick labels print distances.
    """

    def __init__(
        self,
        height: int = 224,
        width: int = 224,
        component: str = "Z",
        band_hz: tuple[float, float] | None = None,
        decorations: bool = False,
        components: str = keys.COMPONENTS,
    ) -> None:
        super().__init__(height, width, component, band_hz, decorations, components)

    def describe(self) -> dict[str, str]:
        """Name of each picture channel, in order, and what its values mean."""
        leak = ", with title and labels (leaky)" if self.decorations else ""
        return dict.fromkeys(("red", "green", "blue"), f"ink in [0, 1] of ObsPy's section of {self.component}{leak}")

    @torch.no_grad()
    def forward(self, batch: dict[str, Any]) -> torch.Tensor:
        """Draw the events of ``batch``: float32 (B, 3, H, W) on the device of the waveforms."""
        recorded, ground = self.recorded_and_drawn(batch)
        sampling_rate_hz = float(batch[keys.SAMPLING_RATE_HZ])
        moving = batch[keys.STATION_MASK].cpu() & (recorded.amax(-1) > recorded.amin(-1))
        offset_km = batch[keys.OFFSET_KM].cpu().masked_fill(~moving, torch.nan)
        rate = torch.tensor(sampling_rate_hz)
        pictures = []
        for traces, distances_km in zip(*_without_padding(ground, offset_km), strict=True):
            draw = partial(self._draw_event, traces, distances_km, sampling_rate_hz)
            pictures.append(self.drawn_once([traces, distances_km, rate], draw))
        return torch.stack(pictures).to(batch[keys.WAVEFORM].device)

    def _draw_event(self, ground: torch.Tensor, offset_km: torch.Tensor, sampling_rate_hz: float) -> torch.Tensor:
        from obspy import Stream, Trace

        stream = Stream()
        for trace, trace_offset_km in zip(ground, offset_km.tolist(), strict=True):
            if math.isfinite(trace_offset_km) and bool(trace.isfinite().all()):
                header = {"sampling_rate": sampling_rate_hz, "distance": 1000 * trace_offset_km}
                stream.append(Trace(trace.numpy(), header))
        if not stream:
            return torch.zeros(3, self.height, self.width)
        return 1 - shrink(draw_stream(stream, self.decorations), self.height, self.width)


def _without_padding(ground: torch.Tensor, offset_km: torch.Tensor) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Traces and offsets that are drawn, event by event: batches pad with stations that an event does not have."""
    drawn = [one.isfinite() for one in offset_km]
    return (
        [one[kept] for one, kept in zip(ground, drawn, strict=True)],
        [one[kept] for one, kept in zip(offset_km, drawn, strict=True)],
    )


def draw_stream(stream: Stream, decorations: bool = False) -> np.ndarray:
    """Return ObsPy's section of ``stream`` as uint8 (600, 1000, 3); every trace needs ``stats.distance`` in metres."""
    return figure_pixels(stream.plot(type="section", handle=True, draw=False), decorations)


def figure_pixels(figure: Figure, decorations: bool) -> np.ndarray:
    """Return a figure as uint8 (rows, columns, 3) and close it; without ``decorations`` only what the axes hold."""
    import matplotlib.pyplot as plt
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    try:
        if not decorations:
            figure.suptitle("")
            for axes in figure.axes:
                for text in list(axes.texts):
                    text.remove()
                axes.set_axis_off()
                axes.set_position((0, 0, 1, 1))
        # The session's own backend may need a display; this canvas needs none.
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())[..., :3].copy()
    finally:
        plt.close(figure)


def shrink(pixels: np.ndarray, height: int, width: int) -> torch.Tensor:
    """Return uint8 (rows, columns, 3) as float32 (3, H, W) in [0, 1]."""
    picture = torch.from_numpy(pixels).permute(2, 0, 1)[None].float()
    shrunk = functional.interpolate(picture, size=(height, width), mode="bilinear", antialias=True)[0]
    return (shrunk / 255).clamp_(0, 1)
