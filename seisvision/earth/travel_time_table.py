"""First P and S times by depth and distance, tabulated once and interpolated for many pairs at once on any device.

What is tabulated is the time over the length of the straight way. It varies little and stays finite where source and
station meet, while the time itself has a cusp there (the factored eikonal equation: Fomel, Luo & Zhao 2009, J. Comput.
Phys. 228, 6440-6455). In a uniform Earth it is one number, and times are exact.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from seisvision.earth.bicubic import coefficients, evaluate
from seisvision.earth.constants import EARTH_RADIUS_KM, TRAVEL_TIME_MODELS
from seisvision.earth.layers import first_arrivals
from seisvision.earth.travel_times import first_times, surface_velocities_km_s
from seisvision.errors import ConfigurationError, did_you_mean

T = TypeVar("T", np.ndarray, Tensor)

PHASES: Final = ("P", "S")
"""First arrivals of their kind; their numbers are the phases of tables and picks."""
LEVEL_STEP_KM: Final = 1.0
"""Elevations of stations are tabulated at least this close; between them the tabulated ratio is interpolated."""
BEYOND_LEVELS_KM: Final = 0.25
"""Stations may lie this far outside of the elevations."""
LONGEST_KM: Final = 3500.0
"""Farther away the flattening of the Earth, which tables do not know, costs more than a tenth of a second."""
HIGHEST_KM: Final = 10.0
LEAST_KM: Final = 1e-6
LARGEST_STEP: Final = 0.05
"""Change of velocity from one layer to the next, as a share, beyond which it counts as a jump."""


class Columns(NamedTuple):
    """Where picks stand in a table."""

    first: Tensor
    """int64: number of the first cell of their phase and of the elevation tabulated below theirs."""
    above: Tensor
    """float32: way to the next elevation, in steps."""


@dataclass(frozen=True)
class TravelTimes:
    """Tables of both phases; made by `constant`, `layered` or `taup`."""

    name: str
    """What people read, such as ``iasp91``."""
    cells: Tensor
    """(2, E, D - 1, X - 1, 16) of `seisvision.earth.bicubic`: seconds per km of straight way."""
    first_elevation_km: float
    elevation_step_km: float
    first_depth_km: float
    """Negative: sources may lie above the datum."""
    depth_step_km: float
    distance_step_km: float
    has_jumps: bool = False
    """Whether velocities jump somewhere by more than `LARGEST_STEP`: first arrivals change branch there."""

    @property
    def max_depth_km(self) -> float:
        """Deepest source."""
        return self.first_depth_km + self.cells.shape[2] * self.depth_step_km

    @property
    def max_distance_km(self) -> float:
        """Farthest station."""
        return self.cells.shape[3] * self.distance_step_km

    @property
    def elevation_limits_km(self) -> tuple[float, float]:
        """Lowest and highest station."""
        top = self.first_elevation_km + (self.cells.shape[1] - 1) * self.elevation_step_km
        return self.first_elevation_km - BEYOND_LEVELS_KM, top + BEYOND_LEVELS_KM

    @classmethod
    def constant(cls, vp_km_s: float, vs_km_s: float) -> TravelTimes:
        """Straight rays through an Earth of one velocity; no limits but those of the ground."""
        _check_velocities("constant", [vp_km_s], [vs_km_s])
        ratio = np.broadcast_to(1 / np.array([vp_km_s, vs_km_s])[:, None, None, None], (2, 2, 2, 2))
        name = f"constant {vp_km_s:g} and {vs_km_s:g} km/s"
        cells = torch.from_numpy(coefficients(ratio))
        return cls(name, cells, -HIGHEST_KM, 2 * HIGHEST_KM, -HIGHEST_KM, 700 + HIGHEST_KM, LONGEST_KM)

    @classmethod
    def layered(
        cls,
        top_km: Sequence[float],
        vp_km_s: Sequence[float],
        vs_km_s: Sequence[float],
        *,
        max_distance_km: float = 200.0,
        max_depth_km: float = 40.0,
        elevations_km: tuple[float, float] = (0.0, 3.0),
        step_km: float | None = None,
    ) -> TravelTimes:
        """Direct and head waves of flat layers over a half-space, bent to the sphere; layers may be slower than above.

        Args:
            top_km: (L,) tops of the layers, the first 0, rising; the first layer reaches up to the highest station.
            vp_km_s: (L,).
            vs_km_s: (L,).
            max_distance_km: farthest station, up to 3,500 km.
            max_depth_km: deepest source.
            elevations_km: lowest and highest station.
            step_km: of the grid; None: 0.5 km, coarser for tables of more than 300 km.

        Raises:
            ConfigurationError: the layers are no model, or a limit is out of range.
        """
        top = np.asarray(top_km, float)
        velocities = _check_velocities("layered", vp_km_s, vs_km_s)
        if top.ndim != 1 or top.shape != velocities[0].shape or top[0] != 0 or (np.diff(top) <= 0).any():
            raise ConfigurationError(
                f"tops of layers {list(top_km)} do not rise from 0, one for each of {len(velocities[0])} velocities."
            )
        empty = _empty("layers", max_distance_km, max_depth_km, elevations_km, step_km)
        depth, distance, elevation = empty.nodes()
        times = [[first_arrivals(top, v, depth, -e, distance) for e in elevation] for v in velocities]
        jumps = any((np.abs(np.diff(np.log(v))) > np.log1p(LARGEST_STEP)).any() for v in velocities)
        return replace(empty.filled(np.array(times), [v[0] for v in velocities]), has_jumps=bool(jumps))

    @classmethod
    def taup(
        cls,
        model: str,
        *,
        max_distance_km: float = 1000.0,
        max_depth_km: float = 100.0,
        elevations_km: tuple[float, float] = (0.0, 3.0),
        step_km: float | None = None,
    ) -> TravelTimes:
        """First arrivals of one of ObsPy's bundled models; see `layered`.

        The models end at the datum. Above it waves go on straight, from where they seem to come at the datum; stations
        below it count as on it.

        Raises:
            ConfigurationError: the model is unknown, or a limit is out of range.
        """
        if model not in TRAVEL_TIME_MODELS:
            raise ConfigurationError(f"model '{model}' is not known. {did_you_mean(model, list(TRAVEL_TIME_MODELS))}")
        empty = _empty(model, max_distance_km, max_depth_km, elevations_km, step_km)
        depth, distance, elevation = empty.nodes()
        below = np.maximum(depth, 0)
        datum = first_times(model, below, np.degrees(distance / EARTH_RADIUS_KM))
        surface = surface_velocities_km_s(model)
        times = np.empty((2, len(elevation), len(depth), len(distance)))
        for phase, (time_s, slowness) in enumerate(datum):
            raised = _raised(time_s, slowness, distance, below - depth, surface[phase])
            for level, up_km in enumerate(elevation):
                over = _raised(*raised, distance, np.full(len(depth), max(up_km, 0.0)), surface[phase])[0]
                straight_s = straight_km(depth[:, None], distance, np.array(up_km)) / surface[phase]
                # Above the datum the straight way does not come down to it first.
                times[phase, level] = np.where(depth[:, None] < 0, np.minimum(over, straight_s), over)
        return replace(empty.filled(times, surface), has_jumps=True)

    def nodes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Depths (D,), distances (X,) and elevations (E,) that are tabulated."""
        _, e, d, x, _ = self.cells.shape
        return (
            self.first_depth_km + self.depth_step_km * np.arange(d + 1),
            self.distance_step_km * np.arange(x + 1),
            self.first_elevation_km + self.elevation_step_km * np.arange(e),
        )

    def filled(self, time_s: np.ndarray, surface_km_s: Sequence[float]) -> TravelTimes:
        """With times (2, E, D, X) of the nodes; where source and station meet the surface velocities count."""
        depth, distance, elevation = self.nodes()
        straight = straight_km(depth[:, None], distance, elevation[:, None, None])
        ratio = time_s / np.maximum(straight, LEAST_KM)
        ratio = np.where(straight > LEAST_KM, ratio, 1 / np.asarray(surface_km_s)[:, None, None, None])
        return replace(self, cells=torch.from_numpy(coefficients(ratio)))

    def to(self, device: torch.device | str) -> TravelTimes:
        """On a device."""
        return replace(self, cells=self.cells.to(device))

    def ratio(
        self, phase: Tensor, depth_km: Tensor, distance_km: Tensor, elevation_km: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Seconds per km of straight way, and its derivatives by depth and by distance, all of one shape.

        Outside of the table the nearest value of it is taken.

        Args:
            phase: int64, number in ``PHASES``.
            depth_km: of the source below the datum.
            distance_km: along the surface.
            elevation_km: of the station.
        """
        _, n_levels, n_depths, n_distances, _ = self.cells.shape
        y, row = _cell((depth_km - self.first_depth_km) / self.depth_step_km, n_depths)
        x, column = _cell(distance_km / self.distance_step_km, n_distances)
        flat = self.cells.reshape(-1, 16)
        if n_levels == 1:
            cell = flat.index_select(0, (((phase * n_depths) + row) * n_distances + column).flatten())
        else:
            level = (elevation_km - self.first_elevation_km) / self.elevation_step_km
            lower = level.long().clamp(0, n_levels - 2)
            place = ((((phase * n_levels + lower) * n_depths) + row) * n_distances + column).flatten()
            beside = flat.index_select(0, place + n_depths * n_distances)
            cell = torch.lerp(flat.index_select(0, place), beside, (level - lower).flatten()[:, None])
        value, by_depth, by_distance = evaluate(cell, y, x)
        return value, by_depth / self.depth_step_km, by_distance / self.distance_step_km

    def columns(self, phase: Tensor, elevation_km: Tensor) -> Columns:
        """Where the picks (...) of a phase at stations of an elevation stand in the table, for `single_ratio`."""
        _, n_levels, n_depths, n_distances, _ = self.cells.shape
        if n_levels == 1:
            return Columns(phase * n_depths * n_distances, torch.zeros_like(elevation_km, dtype=torch.float32))
        level = (elevation_km - self.first_elevation_km) / self.elevation_step_km
        lower = level.long().clamp(0, n_levels - 2)
        return Columns((phase * n_levels + lower) * n_depths * n_distances, (level - lower).float())

    def single_ratio(self, columns: Columns, depth_km: Tensor, distance_km: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """`ratio` in single precision, for picks whose place in the table is known.

        Args:
            columns: of picks (M, S).
            depth_km: float32 (M, 1).
            distance_km: float32 (M, S).
        """
        _, n_levels, n_depths, n_distances, _ = self.cells.shape
        y, row = _cell((depth_km - self.first_depth_km) / self.depth_step_km, n_depths)
        x, column = _cell(distance_km / self.distance_step_km, n_distances)
        place = column.add_(row * n_distances).add_(columns.first).flatten()
        cell = self.single_cells.index_select(0, place)
        if n_levels > 1:
            beside = self.single_cells.index_select(0, place.add_(n_depths * n_distances))
            cell = cell.lerp_(beside, columns.above.flatten()[:, None])
        value, by_depth, by_distance = evaluate(cell, y.expand_as(x), x)
        return value, by_depth / self.depth_step_km, by_distance / self.distance_step_km

    @cached_property
    def single_cells(self) -> Tensor:
        """float32 (2 * E * D * X, 16)."""
        return self.cells.reshape(-1, 16).float()

    def nearest_ratio(self, phase: Tensor, depth_km: Tensor, distance_km: Tensor, elevation_km: Tensor) -> Tensor:
        """Ratio (M, K, S) as `ratio` gives it, bilinear and at the nearest tabulated elevation, in single precision.

        Several times faster than `ratio`; for many places around one whose time is known better.

        Args:
            phase: int64 (M, S).
            depth_km: float32 (M, K).
            distance_km: float32 (M, K, S).
            elevation_km: (M, S).
        """
        _, n_levels, n_depths, n_distances, _ = self.cells.shape
        y, row = _cell((depth_km - self.first_depth_km) / self.depth_step_km, n_depths)
        x = distance_km / self.distance_step_km
        column = x.long().clamp_(0, n_distances - 1)
        x = x.sub_(column).clamp_(0, 1)
        level = ((elevation_km - self.first_elevation_km) / self.elevation_step_km).round().long()
        first = (phase * n_levels + level.clamp(0, n_levels - 1)) * (n_depths + 1) * (n_distances + 1)
        place = column.add_(first[:, None]).add_((row * (n_distances + 1))[..., None])
        flat = self.nodes_s_km
        corners = [flat[start:].take(place) for start in (0, 1, n_distances + 1, n_distances + 2)]
        upper, lower = corners[0].lerp_(corners[1], x), corners[2].lerp_(corners[3], x)
        return upper.lerp_(lower, y[..., None])

    @cached_property
    def nodes_s_km(self) -> Tensor:
        """float32, flat (2 * E * D * X,): the ratio at the nodes."""
        value = self.cells[..., 0]
        right, bottom = self.cells[..., -1:, 0:4].sum(-1), self.cells[..., -1:, :, 0::4].sum(-1)
        corner = self.cells[..., -1:, -1:, :].sum(-1)
        whole = torch.cat([torch.cat([value, right], -1), torch.cat([bottom, corner], -1)], -2)
        return whole.float().flatten().contiguous()

    @cached_property
    def p_at_datum_s_km(self) -> np.ndarray:
        """(D - 1, 4, X - 1, 4): `cells` of P at stations on the datum, powers of the depth before the distances."""
        level = -self.first_elevation_km / (self.elevation_step_km or 1.0)
        lower = min(max(int(level), 0), max(self.cells.shape[1] - 2, 0))
        upper = min(lower + 1, self.cells.shape[1] - 1)
        cells = torch.lerp(self.cells[0, lower], self.cells[0, upper], level - lower)
        return cells.reshape(*cells.shape[:2], 4, 4).transpose(1, 2).contiguous().cpu().numpy()

    def times_s(
        self, phase: Tensor, depth_km: Tensor, distance_km: Tensor, elevation_km: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Travel time (s) and its derivatives by depth and by distance (s/km); see `ratio`."""
        ratio, by_depth, by_distance = self.ratio(phase, depth_km, distance_km, elevation_km)
        source, station = EARTH_RADIUS_KM - depth_km, EARTH_RADIUS_KM + elevation_km
        arc = distance_km / EARTH_RADIUS_KM
        way = straight_km(depth_km, distance_km, elevation_km)
        length = way.clamp_min(LEAST_KM)
        deeper, farther = (station * arc.cos() - source) / length, source * station * arc.sin() / length
        farther = farther / EARTH_RADIUS_KM
        return ratio * way, ratio * deeper + by_depth * way, ratio * farther + by_distance * way


def straight_km(depth_km: T, distance_km: T, elevation_km: T) -> T:
    """Length of the straight way from a source through the sphere to a station."""
    source, station = EARTH_RADIUS_KM - depth_km, EARTH_RADIUS_KM + elevation_km
    half = distance_km / (2 * EARTH_RADIUS_KM)
    sine = half.sin() if isinstance(half, Tensor) else np.sin(half)
    return ((source - station) ** 2 + 4 * source * station * sine**2) ** 0.5


def _cell(position: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Place within the cell, 0 to 1, and its number."""
    number = position.long().clamp(0, n - 1)
    return (position - number).clamp(0, 1), number


def _raised(
    time_s: np.ndarray, slowness: np.ndarray, distance_km: np.ndarray, up_km: np.ndarray, velocity_km_s: float
) -> tuple[np.ndarray, np.ndarray]:
    """Times and slownesses (D, X) with one end of the ray ``up_km`` (D,) above the datum, straight on from there.

    The wave arrives at the datum as from a point at the depth that its angle says; where rays are straight, this is the
    source, and the time is exact.
    """
    sine = np.minimum(slowness * velocity_km_s, 1.0)
    depth = distance_km * np.sqrt(1 - sine**2) / np.maximum(sine, 1e-9)
    longer = np.hypot(distance_km, depth + up_km[:, None])
    more_s = (longer - np.hypot(distance_km, depth)) / velocity_km_s
    # Straight above the source the angle says nothing, and the way is that much longer.
    vertical = sine < 1e-9
    return (
        time_s + np.where(vertical, up_km[:, None] / velocity_km_s, more_s),
        np.where(up_km[:, None] > 0, distance_km / np.maximum(longer, LEAST_KM) / velocity_km_s, slowness),
    )


def _check_velocities(kind: str, vp: Sequence[float], vs: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    both = np.asarray(vp, float), np.asarray(vs, float)
    right = both[0].shape == both[1].shape and all((v > 0).all() and np.isfinite(v).all() for v in both)
    if not right or not (both[0] > both[1]).all() or both[0].ndim != 1:
        raise ConfigurationError(
            f"{kind} model: vp={list(vp)} and vs={list(vs)} km/s; give as many of both, positive, P faster than S."
        )
    return both


def _empty(
    name: str,
    max_distance_km: float,
    max_depth_km: float,
    elevations_km: tuple[float, float],
    step_km: float | None,
) -> TravelTimes:
    """A table without values, of the size that holds the limits."""
    lowest, highest = elevations_km
    if not 0 < max_distance_km <= LONGEST_KM:
        raise ConfigurationError(f"max_distance_km={max_distance_km} is not a number from 0 to {LONGEST_KM:.0f}.")
    if not 0 < max_depth_km <= 700:
        raise ConfigurationError(f"max_depth_km={max_depth_km} is not a number from 0 to 700.")
    if not -HIGHEST_KM <= lowest <= highest <= HIGHEST_KM:
        raise ConfigurationError(f"elevations_km={elevations_km} does not rise between -10 and 10 km.")
    step = step_km or max(0.5, max_distance_km / 600)
    depth_step = step_km or max(0.5, max_depth_km / 100)
    levels = 1 + math.ceil((highest - lowest) / LEVEL_STEP_KM)
    first_depth_km = -depth_step * math.ceil(max(highest, 0.0) / depth_step)
    n_depths = math.ceil((max_depth_km - first_depth_km) / depth_step)
    cells = torch.empty(2, levels, n_depths, math.ceil(max_distance_km / step), 16, dtype=torch.float64)
    return TravelTimes(name, cells, lowest, (highest - lowest) / max(levels - 1, 1), first_depth_km, depth_step, step)
