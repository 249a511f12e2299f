"""Single traces as numbers rather than pictures: (B, P, T), for one-dimensional networks."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch.nn import functional

from seisvision import keys
from seisvision.errors import ConfigurationError
from seisvision.views.filters import check_band, filter_bands, remove_mean
from seisvision.views.settings import one_of, optional_range, positive
from seisvision.views.view import View
from seisvision.views.waveforms.drawing import draw_lines
from seisvision.views.waveforms.levels import MEASURES, level_of_records, level_of_stream, motion_mask
from seisvision.views.waveforms.ps_box import BOXES, check_box, phases_of, ps_box

log = logging.getLogger(__name__)

NORMALISATIONS = ("none", *MEASURES)
ACROSS = ("joint", "component")
LEVELS = ("record", "stream")
BOX_NAME = "P to S"


class WaveformView(View):
    """One station's recording, component by component: (B, P, T).

    Args:
        n_samples: T. Longer windows are cut at their end, shorter ones continued by zeros; both are told once.
        components: order of the components, in the waveforms and in what the network gets, such as ``ENZ``.
        normalise: by what a record is divided: ``peak``, its largest magnitude; ``std``, its root mean square over
            recorded samples; ``none``.
        across: ``joint``: one value for all components, so that their ratios survive; ``component``: one for each.
        level_of: ``record``: the value is that of each record, so that amplitudes are lost; ``stream``: one for all
            records, so that amplitudes survive: ``fixed_level``, or what :meth:`fit` finds in training traces.
        fixed_level: for ``level_of=stream``, in the unit of the waveforms: one, or one for each component where they
            are normalised apart.
        demean: take the mean away from components that are not filtered; a band has none in any case.
        band_hz: (low, high) of a filter of zero phase over the whole window; None: as recorded.
        taper_s: see :class:`~seisvision.views.filters.BandFilter`; None: 1.5 longest periods of the band.
        ps_box: a further channel that is 1 from P to S and 0 elsewhere. ``catalogue``: where the batch knows both;
            ``picker``: where they are picked, see :func:`~seisvision.picking.s_minus_p.pick_phases`; ``none``.

    Components that were not recorded, and recordings that are flat or hold NaN, are zero.

    Raises ConfigurationError for a setting that is not allowed, and, when drawing, for a band above the Nyquist
    frequency and waveforms with other components or of more than one station.

    Reference for the box: Mousavi & Beroza (2020), arXiv:1912.01144.
    """

    unit = "trace"

    def __init__(
        self,
        n_samples: int = 1200,
        components: str = keys.COMPONENTS,
        normalise: str = "peak",
        across: str = "joint",
        level_of: str = "record",
        fixed_level: float | Sequence[float] | None = None,
        demean: bool = True,
        band_hz: Sequence[float] | None = None,
        taper_s: float | None = None,
        ps_box: str = "none",
    ) -> None:
        super().__init__()
        self.n_samples, self.components = int(positive("n_samples", n_samples)), components
        self.normalise = one_of("normalise", normalise, NORMALISATIONS)
        self.across, self.level_of = one_of("across", across, ACROSS), one_of("level_of", level_of, LEVELS)
        self.ps_box = one_of("ps_box", ps_box, BOXES)
        check_box(ps_box, components)
        self.demean, self.taper_s = demean, taper_s
        self.band_hz = optional_range("band_hz", band_hz)
        if self.band_hz is not None:
            check_band(self.band_hz)
        # A buffer, so that what was taken from the training traces travels in checkpoints; NaN: not known yet.
        self.levels: torch.Tensor
        self.register_buffer("levels", torch.tensor(self._fixed(fixed_level)))
        self.out_channels = len(components) + (ps_box != "none")
        self._has_told_length = self._has_levels = False

    def _fixed(self, level: float | Sequence[float] | None) -> list[float]:
        """Level of every component, or one for all; NaN where it is to be found."""
        wanted = len(self.components) if self.across == "component" else 1
        if level is None:
            return [math.nan] * wanted
        if self.level_of != "stream" or self.normalise == "none":
            raise ConfigurationError(
                f"fixed_level={level} does not go with level_of='{self.level_of}' and normalise='{self.normalise}'; "
                "choose level_of='stream' and a normalisation, or leave it out"
            )
        levels = [level] * wanted if isinstance(level, int | float) else list(level)
        if len(levels) != wanted:
            raise ConfigurationError(
                f"fixed_level={level} has {len(levels)} values; give one"
                + (f", or one for each of the components {self.components}" if wanted > 1 else " for across='joint'")
            )
        return [float(positive("fixed_level", value)) for value in levels]

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(P, T)."""
        return self.out_channels, self.n_samples

    def sample_s(self, batch: dict[str, Any]) -> float:
        """Seconds between two samples: the waveforms', which are cut or continued but not drawn together."""
        return 1 / float(batch[keys.SAMPLING_RATE_HZ])

    @torch.no_grad()
    def forward(self, batch: dict[str, Any]) -> torch.Tensor:
        """Waveforms float32 (B, P, T)."""
        with torch.autocast(batch[keys.WAVEFORM].device.type, enabled=False):
            lines = self._recorded(batch)
            if self.normalise != "none":
                # What was recorded is a copy already.
                lines = lines.div_(self._level(lines))
            if self.ps_box == "none":
                return lines
            phases_s = phases_of(batch, self.ps_box, self.components).to(lines)
            box = ps_box(phases_s, float(batch[keys.SAMPLING_RATE_HZ]), self.n_samples)
            return torch.cat([lines, box[:, None]], 1)

    def _recorded(self, batch: dict[str, Any]) -> torch.Tensor:
        """What was recorded (B, C, T), filtered and cut, in the unit of the waveforms."""
        waveform = batch[keys.WAVEFORM]
        self.check_components(waveform)
        self.check_single_traces(waveform)
        lines = waveform[:, 0].float()
        live = motion_mask(lines) & batch[keys.STATION_MASK]
        if keys.COMPONENT_MASK in batch:
            live = live & batch[keys.COMPONENT_MASK][:, 0]
        # Asked on the processor only: an accelerator would have to be waited for.
        is_as_served = lines.device.type == "cpu" and bool(live.all())
        if not is_as_served:
            # A product alone would keep NaN; a choice element by element takes twice as long.
            lines = lines.nan_to_num(0.0, 0.0, 0.0).mul_(live[..., None])
        if self.band_hz is not None:
            (lines,) = filter_bands(lines, float(batch[keys.SAMPLING_RATE_HZ]), [self.band_hz], taper_s=self.taper_s)
        elif self.demean:
            lines, _ = remove_mean(lines)
        elif is_as_served:
            # What is divided in place must not be the batch itself.
            lines = lines.clone()
        return self._of_length(lines)

    def _of_length(self, lines: torch.Tensor) -> torch.Tensor:
        there = lines.shape[-1]
        # One sample more or less is whether both ends of a window count.
        if abs(there - self.n_samples) > 1 and not self._has_told_length:
            self._has_told_length = True
            log.warning(
                "view.n_samples=%d, but windows have %d samples: they are %s. Make the window (dataset.traces.window."
                "length_s) as long, or set view.n_samples=%d.",
                self.n_samples, there, "cut" if there > self.n_samples else "continued by zeros", there,
            )  # fmt: skip
        if there >= self.n_samples:
            return lines[..., : self.n_samples]
        return functional.pad(lines, (0, self.n_samples - there))

    def _level(self, lines: torch.Tensor) -> torch.Tensor:
        """What records (B, C, T) are divided by: (B, C, 1), (B, 1, 1) or (1, C, 1)."""
        if self.level_of == "record":
            return level_of_records(lines, self.normalise, self.across == "joint")
        if self.needs_fit:
            raise ConfigurationError(
                "level_of='stream' has no level yet; give fixed_level in the unit of the waveforms, or let training "
                "take it from its samples"
            )
        return self.levels.to(lines)[None, :, None]

    @property
    def needs_fit(self) -> bool:
        """True while a level of the stream is not known."""
        # A buffer on an accelerator is asked until it tells a level and then no more, for that means to wait.
        if self.normalise != "none" and self.level_of == "stream" and not self._has_levels:
            self._has_levels = not bool(self.levels.isnan().any())
            return not self._has_levels
        return False

    @torch.no_grad()
    def fit(self, batches: Iterable[dict[str, Any]]) -> None:
        """Take the levels of the stream from batches of training traces."""
        records = (self._recorded(batch) for batch in batches)
        self.levels.copy_(level_of_stream(records, self.normalise, self.across == "joint"))

    def to_uint8(self, image: torch.Tensor) -> torch.Tensor:
        """Return ``image`` (B, P, T) as lines with axes for people: uint8 (B, H, W, 3)."""
        n = len(self.components)
        return draw_lines(image[:, :n], image[:, n] if self.ps_box != "none" else None)

    def describe(self) -> dict[str, str]:
        """Name of each channel, in order, and what its values mean."""
        if self.normalise == "none":
            meaning = "ground motion in the unit of the set"
        else:
            whose = "all records" if self.level_of == "stream" else "the record"
            of_what = "all components" if self.across == "joint" else "the component"
            meaning = f"ground motion over the {self.normalise} of {of_what} of {whose}"
        described = dict.fromkeys(self.components, meaning)
        if self.ps_box != "none":
            described[BOX_NAME] = f"1 from P to S, else 0 ({self.ps_box})"
        return described
