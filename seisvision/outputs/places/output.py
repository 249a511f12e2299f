"""A place as three numbers with a spread: east, north and depth."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from seisvision.errors import ConfigurationError, DataError
from seisvision.outputs.output import Output
from seisvision.outputs.places import KIND, WORDS
from seisvision.outputs.places.columns import COLUMNS
from seisvision.outputs.places.plane import local_km

log = logging.getLogger(__name__)

GAUSSIAN = ("gaussian", "guided_gaussian")
LOG_SIGMA_LIMITS = (-6.0, 3.0)
"""Of the natural logarithm of a spread, in scales of the training."""
LARGEST_CORRELATION = 0.99
N_DECODED = 8


class PlaceBase(Output):
    """What outputs have in common that tell the epicentre and the depth of an event in kilometres about a middle.

    True values are (B, 3): latitude, longitude and depth as the set has them. A sample counts whose epicentre is known;
    one without a depth teaches the epicentre alone. Decoded values are (B, 8): east, north and depth in km, their
    standard deviations, the correlation of east with north, and the confidence, NaN where there is none.

    Args:
        name: how the output is called.
        columns: metadata columns of latitude and longitude in degrees and of the depth in km.
        tolerance_km: an epicentre within this distance counts as right.
        weight, hides_origin: see :class:`~seisvision.outputs.output.Output`.

    Raises:
        ConfigurationError: they are not three columns, or the tolerance is not above 0.
    """

    map_is_signed = False
    origin_deg: torch.Tensor

    def __init__(
        self, name: str, columns: Sequence[str], tolerance_km: float, weight: float, hides_origin: bool
    ) -> None:
        super().__init__(name, "source_place", weight, hides_origin, columns)
        if len(self.columns) != len(COLUMNS):
            raise ConfigurationError(
                f"columns={list(columns)} of output '{name}' must be latitude, longitude and depth, such as "
                f"[{', '.join(COLUMNS)}]"
            )
        if not tolerance_km > 0:
            raise ConfigurationError(f"tolerance_km={tolerance_km} of output '{name}' must be above 0")
        self.tolerance_km = float(tolerance_km)
        # NaN: not known yet. A buffer, so that it travels in checkpoints; of doubles, for a metre is 1e-5 degrees.
        self.register_buffer("origin_deg", torch.full((2,), math.nan, dtype=torch.float64))
        self._told_deg: tuple[float, float] | None = None
        self.register_load_state_dict_post_hook(_forget_origin)

    def count_from(self, latitude_deg: float, longitude_deg: float) -> None:
        """Take the middle of the network, from which samples tell where stations stand."""
        self.origin_deg.copy_(torch.tensor([latitude_deg, longitude_deg], dtype=torch.float64))
        self._told_deg = (float(latitude_deg), float(longitude_deg))

    @property
    def _known_deg(self) -> tuple[float, float]:
        """The middle; a buffer on an accelerator is asked once, for that means to wait."""
        if self._told_deg is None:
            latitude_deg, longitude_deg = self.origin_deg.nan_to_num(0.0).tolist()
            self._told_deg = (latitude_deg, longitude_deg)
        return self._told_deg

    def known_places(self, targets: torch.Tensor) -> torch.Tensor:
        """Local places (N, 3) of the training events whose epicentre is known; takes their middle where none is given.

        Raises:
            DataError: there are none.
        """
        known = targets[targets[:, :2].isfinite().all(1)]
        if not len(known):
            raise DataError(
                f"no training event has an epicentre ({', '.join(self.columns[:2])}), so '{self.name}' cannot be learnt"
            )
        if self.origin_deg.isnan().any():
            self.count_from(*middle_deg(known))
        return local_km(known.double(), self._known_deg)

    def local(self, target: torch.Tensor) -> torch.Tensor:
        """True values (B, 3) as east, north and depth in km."""
        return local_km(target, self._known_deg)

    def known_weight(self, target: torch.Tensor) -> torch.Tensor:
        """Number of samples whose epicentre is known."""
        return target[:, :2].isfinite().all(1).sum()

    def running_metrics(self, decoded: torch.Tensor, target: torch.Tensor) -> dict[str, torch.Tensor]:
        """Median distance of epicentres and median error of depths."""
        error = decoded[:, :3] - self.local(target)
        epicentre, depth = error[:, :2].norm(dim=1), error[:, 2].abs()
        told = {"median_ae_epicentre_km": epicentre, "median_ae_depth_km": depth}
        return {name: one[one.isfinite()].median() for name, one in told.items() if one.isfinite().any()}

    def describe(self) -> dict[str, Any]:
        """Plain description stored in checkpoints."""
        return {
            "kind": self.kind,
            "name": self.name,
            "target": self.target,
            "columns": list(self.columns),
            "origin_deg": self.origin_deg.nan_to_num(0.0).tolist(),
            "tolerance_km": self.tolerance_km,
        }


class PlaceOutput(PlaceBase):
    """Three numbers, learnt on one scale for all axes, so that kilometres weigh alike.

    Args:
        loss: ``gaussian``: the negative log-likelihood of a normal distribution with a predicted spread along each axis
            and a correlation of east with north, which gives every place an ellipse of its own; ``guided_gaussian``:
            half the squared errors added to it; ``mse`` or ``huber`` of the three numbers, without any spread.

    By likelihood alone a network first learns how far it errs: a wide or long ellipse excuses errors, and the wider it
    is, the less they pull. PreSEIS with eight events to memorise still erred by 7 km after 200 steps, where squared
    errors took it to 10 m. They do not depend on the spreads, which remain those of the likelihood.

    Other arguments are those of :class:`PlaceBase`.

    Raises:
        ConfigurationError: an unknown loss.

    Reference for one scale: Kriegerowski et al. (2019), doi:10.1785/0220180320.
    """

    kind = KIND
    mean_km: torch.Tensor
    scale_km: torch.Tensor

    def __init__(
        self,
        name: str,
        columns: Sequence[str] = COLUMNS,
        loss: str = "gaussian",
        tolerance_km: float = 5.0,
        weight: float = 1.0,
        hides_origin: bool = False,
    ) -> None:
        super().__init__(name, columns, tolerance_km, weight, hides_origin)
        self.check_words(WORDS, loss=loss)
        self.loss_name = loss
        self.register_buffer("mean_km", torch.zeros(3))
        self.register_buffer("scale_km", torch.ones(()))

    def build_head(self, num_features: int) -> None:
        """Three numbers and, where a spread is learnt, three logarithms of it and a correlation."""
        self.head = nn.Linear(num_features, 7 if self.loss_name in GAUSSIAN else 3)

    def fit_statistics(self, targets: torch.Tensor) -> None:
        """Take the median place of the training events (N, 3) and the mean of the spreads of its axes.

        Where none of them has a depth that of the median is NaN, and with it every depth that is said: whatever the
        network answers there, nothing has taught it.
        """
        places = self.known_places(targets)
        self.mean_km.copy_(places.nanmedian(0).values)
        if self.mean_km[2].isnan():
            tell_no_depth(self)
        spreads = [one[one.isfinite()].std(correction=0) for one in places.T if one.isfinite().any()]
        self.scale_km.fill_(max(float(torch.stack(spreads).mean()), 1e-3))

    def loss(self, raw: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Mean loss of raw values (B, 3 or 7) against true values (B, 3); samples without an epicentre do not count."""
        wanted = (self.local(target) - self.mean_km) / self.scale_km
        known = wanted[:, :2].isfinite().all(1)
        # Samples that do not count have no error: choosing the others would make the processor wait for an accelerator.
        raw, wanted = raw.float(), wanted.float()
        is_told = wanted.isfinite() & known[:, None]
        error = raw[:, :3] - torch.where(is_told, wanted, raw[:, :3].detach())
        each = self._loss_of_each(raw, error, is_told[:, 2])
        return (each * known).sum() / known.sum().clamp_min(1)

    def _loss_of_each(self, raw: torch.Tensor, error: torch.Tensor, has_depth: torch.Tensor) -> torch.Tensor:
        """Losses (B,) of raw values (B, 3 or 7) that err by (B, 3)."""
        if self.loss_name == "mse":
            return error.square().sum(1)
        if self.loss_name == "huber":
            return functional.huber_loss(error, torch.zeros_like(error), reduction="none").sum(1)
        log_sigma, correlation = spread_of(raw)
        east, north, depth = (error / log_sigma.exp()).unbind(1)
        rest = 1 - correlation.square()
        plane = (east.square() - 2 * correlation * east * north + north.square()) / (2 * rest) + rest.log() / 2
        vertical = torch.where(has_depth, depth.square() / 2 + log_sigma[:, 2], 0.0)
        guide = 0.5 * error.square().sum(1) if self.loss_name == "guided_gaussian" else 0.0
        return plane + log_sigma[:, :2].sum(1) + vertical + guide

    def decode(self, raw: torch.Tensor) -> torch.Tensor:
        """Places (B, 8), see :class:`PlaceBase`; NaN are spreads that are not learnt and depths no event has taught."""
        raw = raw.float()
        decoded = raw.new_full((len(raw), N_DECODED), math.nan)
        decoded[:, :3] = raw[:, :3] * self.scale_km + self.mean_km
        if self.loss_name in GAUSSIAN:
            log_sigma, correlation = spread_of(raw)
            decoded[:, 3:6] = torch.where(self.mean_km.isfinite(), log_sigma.exp() * self.scale_km, math.nan)
            decoded[:, 6] = correlation
        return decoded

    def describe(self) -> dict[str, Any]:
        """Plain description stored in checkpoints."""
        return {**super().describe(), "loss": self.loss_name}


def tell_no_depth(output: PlaceBase) -> None:
    """Say why predictions have no depth."""
    log.warning(
        "no training event has a depth (%s), so '%s' predicts none: depth_km is empty", output.columns[2], output.name
    )


def _forget_origin(output: Any, unused: Any) -> None:
    """Ask the buffer again, which holds what was loaded."""
    output._told_deg = None


def spread_of(raw: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Logarithms of three spreads (B, 3) and a correlation (B,) from raw values (B, 7)."""
    return raw[:, 3:6].clamp(*LOG_SIGMA_LIMITS), LARGEST_CORRELATION * raw[:, 6].tanh()


def middle_deg(places: torch.Tensor) -> tuple[float, float]:
    """Latitude and longitude of the middle of places (N, 2 or more), whichever side of the date line they lie on."""
    latitude, longitude = torch.deg2rad(places[:, :2].double()).unbind(1)
    x, y, z = latitude.cos() * longitude.cos(), latitude.cos() * longitude.sin(), latitude.sin()
    across = torch.hypot(x.mean(), y.mean())
    return float(torch.rad2deg(torch.atan2(z.mean(), across))), float(torch.rad2deg(torch.atan2(y.mean(), x.mean())))
