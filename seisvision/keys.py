"""Names used by more than one room: batch keys, metadata columns and shape letters.

Shape letters, used in every docstring:

====== ==========================================================
``N``  samples of a whole set or split
``B``  samples of one batch
``S``  stations of one event (padded to the largest of the batch)
``C``  components (Z, N, E order) of a waveform
``T``  time samples of a waveform
``P``  picture channels
``H``  picture rows
``W``  picture columns
``K``  classes
``F``  features
====== ==========================================================
"""

from typing import Final

WAVEFORM: Final = "waveform"
"""float32 (B, S, C, T): ground motion; zero where there is no recording."""
STATION_MASK: Final = "station_mask"
"""bool (B, S): True where the station slot holds a recording, False for padding."""
COMPONENT_MASK: Final = "component_mask"
"""bool (B, S, C): True where the component was recorded."""
OFFSET_KM: Final = "offset_km"
"""float32 (B, S): epicentral distance of the station; NaN where it is not known."""
AZIMUTH_DEG: Final = "azimuth_deg"
"""float32 (B, S): azimuth from source to station, clockwise from north in [0, 360); NaN where not known."""
BACK_AZIMUTH_DEG: Final = "back_azimuth_deg"
"""float32 (B, S): azimuth from station to source, clockwise from north in [0, 360); NaN where not known."""
ONSET_S: Final = "onset_s"
"""float32 (B, S): detected onset after the window start; NaN where not known. Noise windows have a made-up one."""
ARRIVALS_S: Final = "arrivals_s"
"""float32 (B, S, 2): P and S after the window start, maybe outside the window; NaN where the recording has none."""
MORE_ARRIVALS_S: Final = "more_arrivals_s"
"""float32 (B, S, E, 2): P and S of further events in the window, as above; only where samples have them."""
START_S: Final = "start_s"
"""float32 (B, S): window start after the origin time; NaN where it is not known. Drawn only by views that say so."""
STATION_KM: Final = "station_km"
"""float32 (B, S, 3): east, north and up of the station from the middle of the network; only where samples know it."""
SEEN_S: Final = "seen_s"
"""float32 (B,): seconds after the window start until which recordings had come in, inf for all; what comes later is not
to be drawn. Put there by augmentation, or by whoever asks what would have been said then."""
SOURCE_DEPTH_KM: Final = "source_depth_km"
"""float32 (B,): depth of the source; NaN where it is not known. For baselines, never drawn."""
EVENT_PEAK: Final = "event_peak"
"""float32 (B,): peak amplitude that stands for all traces of the sample's event; only where samples give it."""
SAMPLING_RATE_HZ: Final = "sampling_rate_hz"
"""float: the one sampling rate of the batch."""
SOURCE_ID: Final = "source_id"
"""list of B str: event ids."""
TRACE_ID: Final = "trace_id"
"""list of B str: rows of the metadata table, or ids of noise windows; only for single traces, where S is 1."""
COUNTS: Final = "counts"
"""bool (B,): False for a sample that only keeps this process busy while others finish; where several processes work."""
MAPS: Final = "maps"
"""float32 (B, L, P, Y, X): numbers of events by step of time, magnitude class, row and column; of forecasts."""
INDICATORS: Final = "indicators"
"""float32 (B, C, L, n): n indicators of each of C cells at L times; of forecasts."""
REGION_INDICATORS: Final = "region_indicators"
"""float32 (B, L, n): the same of all cells as one."""
LOG_RATES: Final = "log_rates"
"""float32 (B, R, C): logarithms of the events that each of R references expects in each cell."""
EVENT_COUNTS: Final = "event_counts"
"""float32 (B, C): events that came; of forecasts, whose samples are windows and C is a number of cells."""
TARGETS: Final = "targets"
"""dict of target column to tensor (B,): int64 class numbers (-1: no label) or float32 values (NaN: no value)."""

COMPONENTS: Final = "ZNE"
"""Canonical component order of every waveform set written here."""
SPLITS: Final = ("train", "val", "test")
