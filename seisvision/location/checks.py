"""What was observed, and which of it can be used."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from seisvision.earth.constants import HALF_MERIDIAN_KM
from seisvision.earth.unit_vectors import unit_vectors
from seisvision.errors import ConfigurationError, DataError
from seisvision.location.descent import Problem
from seisvision.location.plane import SOFTENING_KM

SAME_LOG = 1e-9
"""Sum of squares of the logarithms of distances that are all the same."""
LARGEST_SHARE = 0.95


@dataclass(frozen=True)
class Observations:
    """Values as given, tensors (B, S) of float64; None where there are none."""

    station_latitude_deg: Tensor
    station_longitude_deg: Tensor
    offset_km: Tensor
    offset_sigma_km: Tensor | None
    back_azimuth_deg: Tensor | None
    azimuth_sigma_deg: Tensor | None
    common_share: Tensor | None
    mask: Tensor
    """bool (B, S)."""

    def rows(self, index: Tensor) -> Observations:
        """Those of the events at ``index``."""
        values = {name: None if value is None else value[index] for name, value in vars(self).items()}
        return Observations(**values)  # type: ignore[arg-type]

    def refusals(self) -> dict[str, Tensor]:
        """Name of a value to bool (B, S): True where it cannot be used."""
        bad = {
            "station_latitude_deg": ~(self.station_latitude_deg.abs() <= 90),
            "station_longitude_deg": ~(self.station_longitude_deg.abs() <= 360),
            "offset_km": ~((self.offset_km >= 0) & (self.offset_km <= HALF_MERIDIAN_KM)),
        }
        if self.offset_sigma_km is not None:
            bad["offset_sigma_km"] = ~((self.offset_sigma_km > 0) & self.offset_sigma_km.isfinite())
        return bad

    def problem(self, *, relative: bool = True) -> Problem:
        """The location problems, with harmless numbers where nothing can be used.

        Args:
            relative: without sigmas, errors are proportional to the distances (and ``offset_sigma_km`` is 1 at the
                median distance of an event); otherwise they are equal.
        """
        used = self.mask & ~torch.stack(list(self.refusals().values())).any(0)

        def safe(values: Tensor, usable: Tensor, fill: float) -> Tensor:
            return torch.where(usable, values, fill)

        known = self.offset_sigma_km is not None
        offset = safe(self.offset_km, used, 1.0)
        if self.offset_sigma_km is not None:
            sigma = safe(self.offset_sigma_km, used, 1.0)
            growth = _growth(offset, sigma, used)
        else:
            sigma = _proportional(offset, used) if relative else torch.ones_like(offset)
            growth = torch.full_like(offset[:, 0], float(relative))
        azimuth = azimuth_sigma = azimuth_used = None
        if self.back_azimuth_deg is not None and self.azimuth_sigma_deg is not None:
            fine = self.back_azimuth_deg.isfinite() & (self.azimuth_sigma_deg > 0) & self.azimuth_sigma_deg.isfinite()
            azimuth_used = used & fine
            azimuth = safe(self.back_azimuth_deg, azimuth_used, 0.0)
            azimuth_sigma = safe(self.azimuth_sigma_deg, azimuth_used, 1.0)
        station = unit_vectors(safe(self.station_latitude_deg, used, 0.0), safe(self.station_longitude_deg, used, 0.0))
        return Problem(
            station, offset, sigma, used, azimuth, azimuth_sigma, azimuth_used, known, growth, self._common_share(used)
        )

    def _common_share(self, used: Tensor) -> Tensor | None:
        """Mean (B,) of the shares that are given for the usable distances of an event; None where all are zero."""
        if self.common_share is None:
            return None
        given = torch.where(used & self.common_share.isfinite(), self.common_share, 0.0)
        share = given.sum(1) / used.sum(1).clamp_min(1)
        return share if bool((share > 0).any()) else None


def _proportional(offset_km: Tensor, used: Tensor) -> Tensor:
    """Sigmas (B, S) that grow with the distance and are 1 at the median distance of an event."""
    softened = offset_km + SOFTENING_KM
    middle = torch.where(used, softened, torch.nan).nanmedian(1, keepdim=True).values.nan_to_num(1.0)
    return softened / middle


def _growth(offset_km: Tensor, sigma_km: Tensor, used: Tensor) -> Tensor:
    """Power (B,) of the distance, from 0 to 1, that the given sigmas of an event grow with.

    It is the slope of the logarithms. Where all distances are the same it does not matter; there errors are relative.
    """
    count = used.sum(1, keepdim=True).clamp_min(1)

    def centred(values: Tensor) -> Tensor:
        values = torch.where(used, values.log(), 0.0)
        return torch.where(used, values - values.sum(1, keepdim=True) / count, 0.0)

    offset, sigma = centred(offset_km + SOFTENING_KM), centred(sigma_km)
    spread = offset.square().sum(1)
    slope = (offset * sigma).sum(1) / spread.clamp_min(SAME_LOG)
    return torch.where(spread < SAME_LOG, 1.0, slope.clamp(0, 1))


ALLOWED = {
    "station_latitude_deg": "a number from -90 to 90",
    "station_longitude_deg": "a number from -360 to 360",
    "offset_km": f"a number from 0 to {HALF_MERIDIAN_KM:.0f}",
    "offset_sigma_km": "a positive number",
}


def left_out(given: Observations, used: Tensor) -> list[dict[int, str]]:
    """B dicts of station number to why it is not ``used``; slots that ``mask`` calls padding are not listed."""
    texts: list[dict[int, str]] = [{} for _ in range(len(given.mask))]
    if torch.equal(used, given.mask):
        return texts
    for name, bad in given.refusals().items():
        values = getattr(given, name)
        for event, station in (bad & given.mask).nonzero().tolist():
            said = f"{name}={values[event, station].item():g} is not {ALLOWED[name]}"
            texts[event].setdefault(station, said)
    return texts


def _check_shares(share: Tensor | None) -> None:
    if share is None:
        return
    wrong = share.isfinite() & ~((share >= 0) & (share <= LARGEST_SHARE))
    if wrong.any():
        raise DataError(
            f"common_share={share[wrong][0].item():g} is not a number from 0 to {LARGEST_SHARE}: give the share of the "
            "error variance that all distances of an event have in common."
        )


def checked(**values: np.ndarray | Tensor | None) -> Observations:
    """Observations with values as float64 tensors on the device of the distances.

    Raises:
        ConfigurationError: back azimuths without sigmas of both kinds.
        DataError: a shape differs from that of the distances, or a common share is none.
    """
    if values["back_azimuth_deg"] is not None:
        for name in ("azimuth_sigma_deg", "offset_sigma_km"):
            if values[name] is None:
                raise ConfigurationError(
                    f"back_azimuth_deg needs {name}: degrees and km are weighed by their sigmas. Give both sigmas."
                )
    offset = torch.as_tensor(values["offset_km"])
    if offset.ndim != 2:
        raise DataError(f"offset_km has shape {tuple(offset.shape)}; give (events, stations).")
    tensors: dict[str, Tensor | None] = {}
    for name, value in values.items():
        kind = torch.bool if name == "mask" else torch.float64
        tensor = None if value is None else torch.as_tensor(value).to(offset.device, kind)
        if tensor is not None and tensor.shape != offset.shape:
            raise DataError(
                f"{name} has shape {tuple(tensor.shape)}; offset_km has {tuple(offset.shape)}. Give the same."
            )
        tensors[name] = tensor
    _check_shares(tensors["common_share"])
    if tensors["mask"] is None:
        tensors["mask"] = torch.ones(offset.shape, dtype=torch.bool, device=offset.device)
    return Observations(**tensors)  # type: ignore[arg-type]
