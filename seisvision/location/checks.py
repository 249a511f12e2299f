"""What was observed, and which of it can be used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor, float64

from seisvision.earth.constants import HALF_MERIDIAN_KM
from seisvision.earth.points import unit_vectors
from seisvision.errors import ConfigurationError, DataError
from seisvision.location.descent import Problem
from seisvision.location.plane import SOFTENING_KM

SAME_LOG = 1e-9
"""Sum of squares of the logarithms of distances that are all the same."""
LARGEST_SHARE = 0.95


@dataclass(frozen=True)
class Observations:
    """Values as given, arrays (B, S) of float64; None where there are none."""

    station_latitude_deg: np.ndarray
    station_longitude_deg: np.ndarray
    offset_km: np.ndarray
    offset_sigma_km: np.ndarray | None
    back_azimuth_deg: np.ndarray | None
    azimuth_sigma_deg: np.ndarray | None
    common_share: np.ndarray | None
    mask: np.ndarray
    """bool (B, S)."""

    def rows(self, index: slice) -> Observations:
        """Those of the events at ``index``."""
        values = {name: None if value is None else value[index] for name, value in vars(self).items()}
        return Observations(**values)  # type: ignore[arg-type]

    def with_a_slot(self) -> Observations:
        """These with a slot of padding where there is none, as largest values and sums need one."""
        if self.mask.shape[1]:
            return self
        none = np.zeros((len(self.mask), 1))
        slot: dict[str, Any] = {
            name: None if value is None else none.astype(value.dtype) for name, value in vars(self).items()
        }
        return Observations(**slot)

    def refusals(self) -> dict[str, np.ndarray]:
        """Name of a value to bool (B, S): True where it cannot be used."""
        bad = {
            "station_latitude_deg": ~(np.abs(self.station_latitude_deg) <= 90),
            "station_longitude_deg": ~(np.abs(self.station_longitude_deg) <= 360),
            "offset_km": ~((self.offset_km >= 0) & (self.offset_km <= HALF_MERIDIAN_KM)),
        }
        if self.offset_sigma_km is not None:
            bad["offset_sigma_km"] = ~((self.offset_sigma_km > 0) & np.isfinite(self.offset_sigma_km))
        return bad

    def problem(self, *, relative: bool = True) -> Problem:
        """The location problems, with harmless numbers where nothing can be used.

        Args:
            relative: without sigmas, errors are proportional to the distances (and ``offset_sigma_km`` is 1 at the
                median distance of an event); otherwise they are equal.
        """
        used = self.mask.copy()
        for bad in self.refusals().values():
            used &= ~bad
        count = used.sum(1)
        known = self.offset_sigma_km is not None
        offset = np.where(used, self.offset_km, 1.0)
        if self.offset_sigma_km is not None:
            sigma = np.where(used, self.offset_sigma_km, 1.0)
            growth = _growth(offset, sigma, used)
        else:
            sigma = _proportional(offset, used) if relative else np.ones_like(offset)
            growth = np.full(len(offset), float(relative))
        azimuth = azimuth_sigma = azimuth_used = None
        if self.back_azimuth_deg is not None and self.azimuth_sigma_deg is not None:
            fine = np.isfinite(self.back_azimuth_deg) & (self.azimuth_sigma_deg > 0)
            azimuth_used = used & fine & np.isfinite(self.azimuth_sigma_deg)
            azimuth = np.where(azimuth_used, self.back_azimuth_deg, 0.0)
            azimuth_sigma = np.where(azimuth_used, self.azimuth_sigma_deg, 1.0)
            count = count + azimuth_used.sum(1)
        place = (np.where(used, deg, 0.0) for deg in (self.station_latitude_deg, self.station_longitude_deg))
        return Problem(
            station=np.moveaxis(unit_vectors(*place), 0, -1),
            offset_km=offset,
            offset_sigma_km=sigma,
            used=used,
            back_azimuth_deg=azimuth,
            azimuth_sigma_deg=azimuth_sigma,
            azimuth_used=azimuth_used,
            known_scale=known,
            growth=growth,
            dof=count - 2.0,
            common_share=self._common_share(used),
        )

    def _common_share(self, used: np.ndarray) -> np.ndarray | None:
        """Mean (B,) of the shares that are given for the usable distances of an event; None where all are zero."""
        if self.common_share is None:
            return None
        given = np.where(used & np.isfinite(self.common_share), self.common_share, 0.0)
        share = given.sum(1) / np.maximum(used.sum(1), 1)
        return share if (share > 0).any() else None


def _proportional(offset_km: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Sigmas (B, S) that grow with the distance and are 1 at the lower median distance of an event."""
    softened = offset_km + SOFTENING_KM
    ordered = np.sort(np.where(used, softened, np.inf), 1)
    middle = np.take_along_axis(ordered, np.maximum(used.sum(1, keepdims=True) - 1, 0) // 2, 1)
    return softened / np.where(np.isfinite(middle), middle, 1.0)


def _growth(offset_km: np.ndarray, sigma_km: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Power (B,) of the distance, from 0 to 1, that the given sigmas of an event grow with.

    It is the slope of the logarithms. Where all distances are the same it does not matter; there errors are relative.
    """
    count = np.maximum(used.sum(1), 1)[:, None]

    def centred(values: np.ndarray) -> np.ndarray:
        values = np.where(used, np.log(values), 0.0)
        return np.where(used, values - values.sum(1, keepdims=True) / count, 0.0)

    offset, sigma = centred(offset_km + SOFTENING_KM), centred(sigma_km)
    spread = (offset * offset).sum(1)
    slope = (offset * sigma).sum(1) / np.maximum(spread, SAME_LOG)
    # Rounded, so that equal and proportional sigmas are seen to be that, which needs no powers of distances.
    return np.where(spread < SAME_LOG, 1.0, np.minimum(np.maximum(slope.round(9), 0.0), 1.0))


ALLOWED = {
    "station_latitude_deg": "a number from -90 to 90",
    "station_longitude_deg": "a number from -360 to 360",
    "offset_km": f"a number from 0 to {HALF_MERIDIAN_KM:.0f}",
    "offset_sigma_km": "a positive number",
}


def left_out(given: Observations, used: np.ndarray) -> list[dict[int, str]]:
    """B dicts of station number to why it is not ``used``; slots that ``mask`` calls padding are not listed."""
    texts: list[dict[int, str]] = [{} for _ in range(len(given.mask))]
    if np.array_equal(used, given.mask):
        return texts
    for name, bad in given.refusals().items():
        values = getattr(given, name)
        for event, station in np.argwhere(bad & given.mask).tolist():
            said = f"{name}={values[event, station]:g} is not {ALLOWED[name]}"
            texts[event].setdefault(station, said)
    return texts


def _check_shares(share: np.ndarray | None) -> None:
    if share is None:
        return
    wrong = np.isfinite(share) & ~((share >= 0) & (share <= LARGEST_SHARE))
    if wrong.any():
        raise DataError(
            f"common_share={share[wrong][0]:g} is not a number from 0 to {LARGEST_SHARE}: give the share of the "
            "error variance that all distances of an event have in common."
        )


def checked(**values: np.ndarray | Tensor | None) -> Observations:
    """Observations with values as arrays of float64.

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
    shape = tuple(np.shape(values["offset_km"]))  # type: ignore[arg-type]
    if len(shape) != 2:
        raise DataError(f"offset_km has shape {shape}; give (events, stations).")
    given = {name: None if value is None else _array(name, value) for name, value in values.items()}
    for name, value in given.items():
        if value is not None and value.shape != shape:
            raise DataError(f"{name} has shape {value.shape}; offset_km has {shape}. Give the same.")
    _check_shares(given["common_share"])
    if given["mask"] is None:
        given["mask"] = np.ones(shape, dtype=bool)
    return Observations(**given)  # type: ignore[arg-type]


def _array(name: str, value: np.ndarray | Tensor) -> np.ndarray:
    # In double precision at once: NumPy does not know all kinds of numbers that torch knows.
    value = value.detach().to("cpu", float64).numpy() if isinstance(value, Tensor) else np.asarray(value)
    return value.astype(bool if name == "mask" else np.float64, copy=False)
