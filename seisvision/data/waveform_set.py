"""Where the reader of waveform sets lay before it had a room of its own; scripts written for it go on working."""

import warnings

from seisvision.data.sets.waveform_set import WaveformSet as WaveformSet

warnings.warn(
    "seisvision.data.waveform_set is now seisvision.data.sets.waveform_set; seisvision.open_set(folder) stays",
    DeprecationWarning,
    stacklevel=2,
)
