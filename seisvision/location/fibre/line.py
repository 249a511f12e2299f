"""A fibre in local kilometres: where its channels are, on which line they lie, which of them say something new."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from seisvision.earth.unit_vectors import coordinates_deg, geodesic, moved, unit_vectors
from seisvision.errors import DataError


@dataclass(frozen=True)
class Line:
    """Channels of a fibre about their mean place."""

    origin_deg: tuple[float, float]
    """Latitude and longitude of zero."""
    channel_km: np.ndarray
    """(C, 2) east and north."""
    along_km: np.ndarray
    """(C,) way along the fibre."""
    axis: np.ndarray
    """(2,) unit vector of the straight line nearest to the channels."""

    @classmethod
    def of(cls, latitude_deg: np.ndarray, longitude_deg: np.ndarray, along_km: np.ndarray | None = None) -> Line:
        """From the coordinates (C,) of the channels in their order; their way is summed where it is not given.

        Raises:
            DataError: there are fewer than three channels, or coordinates that are no numbers.
        """
        latitude_deg, longitude_deg = np.asarray(latitude_deg, float), np.asarray(longitude_deg, float)
        if len(latitude_deg) < 3 or not (np.isfinite(latitude_deg) & np.isfinite(longitude_deg)).all():
            raise DataError(f"a fibre needs three channels with coordinates, all of them; {len(latitude_deg)} given.")
        points = unit_vectors(torch.as_tensor(latitude_deg), torch.as_tensor(longitude_deg))
        middle = points.mean(0)
        origin = coordinates_deg(middle / torch.linalg.vector_norm(middle))
        line = cls((float(origin[0]), float(origin[1])), np.zeros((0, 2)), np.zeros(0), np.zeros(2))
        channel = line.kilometres(latitude_deg, longitude_deg)
        if along_km is None:
            along_km = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(channel, axis=0).T))])
        axis = np.linalg.svd(channel - channel.mean(0), full_matrices=False)[2][0]
        return cls(line.origin_deg, channel, np.asarray(along_km, float), axis)

    def kilometres(self, latitude_deg: np.ndarray, longitude_deg: np.ndarray) -> np.ndarray:
        """Places (N, 2), east and north of the origin by distance and azimuth on WGS84."""
        origin = unit_vectors(*(torch.tensor([value], dtype=torch.float64) for value in self.origin_deg))
        way = geodesic(origin, unit_vectors(torch.as_tensor(latitude_deg), torch.as_tensor(longitude_deg)))
        return (torch.stack([way.east, way.north], 1) * way.distance_km[:, None]).numpy()

    def coordinates_deg(self, place_km: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Latitudes and longitudes (N,) of places (N, 2), inverse of `kilometres` to a metre or two at 100 km."""
        place = torch.as_tensor(np.atleast_2d(place_km))
        origin = unit_vectors(*(torch.tensor([value], dtype=torch.float64) for value in self.origin_deg))
        origin = origin.expand(len(place), 3)
        step = place.clone()
        for _ in range(2):
            # Steps are those of a sphere; what they miss on the ellipsoid is added.
            there = moved(origin, step[:, 1], step[:, 0])
            way = geodesic(origin, there)
            step = step + place - torch.stack([way.east, way.north], 1) * way.distance_km[:, None]
        latitude, longitude = coordinates_deg(moved(origin, step[:, 1], step[:, 0]))
        return latitude.numpy(), longitude.numpy()

    def mirrored(self, place_km: np.ndarray) -> np.ndarray:
        """Places (..., 2) on the other side of the line; a straight fibre cannot tell which is right."""
        middle = self.channel_km.mean(0)
        away = np.asarray(place_km) - middle
        return middle + 2 * (away @ self.axis)[..., None] * self.axis - away


def thinned(along_km: np.ndarray, time_s: np.ndarray, correlation_km: float) -> np.ndarray:
    """Numbers of picks (N,) of which none lies closer along the fibre than ``correlation_km`` to another that is kept.

    Neighbouring channels see the same ground and the same wave, so that their errors are nearly one and the same. The
    earliest of each stretch is kept: picks come late more often than early.
    """
    order = np.argsort(time_s, kind="stable")
    kept: list[int] = []
    for pick in order:
        if all(abs(along_km[pick] - along_km[other]) >= correlation_km for other in kept):
            kept.append(int(pick))
    return np.sort(np.array(kept, dtype=np.int64))


def curvature_s_m2(along_km: np.ndarray, time_s: np.ndarray) -> float:
    """Coefficient a of ``t = a (x - x0)^2 + t0``, x0 being the channel of the earliest pick; s per square metre.

    Beyond an end of the fibre it is about 1.25 / (v L) for a stretch L that was reached; beside the middle it falls
    with the distance. A threshold therefore belongs to a stretch. NaN with fewer than three picks.
    """
    if len(time_s) < 3:
        return float("nan")
    squared = np.square(1000 * (along_km - along_km[np.argmin(time_s)]))
    design = np.stack([squared, np.ones_like(squared)], 1)
    scale = squared.max() or 1.0
    return float(np.linalg.lstsq(design / [scale, 1.0], time_s, rcond=None)[0][0] / scale)
