"""Amplitude pictures of single traces: one station, time to the right, motion upward."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch

from seisvision import keys
from seisvision.errors import ConfigurationError, DataError
from seisvision.views.amplitude import PixelTraces, decibel_envelope
from seisvision.views.channels import Channel, Measuring, make_channel, measure_channels
from seisvision.views.rasterise import draw_wiggles
from seisvision.views.settings import one_of, optional_range, positive
from seisvision.views.view import View

STYLES = ("line", "filled", "envelope")
SCALES = ("trace", "trace-shared", "event", "fixed")
STACKS = ("none", "bands", "all")
CPU_BLOCK_TRACES = 16
"""Traces drawn at a time on a processor: their temporaries then stay in its cache."""
FIXED_QUANTILE = 0.999
"""Quantile of the peak amplitudes of training traces that a fixed scale reaches (ATLAS A-30 leaves it open)."""


class TraceView(View):
    """One station's recording as a picture: (B, P, H, W), ink in [0, 1] on paper 0.

    Args:
        height, width: size of the picture in pixels.
        channels: component and band of each line (a :class:`Channel` or a mapping of its fields).
        stack: ``none``: each line fills a picture channel of its own; ``bands``: one picture channel per
            component, its bands below each other; ``all``: one picture channel, all lines below each other.
        style: ``line`` draws an anti-aliased line from the lowest to the highest sample of every pixel;
            ``filled`` also inks the positive lobes; ``envelope`` inks the area below the magnitude, which
            stands on the lower edge.
        scale: what amplitude reaches ``deflection``. ``trace``: the clip quantile of each line by itself;
            ``trace-shared``: one level for all lines of the trace, so that ratios of components and bands
            survive; ``event``: the ``event_peak`` of the batch, one for all traces of an event, so that the
            ratios of stations survive too; ``fixed``: ``fixed_level``, one for the whole data set.
        fixed_level: amplitude in the unit of the waveforms, one for all lines or one for each; None: :meth:`fit`
            takes it from training traces.
        clip_quantile: quantile of a line's pixel amplitudes that becomes its level; 1: the peak.
        deflection: share of a line's half height that the level reaches. What is larger is cut at the edge.
        envelope_db: (low, high): the envelope in decibels above the line's own noise (the 25 % quantile of
            its pixels), low becoming 0 and high the full height; ``scale`` has no part in it. None: linear.
        line_px: width of the line.
        taper_s: see :class:`~seisvision.views.filters.BandFilter`; None: 1.5 longest periods of the bands.
        demean: take the mean away from lines that are not filtered; bands have none in any case.
        components: order of the components in the waveforms.

    Radial and transverse components are not offered: they need the back azimuth, which a task that looks
    for the source does not know. Flat, empty, NaN and dead lines draw nothing, not even a base line.

    Raises ConfigurationError for a setting that is not allowed, and, when drawing, for a band above the
    Nyquist frequency, waveforms with other components or of more than one station, or a missing event peak.
    """

    unit = "trace"

    def __init__(
        self,
        height: int = 96,
        width: int = 192,
        channels: Sequence[Channel | Mapping[str, Any]] = (Channel(),),
        stack: str = "none",
        style: str = "line",
        scale: str = "trace",
        fixed_level: float | Sequence[float] | None = None,
        clip_quantile: float = 0.99,
        deflection: float = 0.8,
        envelope_db: tuple[float, float] | None = None,
        line_px: float = 1.0,
        taper_s: float | None = None,
        demean: bool = True,
        components: str = keys.COMPONENTS,
    ) -> None:
        super().__init__()
        self.style = one_of("style", style, STYLES)
        self.scale = one_of("scale", scale, SCALES)
        self.stack = one_of("stack", stack, STACKS)
        self.components = components
        self.channels = tuple(make_channel(channel, components, STYLES, style) for channel in channels)
        for channel in self.channels:
            if channel.align is not None or channel.time_range_s is not None:
                raise ConfigurationError(
                    f"channel '{channel.name}' has align={channel.align} and time_range_s={channel.time_range_s}; "
                    "these need the origin and are for record sections, so leave both out of a view of single traces"
                )
        self.height, self.width = positive("height", height), positive("width", width)
        self.deflection = positive("deflection", deflection, maximum=1.0)
        self.line_px = positive("line_px", line_px)
        self.envelope_db = optional_range("envelope_db", envelope_db)
        clip_quantile = positive("clip_quantile", clip_quantile, maximum=1.0)
        self.measuring = Measuring(components, self.width, taper_s, demean, clip_quantile)
        # A buffer, so that what was taken from the training traces travels in checkpoints; NaN: not known yet.
        self.levels: torch.Tensor
        self.register_buffer("levels", torch.tensor(self._fixed_level(fixed_level)))
        self._has_levels = False
        self.groups = self._groups()
        self.out_channels = len(self.groups)

    def _fixed_level(self, level: float | Sequence[float] | None) -> list[float]:
        if level is not None and self.scale != "fixed":
            raise ConfigurationError(
                f"fixed_level={level} does not go with scale='{self.scale}'; choose scale='fixed', or leave it out"
            )
        if level is None:
            return [math.nan] * len(self.channels)
        levels = [level] * len(self.channels) if isinstance(level, int | float) else list(level)
        if len(levels) != len(self.channels):
            raise ConfigurationError(
                f"fixed_level={level} has {len(levels)} values for {len(self.channels)} channels; "
                "give one value, or one for each channel"
            )
        return [float(positive("fixed_level", value)) for value in levels]

    def _groups(self) -> list[list[int]]:
        """Numbers of the lines of each picture channel, from top to bottom."""
        numbers = range(len(self.channels))
        if self.stack == "none":
            return [[number] for number in numbers]
        if self.stack == "all":
            return [list(numbers)]
        components = dict.fromkeys(channel.component for channel in self.channels)
        return [[n for n in numbers if self.channels[n].component == component] for component in components]

    def describe(self) -> dict[str, str]:
        """Name of each picture channel, in order, and what its values mean."""
        described: dict[str, str] = {}
        for group in self.groups:
            lines = [self.channels[number] for number in group]
            name = " / ".join(channel.name for channel in lines)
            name = name if name not in described else f"{name} {lines[0].style}"
            described[name] = "ink in [0, 1]: " + ", ".join(dict.fromkeys(self._meaning(line) for line in lines))
        return described

    def _meaning(self, channel: Channel) -> str:
        if channel.style == "envelope" and self.envelope_db is not None:
            return f"envelope, {self.envelope_db[0]:g} to {self.envelope_db[1]:g} dB above noise"
        return f"{channel.style}, scale {self.scale}"

    def to_uint8(self, image: torch.Tensor) -> torch.Tensor:
        """Return ``image`` (B, P, H, W) for people: uint8 (B, H, W, 3), on white.

        One picture channel is black; of several the first three are cyan, magenta and yellow.
        """
        inks = [image[:, min(number, self.out_channels - 1)] for number in range(3)]
        if self.out_channels == 2:
            inks[2] = torch.zeros_like(inks[2])
        return (255 - torch.stack(inks, -1) * 255).round().clamp(0, 255).to(torch.uint8)

    @torch.no_grad()
    def forward(self, batch: dict[str, Any]) -> torch.Tensor:
        """Draw the traces of ``batch``: float32 (B, P, H, W)."""
        waveform = batch[keys.WAVEFORM]
        with torch.autocast(waveform.device.type, enabled=False):
            lines = self._measure(batch)
            factors = self._factors(lines, batch)
            pictures = waveform.new_empty(len(waveform), self.out_channels, self.height, self.width, dtype=torch.float)
            block = CPU_BLOCK_TRACES if waveform.device.type == "cpu" else max(len(waveform), 1)
            for start in range(0, len(waveform), block):
                part = slice(start, start + block)
                for channel, group in enumerate(self.groups):
                    drawn = [(self.channels[n], lines[n].part(part), factors[n][part]) for n in group]
                    pictures[part, channel] = self._paint(drawn)
        return pictures

    @property
    def needs_fit(self) -> bool:
        """True while a fixed scale has no level."""
        # A buffer on an accelerator is asked until it tells a level and then no more, for that means to wait.
        if self.scale == "fixed" and not self._has_levels:
            self._has_levels = not bool(self.levels.isnan().any())
            return not self._has_levels
        return False

    def fit(self, batches: Iterable[dict[str, Any]]) -> None:
        """Take the levels of a fixed scale from batches of training traces."""
        self.levels.copy_(torch.tensor(fixed_levels(self, batches)))

    @torch.no_grad()
    def peaks(self, batch: dict[str, Any]) -> torch.Tensor:
        """Largest amplitude of every line in the unit of the waveforms: (B, lines); NaN where it is not live."""
        lines = self._measure(batch)
        return torch.cat([line.amplitude.amax(-1).masked_fill(~line.live, torch.nan) for line in lines], 1)

    def _measure(self, batch: dict[str, Any]) -> list[PixelTraces]:
        waveform = batch[keys.WAVEFORM]
        self.check_components(waveform)
        self.check_single_traces(waveform)
        sampling_rate_hz, mask = float(batch[keys.SAMPLING_RATE_HZ]), batch[keys.STATION_MASK]
        masks = [mask] * len(self.channels)
        return measure_channels(waveform.float(), sampling_rate_hz, self.channels, masks, self.measuring)

    def _factors(self, lines: list[PixelTraces], batch: dict[str, Any]) -> list[torch.Tensor]:
        """Return per line what it is multiplied by: (B, 1), 0 where it is not live."""
        levels = torch.stack([line.level for line in lines])
        if self.scale == "trace-shared":
            levels = levels.nan_to_num(nan=0.0).amax(0, keepdim=True).expand_as(levels)
        elif self.scale == "event":
            levels = self._event_peak(batch).to(levels).view(1, -1, 1).expand_as(levels)
        elif self.scale == "fixed":
            if self.needs_fit:
                raise ConfigurationError(
                    "scale='fixed' has no level yet; give fixed_level in the unit of the waveforms, or let training "
                    "take it from its samples"
                )
            levels = self.levels.to(levels)[:, None, None].expand_as(levels)
        usable = torch.stack([line.live for line in lines]) & (levels > 0)
        return list(torch.where(usable, levels.reciprocal(), 0.0))

    def _event_peak(self, batch: dict[str, Any]) -> torch.Tensor:
        if keys.EVENT_PEAK not in batch:
            raise ConfigurationError(
                "scale='event' needs the peak of each trace's event (event_peak), which these samples do not give; "
                "choose scale trace, trace-shared or fixed"
            )
        return batch[keys.EVENT_PEAK]

    def _paint(self, lines: list[tuple[Channel, PixelTraces, torch.Tensor]]) -> torch.Tensor:
        """Draw the lines of one picture channel, with their factors, below each other: (B, H, W)."""
        half_px = self.height / len(lines) / 2
        drawn: dict[bool, list[tuple[torch.Tensor, ...]]] = {}
        for number, (channel, line, factor) in enumerate(lines):
            lowest, highest, base = self._ends(channel, line, factor)
            # The kernel counts from the top, and motion is drawn upward.
            position = torch.where(factor != 0, (2 * number + 1 - base) * half_px, torch.nan)
            ends = (highest * -half_px, lowest * -half_px, position)
            drawn.setdefault(channel.style == "envelope", []).append(ends)
        pictures = []
        for is_area, parts in drawn.items():
            top, bottom, position = (torch.cat(part, 1) for part in zip(*parts, strict=True))
            line_px = 0.0 if is_area else self.line_px
            pictures.append(draw_wiggles(top, bottom, position, self.height, line_px=line_px, fill=False))
        picture = pictures[0] if len(pictures) == 1 else torch.stack(pictures).sum(0).clamp_(0, 1)
        return picture.transpose(1, 2)

    def _ends(
        self, channel: Channel, line: PixelTraces, factor: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, float]:
        """Return (lowest, highest) (B, 1, W) and the base line, all in half heights from the line's middle."""
        if channel.style != "envelope":
            reach = factor[..., None] * self.deflection
            lowest, highest = _bounded(line.lowest * reach, -1.0), _bounded(line.highest * reach, -1.0)
            # Where the highest value is negative the lowest is too, so this fills positive lobes only.
            return lowest.clamp_max_(0.0) if channel.style == "filled" else lowest, highest, 0.0
        if self.envelope_db is None:
            height = _bounded(line.amplitude * (factor[..., None] * self.deflection), 0.0)
        else:
            height = decibel_envelope(line.amplitude, self.envelope_db).masked_fill_(factor[..., None] == 0, 0.0)
        return torch.zeros_like(height), 2 * height, -1.0


def _bounded(values: torch.Tensor, lowest: float) -> torch.Tensor:
    return values.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0).clamp_(lowest, 1.0)


def fixed_levels(view: TraceView, batches: Iterable[dict[str, Any]], quantile: float = FIXED_QUANTILE) -> list[float]:
    """Return per line of ``view`` the ``quantile`` of the peak amplitudes of the traces in ``batches``.

    Give training traces only.

    Raises:
        DataError: some line is live in no trace.
    """
    peaks = torch.cat([view.peaks(batch) for batch in batches])
    levels = peaks.double().nanquantile(quantile, dim=0).tolist()
    for channel, level in zip(view.channels, levels, strict=True):
        if not level > 0:
            raise DataError(
                f"no trace has a live '{channel.name}', so there is no amplitude to fix; check components and bands"
            )
    return levels
