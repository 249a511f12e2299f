"""True places as local kilometres, on any device."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from seisvision.earth.constants import EARTH_RADIUS_KM


def local_km(place: torch.Tensor, origin_deg: torch.Tensor | Sequence[float]) -> torch.Tensor:
    """East, north and depth (B, 3) in km of latitudes, longitudes and depths (B, 3); NaN stays NaN.

    The plane of :class:`~seisvision.earth.projection.Projection`, for tensors that take part in a training. On an
    accelerator it is computed in single precision, which keeps some metres, since many compute slowly in any other.

    Args:
        place: true values in the order of :data:`~seisvision.outputs.places.columns.COLUMNS`.
        origin_deg: (2,) latitude and longitude of the middle; numbers, where ``place`` is on an accelerator.
    """
    if place.device.type != "cpu":
        return single_local_km(place, *map(float, origin_deg))
    latitude, origin = torch.deg2rad(place[:, 0].double()), torch.deg2rad(torch.as_tensor(origin_deg).double())
    turn = torch.deg2rad(place[:, 1].double()) - origin[1]
    cosine = origin[0].sin() * latitude.sin() + origin[0].cos() * latitude.cos() * turn.cos()
    scale = EARTH_RADIUS_KM * (2 / (1 + cosine)).sqrt()
    north = origin[0].cos() * latitude.sin() - origin[0].sin() * latitude.cos() * turn.cos()
    return torch.stack([scale * latitude.cos() * turn.sin(), scale * north, place[:, 2].double()], 1).to(place)


def single_local_km(place: torch.Tensor, latitude_deg: float, longitude_deg: float) -> torch.Tensor:
    """:func:`local_km` from differences to the middle, which do not lose digits."""
    north, turn = (
        torch.deg2rad(_difference(place[:, axis], middle)) for axis, middle in enumerate((latitude_deg, longitude_deg))
    )
    cosine, turned = torch.deg2rad(place[:, 0]).cos(), (turn / 2).sin().square()
    haversine = (north / 2).sin().square() + math.cos(math.radians(latitude_deg)) * cosine * turned
    scale = EARTH_RADIUS_KM * (1 - haversine).rsqrt()
    ahead = north.sin() + 2 * math.sin(math.radians(latitude_deg)) * cosine * turned
    return torch.stack([scale * cosine * turn.sin(), scale * ahead, place[:, 2]], 1)


def _difference(values: torch.Tensor, middle: float) -> torch.Tensor:
    # In two steps: rounded to single precision by itself, the middle could be off by a metre.
    near = float(torch.tensor(middle))
    return (values - near) - (middle - near)
