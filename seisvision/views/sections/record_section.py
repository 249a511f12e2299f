"""Record sections drawn with tensors: an event's traces side by side, time against distance."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from seisvision import keys
from seisvision.errors import ConfigurationError
from seisvision.views.amplitude import NORMS, PixelTraces, live_decibels, scale_factors
from seisvision.views.channels import Channel, Measuring, make_channel, measure_channels
from seisvision.views.rasterise import draw_density, draw_wiggles, shift_rows
from seisvision.views.sections.alignment import PHASE, timing
from seisvision.views.sections.layout import Layout, offset_layout, rank_layout
from seisvision.views.settings import one_of, optional_range, positive
from seisvision.views.view import View

STYLES = ("density", "wiggle", "envelope")
SPACINGS = ("offset", "rank")
ORDERS = ("offset", "onset", "given")
ORIENTATIONS = ("time_down", "time_right")

WIGGLE_LIMIT = 2.0
"""Wiggles are cut at this many trace spacings, so that a glitch does not cross the picture."""


class RecordSection(View):
    """An event's traces as a picture: (B, P, H, W), one picture channel per entry of ``channels``.

    Args:
        height, width: size of the picture in pixels.
        channels: component and band of each picture channel (a :class:`Channel` or a mapping of its fields).
        style: ``density`` paints each pixel with the extreme sample of its time span and nearest trace, in
            [-1, 1]; ``wiggle`` draws filled anti-aliased lines, ink in [0, 1]; ``envelope`` paints the
            extreme's magnitude, in [0, 1]: for periods much shorter than a pixel the sign says nothing.
        spacing: ``offset`` puts traces at their epicentral distance, those of unknown offset are not drawn;
            ``rank`` gives traces equal columns sorted by ``order``, unknown offsets after the known ones by
            onset, then as given.
        order: what ``rank`` sorts by: ``offset``, ``onset`` or ``given``.
        offset_range_km: the distance axis, one for all events, or ``section``: fitted to each event.
        norm: what amplitude 1 is. ``trace``: the clip quantile of each trace and channel; ``section``: one
            level for an event's channel; ``channel-shared``: one level per trace, the largest of its
            channels, so that the ratio of the bands survives; ``none``: the unit of the waveforms.
        gain: factor on the normalised amplitude. It has no part in a decibel envelope.
        clip_quantile: quantile of a trace's pixel amplitudes that becomes 1. It is taken over pixels, not samples.
        envelope_db: (low, high): the envelope in decibels above the trace's own noise (the 25 % quantile of its
            pixels), low becoming 0 and high 1; ``norm`` has no part in it. None: a linear envelope.
        reduction_velocity_km_s: alignment of the channels that name none of their own.
        time_range_s: (early, late) of the channels that name none of their own; None: the whole window.
        earth_model: one of ObsPy's bundled models, for the travel times of P.
        orientation: ``time_down`` (rows are time, columns distance) or ``time_right`` (its transpose).
        taper_s: length of the tapered mirror image that continues the window at each end while filtering;
            None: 1.5 longest periods of the bands. See :class:`~seisvision.views.filters.BandFilter`.
        demean: take the mean away from traces that are not filtered; bands have none in any case.
        max_gap_km: with ``offset`` spacing, how far a trace colours its surroundings (densities and
            envelopes); 0: its own column only; None: up to the next trace.
        deflection: trace spacings that amplitude 1 deflects a wiggle. In ``offset`` spacing 24 spacings make a
            picture, whatever the number of traces.
        line_px: width of the wiggle's line; ``fill``: ink the positive lobes.
        components: order of the components in the waveforms.

    Channels may be aligned: ``Channel.align`` is a velocity in km/s or ``P``, the first arrival of a source at 10 km
    depth in the Earth model. Without a ``time_range_s``, time runs over the waveforms' window, and each trace is
    drawn earlier by its travel time, to the nearest pixel. With one, the channel shows the seconds from early to late
    around the arrival that is predicted from origin time and offset (None: around the origin time), to the nearest
    sample; then the view uses the origin. Nothing wraps round. Traces whose arrival is not known are not drawn.

    Flat, empty, NaN and dead
    traces draw nothing and take no column. Background is 0.

    Raises ConfigurationError for a setting that is not allowed, and, when drawing, for a band above the
    Nyquist frequency or waveforms with other components.
    """

    def __init__(
        self,
        height: int = 224,
        width: int = 224,
        channels: Sequence[Channel | Mapping[str, Any]] = (Channel(),),
        style: str = "density",
        spacing: str = "offset",
        order: str = "offset",
        offset_range_km: tuple[float, float] | str = "section",
        norm: str = "trace",
        gain: float = 1.0,
        clip_quantile: float = 0.99,
        envelope_db: tuple[float, float] | None = None,
        reduction_velocity_km_s: float | None = None,
        time_range_s: tuple[float, float] | None = None,
        earth_model: str = "ak135",
        orientation: str = "time_down",
        taper_s: float | None = None,
        demean: bool = True,
        max_gap_km: float | None = None,
        deflection: float = 1.0,
        line_px: float = 0.8,
        fill: bool = True,
        components: str = keys.COMPONENTS,
    ) -> None:
        super().__init__()
        self.style = one_of("style", style, STYLES)
        self.spacing = one_of("spacing", spacing, SPACINGS)
        self.order = one_of("order", order, ORDERS)
        self.norm = one_of("norm", norm, NORMS)
        self.orientation = one_of("orientation", orientation, ORIENTATIONS)
        self.components = components
        velocity_km_s = reduction_velocity_km_s and positive("reduction_velocity_km_s", reduction_velocity_km_s)
        time_range_s = optional_range("time_range_s", time_range_s)
        made = [make_channel(channel, components, STYLES, self.style) for channel in channels]
        self.channels = tuple(
            replace(one, align=one.align or velocity_km_s, time_range_s=one.time_range_s or time_range_s)
            for one in made
        )
        self.uses_origin = any(channel.time_range_s is not None for channel in self.channels)
        aligned = any(channel.align is not None for channel in self.channels)
        self.uses_epicentre = self.uses_origin or aligned or "offset" in (spacing, order)
        if not re.fullmatch(r"\w+", earth_model):
            raise ConfigurationError(
                f"earth_model='{earth_model[:80]}' must be the plain name of a model of ObsPy, such as ak135."
            )
        self.earth_model = earth_model
        self.range_km = optional_range("offset_range_km", offset_range_km, "section")
        self.envelope_db = self.noise_range_db = optional_range("envelope_db", envelope_db)
        self.height, self.width = positive("height", height), positive("width", width)
        self.gain, self.deflection = positive("gain", gain), positive("deflection", deflection)
        self.clip_quantile = positive("clip_quantile", clip_quantile, maximum=1.0)
        self.taper_s, self.demean, self.max_gap_km = taper_s, demean, max_gap_km
        self.line_px, self.fill = positive("line_px", line_px), fill
        self.out_channels = len(self.channels)

    def describe(self) -> dict[str, str]:
        """Name of each picture channel, in order, and what its values mean."""
        described: dict[str, str] = {}
        for channel in self.channels:
            name = channel.name if channel.name not in described else f"{channel.name} {channel.style}"
            described[name] = self._meaning(channel)
        return described

    def _meaning(self, channel: Channel) -> str:
        meaning = self._values(channel)
        if channel.align is not None:
            meaning += f", aligned on {channel.align if channel.align == PHASE else f'{channel.align:g} km/s'}"
        if channel.time_range_s is not None:
            meaning += f", {channel.time_range_s[0]:g} to {channel.time_range_s[1]:g} s"
        return meaning

    def _values(self, channel: Channel) -> str:
        if channel.style == "density":
            return f"signed extreme in [-1, 1], norm {self.norm}"
        if channel.style == "wiggle":
            return f"ink in [0, 1], norm {self.norm}"
        if self.envelope_db is None:
            return f"envelope in [0, 1], norm {self.norm}"
        return f"envelope in [0, 1] for {self.envelope_db[0]:g} to {self.envelope_db[1]:g} dB above noise"

    def to_uint8(self, image: torch.Tensor) -> torch.Tensor:
        """Return ``image`` (B, P, H, W) for people: uint8 (B, H, W, 3), grey for one channel, else the first three.

        Signed channels have a mid-grey background; a single channel of ink or envelope is dark on white.
        """
        shades = []
        for index, channel in enumerate(self.channels[:3]):
            plane = image[:, index]
            shades.append(plane * 127 + 128 if channel.style == "density" else plane * 255)
        if len(shades) == 1 and self.channels[0].style != "density":
            shades[0] = 255 - shades[0]
        if len(shades) == 2:
            # Two channels: red and cyan, which together are grey.
            shades.append(shades[1])
        stacked = torch.stack(shades * (3 // len(shades)), dim=-1)
        return stacked.round().clamp(0, 255).to(torch.uint8)

    @torch.no_grad()
    def forward(self, batch: dict[str, Any]) -> torch.Tensor:
        """Draw the events of ``batch``: float32 (B, P, H, W)."""
        waveform = batch[keys.WAVEFORM]
        self.check_components(waveform)
        # Only the network may round: filters and travel times need single precision.
        with torch.autocast(waveform.device.type, enabled=False):
            return self._draw(batch, waveform.float())

    def _draw(self, batch: dict[str, Any], waveform: torch.Tensor) -> torch.Tensor:
        down = self.orientation == "time_down"
        rows, width = (self.height, self.width) if down else (self.width, self.height)
        offset_km = batch[keys.OFFSET_KM]
        mask = batch[keys.STATION_MASK]
        sampling_rate_hz = float(batch[keys.SAMPLING_RATE_HZ])
        timings = [
            timing(channel.align, channel.time_range_s, offset_km, batch[keys.START_S], self.earth_model)
            for channel in self.channels
        ]
        # Decibels above the noise of a trace are the same however strong it is.
        are_decibels = self.envelope_db is not None and all(one.style == "envelope" for one in self.channels)
        quantile = None if are_decibels else self.clip_quantile
        measuring = Measuring(self.components, rows, self.taper_s, self.demean, quantile)
        masks, starts_s = [mask & timed.known for timed in timings], [timed.start_s for timed in timings]
        traces = measure_channels(waveform, sampling_rate_hz, self.channels, masks, measuring, starts_s)
        row_s = waveform.shape[-1] / sampling_rate_hz / rows
        layout = self._layout(offset_km, batch[keys.ONSET_S], torch.stack([t.live for t in traces]).any(0), width)
        pictures = []
        for number, factor in enumerate(scale_factors(traces, self.norm)):
            earlier = timings[number].earlier_s
            if earlier is not None:
                # Where there is no travel time the trace is masked, and any shift will do.
                earlier = (earlier.nan_to_num(nan=0.0) / row_s).round().long()
            # A trace without a column must not reach those of others.
            factor = (factor * self.gain).masked_fill(layout.position_px.isnan(), 0.0)[..., None]
            picture = self._paint(self.channels[number], traces[number], factor, layout, earlier, width)
            pictures.append(picture if down else picture.transpose(1, 2))
        return pictures[0].unsqueeze(1).contiguous() if len(pictures) == 1 else torch.stack(pictures, 1)

    def _layout(self, offset_km: torch.Tensor, onset_s: torch.Tensor, live: torch.Tensor, width: int) -> Layout:
        if self.spacing == "rank":
            return rank_layout(offset_km, onset_s, live, self.order, width)
        return offset_layout(offset_km, live, self.range_km, width)

    def _paint(
        self,
        channel: Channel,
        trace: PixelTraces,
        factor: torch.Tensor,
        layout: Layout,
        earlier: torch.Tensor | None,
        width: int,
    ) -> torch.Tensor:
        """Draw one channel: (B, R, W). ``factor`` (B, S, 1) normalises, ``earlier`` (B, S) counts pixels."""

        def scaled(values: torch.Tensor, limit: float) -> torch.Tensor:
            return shifted((values * factor).nan_to_num_(nan=0.0, posinf=0.0, neginf=0.0).clamp_(-limit, limit))

        def shifted(values: torch.Tensor) -> torch.Tensor:
            return values if earlier is None else shift_rows(values, earlier)

        if channel.style == "wiggle":
            reach = (self.deflection * layout.spacing_px)[..., None]
            lowest, highest = (scaled(side, WIGGLE_LIMIT).mul_(reach) for side in (trace.lowest, trace.highest))
            return draw_wiggles(lowest, highest, layout.position_px, width, line_px=self.line_px, fill=self.fill)
        if channel.style == "density":
            # The sum has the sign of the larger of the two, whose size the amplitude is.
            values = scaled(torch.copysign(trace.amplitude, trace.lowest + trace.highest), 1.0)
        elif self.envelope_db is None:
            values = scaled(trace.amplitude, 1.0)
        else:
            values = shifted(live_decibels(trace.amplitude, factor != 0, self.envelope_db))
        gap_px = None
        if self.max_gap_km is not None and layout.px_per_km is not None:
            gap_px = self.max_gap_km * layout.px_per_km
        return draw_density(values, layout.position_px, width, gap_px)
