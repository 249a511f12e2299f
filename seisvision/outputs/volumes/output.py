"""A place as a volume of cells about the network: how near the source each of them is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from seisvision.base.devices import numbers
from seisvision.errors import ConfigurationError
from seisvision.outputs.places.columns import COLUMNS
from seisvision.outputs.places.output import N_DECODED, PlaceBase, tell_no_depth
from seisvision.outputs.volumes import KIND, WORDS

MARGIN = 0.1
"""Share of their extent by which volumes that are fitted reach beyond the training events at either side."""
LEAST_EXTENT_KM = 1.0
FLOOR = {"bce": 0.05, "cross_entropy": 0.0}
"""Share of the peak below which a cell does not count in means and spreads: hundreds of thousands of cells that are
nearly zero, each by itself, would otherwise outweigh the source."""
COARSE = 64
"""Rows and columns on which it is measured how much of a volume is filled before anything is learnt."""
LEAST_FILLED = 1e-6
N_WIDENINGS = 6
"""Steps in which the variances before that cut are found; the first is exact where no end of the volume is near."""


class VolumeOutput(PlaceBase):
    """A value for every cell of a volume, wanted to fall off like a normal curve with the distance from the source.

    Raw values are logits (B, Z, Y, X): depths, rows from south to north and columns from west to east. The size of a
    cell follows from the maps that the network gives and the extent.

    Decoded are (B, 8) as of every place. The spread is that of the volume about its mean, less that of the curve which
    was wanted: a network that has learnt to say what it was told says the distribution of the source blurred by that
    curve. Cells below a share of the peak do not count with ``bce``, see :data:`FLOOR`: the variances that are compared
    are of normal curves before that cut. Then nothing is narrower than a cell.

    Args:
        n_depths: Z.
        sigma_km: standard deviations of the wanted curve to the east, to the north and in depth. Zhang et al. (2020)
            have 20.1, 24.9 and 1.79 km.
        loss: ``bce``: every cell by itself, which peaks at 1 in the cell of the source; ``cross_entropy``: the cells
            exclude each other and add to 1.
        decode: ``argmax``: the middle of the highest cell; ``centroid``: the mean of it and the cells about it;
            ``mean``: the mean of all.
        extent_km: lower and upper ends of the volume, ``[[west, east], [south, north], [top, bottom]]`` from the middle
            of the network; None: what holds the training events, and a tenth more on all sides.

    Other arguments are those of :class:`~seisvision.outputs.places.output.PlaceBase`.

    Raises:
        ConfigurationError: a setting is not allowed.

    Reference: Zhang et al. (2020), doi:10.1038/s41598-020-58908-5.
    """

    kind = KIND
    on_maps = True
    extent_km: torch.Tensor

    def __init__(
        self,
        name: str,
        columns: Sequence[str] = COLUMNS,
        n_depths: int = 30,
        sigma_km: Sequence[float] = (5.0, 5.0, 2.0),
        loss: str = "bce",
        decode: str = "centroid",
        extent_km: Sequence[Sequence[float]] | None = None,
        tolerance_km: float = 5.0,
        weight: float = 1.0,
        hides_origin: bool = False,
    ) -> None:
        super().__init__(name, columns, tolerance_km, weight, hides_origin)
        self.check_words(WORDS, loss=loss, decode=decode)
        if len(sigma_km) != 3 or not all(0 < one < math.inf for one in sigma_km):
            raise ConfigurationError(f"sigma_km={list(sigma_km)} of '{name}' must be three lengths: east, north, depth")
        if n_depths < 1:
            raise ConfigurationError(f"n_depths={n_depths} of '{name}' must be at least 1")
        self.n_depths, self.sigma_km, self.loss_name, self.decoding = int(n_depths), tuple(sigma_km), loss, decode
        extent = torch.full((3, 2), math.nan) if extent_km is None else torch.tensor(extent_km, dtype=torch.float32)
        if extent.shape != (3, 2) or (extent[:, 0] >= extent[:, 1]).any():
            raise ConfigurationError(
                f"extent_km={extent_km} of '{name}' must be three pairs that rise: west and east, south and north, top "
                "and bottom"
            )
        self.register_buffer("extent_km", extent)

    def build_for(self, model: Any, view: Any) -> None:
        """Create the last convolution, one value for each depth.

        Raises:
            ConfigurationError: the network has no maps with rows and columns.
        """
        if len(view.image_shape) != 3 or not hasattr(model, "maps"):
            raise ConfigurationError(
                f"Output '{self.name}' needs a network that turns stations and time into maps, which "
                f"{type(model).__name__} behind {type(view).__name__} does not. Set view=station_matrix and "
                "model=fcn_locator, or task=place for networks without maps."
            )
        self.head = nn.Conv2d(getattr(model, "map_features", model.num_features), self.n_depths, 1)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def fit_statistics(self, targets: torch.Tensor) -> None:
        """Let the volume hold the training events (N, 3), where nothing else was asked for, and begin nearly empty.

        A head that begins with one half in every cell spends its first hundreds of steps on learning that nearly all of
        them are far from the source, and learns no place meanwhile. Where no training event has a depth, none will be
        predicted: nothing tells a cell from those above and below it.
        """
        places = self.known_places(targets)
        for axis, values in enumerate(places.T):
            known = values[values.isfinite()]
            if len(known) and not self.extent_km[axis].isfinite().all():
                low, high = float(known.min()), float(known.max())
                margin = max(MARGIN * (high - low), LEAST_EXTENT_KM)
                self.extent_km[axis] = torch.tensor([low - margin, high + margin])
        if not places[:, 2].isfinite().any():
            self.extent_km[2] = math.nan
            tell_no_depth(self)
        # A head that came from another training has a bias of its own.
        if isinstance(self.head, nn.Conv2d) and self.head.bias is not None and not self.head.bias.any():
            known = targets[targets[:, :2].isfinite().all(1)]
            east, north, depth = self._curves(torch.empty(1, self.n_depths, COARSE, COARSE), known)
            filled = (depth * (east.mean(1) * north.mean(1))[:, None]).mean(0)
            with torch.no_grad():
                self.head.bias.copy_(filled.clamp(LEAST_FILLED, 1 - LEAST_FILLED).logit())

    @property
    def _extent_km(self) -> torch.Tensor:
        """Ends of the volume (3, 2); some or other where nothing is known."""
        ends = numbers((-LEAST_EXTENT_KM, LEAST_EXTENT_KM), self.extent_km.device)
        return torch.where(self.extent_km.isfinite(), self.extent_km, ends)

    def cells_km(self, raw: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Middles of the columns (X,), rows (Y,) and depths (Z,) of logits (B, Z, Y, X)."""
        extent = self._extent_km
        columns, rows, depths = (
            low + (torch.arange(n, device=raw.device) + 0.5) * (high - low) / n
            for (low, high), n in zip(extent, reversed(raw.shape[1:]), strict=True)
        )
        return columns, rows, depths

    def wanted(self, raw: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """The curve (B, Z, Y, X) that is wanted of true values (B, 3); every depth alike where it is not known."""
        east, north, depth = self._curves(raw, target)
        return depth[:, :, None, None] * north[:, None, :, None] * east[:, None, None, :]

    def _curves(self, raw: torch.Tensor, target: torch.Tensor) -> list[torch.Tensor]:
        """What is wanted along each axis: (B, X) to the east, (B, Y) to the north and (B, Z) in depth."""
        place = self.local(target)
        curves = []
        for axis, (cells, sigma_km) in enumerate(zip(self.cells_km(raw), self.sigma_km, strict=True)):
            away = (cells - place[:, axis : axis + 1].float()) / sigma_km
            # Along an axis that no training event has taught every cell is as right as any other.
            known = place[:, axis : axis + 1].isfinite() & self.extent_km[axis].isfinite().all()
            curves.append(torch.where(known, (-0.5 * away.square()).exp(), 1.0))
        return curves

    def loss(self, raw: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Mean loss of logits (B, Z, Y, X) against true values (B, 3); samples without an epicentre do not count."""
        known = target[:, :2].isfinite().all(1)
        raw = raw.float()
        wanted = self.wanted(raw, target)
        if self.loss_name == "bce":
            each = functional.binary_cross_entropy_with_logits(raw, wanted, reduction="none").flatten(1).mean(1)
        else:
            share = wanted.flatten(1) / wanted.flatten(1).sum(1, keepdim=True).clamp_min(1e-30)
            each = -(share * raw.flatten(1).log_softmax(1)).sum(1)
        # Choosing the samples that count would make the processor wait for an accelerator.
        return (each * known).sum() / known.sum().clamp_min(1)

    def decode(self, raw: torch.Tensor) -> torch.Tensor:
        """Places (B, 8), see the class; the confidence is the peak of a volume of ``bce``, else that of the shares.

        Depths are NaN where no training event had one.
        """
        raw = raw.float()
        heights = raw.sigmoid() if self.loss_name == "bce" else raw.flatten(1).softmax(1).view_as(raw)
        peak = heights.flatten(1).amax(1)
        heights = torch.where(heights >= FLOOR[self.loss_name] * peak[:, None, None, None], heights, 0.0)
        share = heights / heights.flatten(1).sum(1).clamp_min(1e-30)[:, None, None, None]
        cells = self.cells_km(raw)
        mean, spread = _moments(share, cells)
        together = torch.einsum("byx,y,x->b", share.sum(1), cells[1], cells[0]) - mean[:, 0] * mean[:, 1]
        extent = self._extent_km[:, 1] - self._extent_km[:, 0]
        step = extent / numbers(tuple(raw.shape[1:][::-1]), raw.device)
        if FLOOR[self.loss_name]:
            whole = self._before_cut(mean, spread, cells, step)
            together = together * (whole / spread.clamp_min(1e-12))[:, :2].prod(1).sqrt()
        else:
            whole = spread
        variance = whole - numbers(self.sigma_km, raw.device).square()
        # A curve that hardly falls within the volume could have any width: no more is said than the volume has.
        variance = torch.minimum(variance, torch.maximum(spread, extent.square() / 12))
        variance = torch.maximum(variance, step.square() / 12)
        if self.decoding != "mean":
            # The answer is the middle of a cell, or close to it, wherever the peak is in it.
            variance = variance + step.square() / 12
        decoded = raw.new_full((len(raw), N_DECODED), math.nan)
        decoded[:, :3] = mean if self.decoding == "mean" else self._about_peak(heights, cells)
        decoded[:, 3:6] = variance.sqrt()
        decoded[:, 6] = (together / (variance[:, 0] * variance[:, 1]).sqrt().clamp_min(1e-12)).clamp(-0.99, 0.99)
        decoded[:, 7] = peak
        decoded[:, 2:6:3] = torch.where(self.extent_km[2].isfinite().all(), decoded[:, 2:6:3], math.nan)
        return decoded

    def _before_cut(
        self, mean: torch.Tensor, spread: torch.Tensor, cells: Sequence[torch.Tensor], step: torch.Tensor
    ) -> torch.Tensor:
        """Variances (B, 3) of the normal curves that have those of ``spread`` in this volume once their feet are cut.

        Args:
            mean: of the cut volumes (B, 3), where the curves stand.
            spread: variances of the cut volumes (B, 3).
            cells: of :meth:`cells_km`.
            step: size of a cell (3,).
        """
        least, most = step.square() / 12, (step * numbers(tuple(map(len, cells)), step.device)).square()
        whole = spread
        for _ in range(N_WIDENINGS):
            whole = torch.minimum(torch.maximum(whole, least), most)
            fall = [
                -0.5 * (line - mean[:, axis : axis + 1]).square() / whole[:, axis : axis + 1]
                for axis, line in enumerate(cells)
            ]
            curve = fall[2][:, :, None, None] + fall[1][:, None, :, None] + fall[0][:, None, None, :]
            curve = (curve - curve.amax((1, 2, 3), keepdim=True)).exp()
            curve = torch.where(curve >= FLOOR[self.loss_name], curve, 0.0)
            _, cut = _moments(curve / curve.sum((1, 2, 3), keepdim=True), cells)
            whole = whole * spread / torch.maximum(cut, least)
        return torch.minimum(whole, most)

    def _about_peak(self, heights: torch.Tensor, cells: Sequence[torch.Tensor]) -> torch.Tensor:
        """The middle (B, 3) of the highest cell, or of it and its neighbours."""
        shape = heights.shape[1:]
        best = heights.flatten(1).argmax(1)
        # Not torch.unravel_index, which sends the shape to the device each time.
        column, row = best % shape[2], best // shape[2] % shape[1]
        depth = best // (shape[2] * shape[1])
        if self.decoding == "argmax":
            return torch.stack([cells[0][column], cells[1][row], cells[2][depth]], 1)
        reach = torch.arange(-1, 2, device=heights.device)
        batch = torch.arange(len(heights), device=heights.device)[:, None, None, None]
        # Beyond the ends of the volume a cell would count twice; it counts nothing.
        places = [one[:, None] + reach for one in (depth, row, column)]
        inside = [(place >= 0) & (place < n) for place, n in zip(places, shape, strict=True)]
        z, y, x = (place.clamp(0, n - 1) for place, n in zip(places, shape, strict=True))
        weight = heights[batch, z[:, :, None, None], y[:, None, :, None], x[:, None, None, :]]
        weight = weight * inside[0][:, :, None, None] * inside[1][:, None, :, None] * inside[2][:, None, None, :]
        weight = weight / weight.sum((1, 2, 3), keepdim=True).clamp_min(1e-30)
        lines = weight.sum((1, 2)), weight.sum((1, 3)), weight.sum((2, 3))
        where = cells[0][x], cells[1][y], cells[2][z]
        return torch.stack([(line * cell).sum(1) for line, cell in zip(lines, where, strict=True)], 1)

    def explained(self, raw: torch.Tensor) -> torch.Tensor:
        """The highest logit (B, 1)."""
        return raw.flatten(1).amax(1, keepdim=True)

    def describe(self) -> dict[str, Any]:
        """Plain description stored in checkpoints."""
        return {
            **super().describe(),
            "loss": self.loss_name,
            "decode": self.decoding,
            "sigma_km": list(self.sigma_km),
            "extent_km": self.extent_km.nan_to_num(0.0).tolist(),
        }


def _moments(share: torch.Tensor, cells: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Means and variances (B, 3) to the east, to the north and in depth of shares (B, Z, Y, X) that add to 1."""
    lines = [share.sum((1, 2)), share.sum((1, 3)), share.sum((2, 3))]
    mean = torch.stack([(line * cell).sum(1) for line, cell in zip(lines, cells, strict=True)], 1)
    away = [(cell - middle[:, None]).square() for cell, middle in zip(cells, mean.T, strict=True)]
    return mean, torch.stack([(line * one).sum(1) for line, one in zip(lines, away, strict=True)], 1)
