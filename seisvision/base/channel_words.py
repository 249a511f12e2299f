"""What channels of pictures may be told; views read it, and so does, before torch is imported, who checks settings."""

from __future__ import annotations

from seisvision.keys import COMPONENTS

CHANNEL_SETTINGS = ("component", "band_hz", "style", "align", "time_range_s")
"""Of a channel of a record section or a trace."""
STACKED_SETTINGS = ("component", "align", "start_s")
"""Of a channel of a stacked spectrogram."""
STACKED_COMPONENTS = ("Z", "R", "T")
STACKED = "seisvision.views.StackedSpectrogram"


def allowed_in_channels(view: str, components: str = COMPONENTS) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Settings of a channel, and components that it may show.

    Args:
        view: public name of the view.
        components: that the waveforms have.
    """
    if view == STACKED:
        return STACKED_SETTINGS, STACKED_COMPONENTS
    return CHANNEL_SETTINGS, tuple(components)
