"""First steps towards a hypocentre along straight rays: a fiftieth of the time of steps through a table.

Each pick keeps the mean slowness that the table gives it at the nearest station, so that a step costs some arithmetic
in single precision and no look-up. What comes of it is good to a few per cent of the distances, from where a few steps
through the table lead to the minimum.
"""

from __future__ import annotations

import torch
from torch import Tensor

from seisvision.earth.constants import EARTH_RADIUS_KM
from seisvision.earth.unit_vectors import frame
from seisvision.location.arrivals.problem import LEAST, SQUARED_ECCENTRICITY, Problem, geocentric_km
from seisvision.location.student import DEGREES_OF_FREEDOM

ITERATIONS = 10
ROUNDS = 2
FIRST_DAMPING = 1e-2
LEAST_PRECISION = 1e-8


def straight_descent(
    problem: Problem, centre: Tensor, start: Tensor, depth_km: Tensor, slowness_s_km: Tensor, sigma_s: Tensor
) -> tuple[Tensor, Tensor]:
    """Unit vectors (M, K, 3) and depths (M, K) to which the starts lead.

    Args:
        problem: M problems without waiting stations and priors.
        centre: (M, 3) unit vectors, near which the plane is laid in which north and east are counted.
        start: (M, K, 3) unit vectors.
        depth_km: (M, K) of the starts.
        slowness_s_km: (M, S) travel time over straight way.
        sigma_s: (M, S) as wide as the rays are rough.
    """
    m, k = start.shape[:2]
    origin_km = geocentric_km(centre, torch.zeros_like(centre[:, 0]))
    axes = torch.stack([*frame(centre), -centre], -1)
    surface = geocentric_km(start, torch.zeros_like(start[..., 0]))
    station = ((problem.station_km - origin_km[:, None]) @ axes).float()[:, None]
    place = torch.cat([((surface - origin_km[:, None]) @ axes)[..., :2], depth_km[..., None]], 2)
    place = place.float()
    first_s = torch.where(problem.used, problem.time_s, torch.inf).amin(1, keepdim=True)
    time = torch.where(problem.used, problem.time_s - first_s, 0.0).float()[:, None]
    precision = (problem.used / sigma_s).float()[:, None]
    slowness = slowness_s_km.float()[:, None]
    low, high = (problem.limits_km[:, i, None].float() for i in (0, 1))
    damping, now = torch.full_like(place[..., 0], FIRST_DAMPING), None
    trial, origin = place, (time - slowness * _ways(place, station)[1]).median(2).values
    for _ in range(ITERATIONS + 1):
        there = _model(trial, origin, time, station, slowness, precision)
        if now is None:
            now = there
        else:
            better = there[0] <= now[0]
            damping = torch.where(better, damping / 10, damping * 10)
            place = torch.where(better[..., None], trial, place)
            chosen = [
                torch.where(better.reshape(m, k, *[1] * (a.ndim - 2)), a, b) for a, b in zip(there, now, strict=True)
            ]
            now = (chosen[0], chosen[1], chosen[2], chosen[3])
        _, origin, downhill, information = now
        size = information.diagonal(dim1=2, dim2=3)
        ridge = damping[..., None] * torch.maximum(size, size.mean(2, keepdim=True)) + LEAST_PRECISION
        step = _solved(information, ridge, downhill)
        trial = place + step
        trial = torch.cat([trial[..., :2], torch.clamp(trial[..., 2], low, high)[..., None]], 2)
    return _unit_vectors(place.double(), origin_km, axes), place[..., 2].double()


def _ways(place: Tensor, station: Tensor) -> tuple[Tensor, Tensor]:
    """Ways (M, K, S, 3) from places below the curved ground to the stations, and their lengths (M, K, S)."""
    down = place[..., 2] + _fall(place[..., :2].square().sum(-1))
    way = station - torch.cat([place[..., :2], down[..., None]], 2)[:, :, None]
    return way, torch.linalg.vector_norm(way, dim=3).clamp_min(1e-3)


def _fall(squared_km2: Tensor) -> Tensor:
    """How far the ground lies below the plane that touches it."""
    return EARTH_RADIUS_KM - (EARTH_RADIUS_KM**2 - squared_km2).clamp_min(1.0).sqrt()


def _model(
    place: Tensor, origin: Tensor, time: Tensor, station: Tensor, slowness: Tensor, precision: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Cost (M, K), origin (M, K), downhill direction (M, K, 3) and information (M, K, 3, 3) at places."""
    nu = DEGREES_OF_FREEDOM
    way, length = _ways(place, station)
    delay, squared = time - slowness * length, precision.square()
    for _ in range(ROUNDS):
        late = delay - origin[..., None]
        weight = squared * (nu + 1) / (nu + (late * precision).square())
        total = weight.sum(2).clamp_min(LEAST)
        origin = origin + (weight * late).sum(2) / total
    late = delay - origin[..., None]
    cost = (nu + 1) / 2 * torch.log1p((late * precision).square() / nu).sum(2)
    design = way * (-slowness / length)[..., None]
    weighted = weight[..., None] * design
    pull = weighted.sum(2) / total[..., None]
    information = weighted.transpose(2, 3) @ design - total[..., None, None] * pull[..., None] * pull[..., None, :]
    push = weight * late
    downhill = (push[:, :, None] @ design)[:, :, 0] - push.sum(2, keepdim=True) * pull
    return cost, origin, downhill, information


def _solved(information: Tensor, ridge: Tensor, downhill: Tensor) -> Tensor:
    """Solutions (..., 3) of symmetric equations of three unknowns, by the adjugate: small ones are slow to factor."""
    a, d, f = (information[..., i, i] + ridge[..., i] for i in range(3))
    b, c, e = information[..., 0, 1], information[..., 0, 2], information[..., 1, 2]
    rows = [[d * f - e * e, c * e - b * f, b * e - c * d], [a * f - c * c, b * c - a * e], [a * d - b * b]]
    determinant = a * rows[0][0] + b * rows[0][1] + c * rows[0][2]
    x, y, z = downhill.unbind(-1)
    step = torch.stack(
        [
            rows[0][0] * x + rows[0][1] * y + rows[0][2] * z,
            rows[0][1] * x + rows[1][0] * y + rows[1][1] * z,
            rows[0][2] * x + rows[1][1] * y + rows[2][0] * z,
        ],
        -1,
    )
    return (step / determinant[..., None]).nan_to_num(0.0, 0.0, 0.0)


def _unit_vectors(place: Tensor, origin_km: Tensor, axes: Tensor) -> Tensor:
    """Unit vectors (M, K, 3) of geodetic coordinates of the ground above places."""
    ground = torch.cat([place[..., :2], _fall(place[..., :2].square().sum(-1))[..., None]], 2)
    geocentric = origin_km[:, None] + ground @ axes.transpose(1, 2)
    normal = geocentric * geocentric.new_tensor([1.0, 1.0, 1 / (1 - SQUARED_ECCENTRICITY)])
    return normal / torch.linalg.vector_norm(normal, dim=-1, keepdim=True)
