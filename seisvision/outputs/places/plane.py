"""True places as local kilometres, on any device."""

from __future__ import annotations

import torch

from seisvision.earth.constants import EARTH_RADIUS_KM

COLUMNS = ("source_latitude_deg", "source_longitude_deg", "source_depth_km")
"""Columns of a true place."""
PARTS = ("east_km", "north_km", "depth_km", "sigma_east_km", "sigma_north_km", "sigma_depth_km", "correlation")
"""What is said of a place, before the confidence."""


def local_km(place: torch.Tensor, origin_deg: torch.Tensor) -> torch.Tensor:
    """East, north and depth (B, 3) in km of latitudes, longitudes and depths (B, 3); NaN stays NaN.

    The plane of :class:`~seisvision.earth.projection.Projection`, for tensors that take part in a training.

    Args:
        place: true values in the order of :data:`COLUMNS`.
        origin_deg: (2,) latitude and longitude of the middle.
    """
    latitude, origin = torch.deg2rad(place[:, 0].double()), torch.deg2rad(origin_deg.double())
    turn = torch.deg2rad(place[:, 1].double()) - origin[1]
    cosine = origin[0].sin() * latitude.sin() + origin[0].cos() * latitude.cos() * turn.cos()
    scale = EARTH_RADIUS_KM * (2 / (1 + cosine)).sqrt()
    north = origin[0].cos() * latitude.sin() - origin[0].sin() * latitude.cos() * turn.cos()
    return torch.stack([scale * latitude.cos() * turn.sin(), scale * north, place[:, 2].double()], 1).to(place)
