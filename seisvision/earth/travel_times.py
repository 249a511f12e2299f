"""Travel times and ray parameters of body-wave phases, tabulated from whole TauP phase curves.

One phase curve of a source depth gives all distances at once, which is some 10,000 times cheaper than asking TauP
for single arrivals (Crotwell, Owens & Ritsema 1999 describe TauP).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy.ndimage import gaussian_filter1d

from seisvision.earth.constants import EARTH_RADIUS_KM
from seisvision.errors import ConfigurationError, did_you_mean

TABLE_DEPTHS_KM: Final = np.concatenate(
    [
        [0, 1, 2, 5, 10, 15, 20, 25, 30, 33, 37, 45, 55, 70, 85],
        np.arange(100, 200, 25),
        np.arange(200, 701, 50.0),
    ]
)
DISTANCE_STEP_DEG: Final = 0.25
TABLE_DISTANCES_DEG: Final = np.arange(DISTANCE_STEP_DEG, 100.01, DISTANCE_STEP_DEG)
SMALLEST_CURVATURE: Final = 60.0
"""Floor of |dp/dDelta| in s/rad^2, which keeps geometrical spreading finite in shadows."""
_SMOOTHING_DEG = 2.5


@dataclass(frozen=True)
class Phase:
    """One seismic phase as it is synthesised.

    Attributes:
        name: Common name.
        taup_names: TauP phases of which the earliest is taken.
        leaves_as, arrives_as: ``P`` or ``S``: wave type at the source and at the receiver.
        reflection: Smooth stand-in for the plane-wave reflection coefficients on the way.
        attenuation: Factor on t*.
    """

    name: str
    taup_names: tuple[str, ...]
    leaves_as: str
    arrives_as: str
    reflection: float = 1.0
    attenuation: float = 1.0

    @property
    def is_depth_phase(self) -> bool:
        """True for waves that leave upwards and are reflected above the source."""
        return self.name[0] in "ps"


PHASES: Final = (
    Phase("P", ("P", "p", "Pn", "Pdiff"), "P", "P"),
    Phase("pP", ("pP", "pPn"), "P", "P", reflection=-0.8),
    Phase("sP", ("sP", "sPn"), "S", "P", reflection=0.5, attenuation=2.0),
    Phase("PP", ("PP",), "P", "P", reflection=-0.6, attenuation=1.4),
    Phase("PcP", ("PcP",), "P", "P", reflection=0.25),
    Phase("S", ("S", "s", "Sn", "Sdiff"), "S", "S", attenuation=5.0),
    Phase("sS", ("sS", "sSn"), "S", "S", reflection=0.9, attenuation=5.0),
    Phase("SS", ("SS",), "S", "S", reflection=0.5, attenuation=7.0),
    Phase("ScS", ("ScS",), "S", "S", reflection=0.7, attenuation=5.0),
)
PHASE_NAMES: Final = tuple(phase.name for phase in PHASES)


@dataclass(frozen=True)
class RayTables:
    """Arrivals of ``PHASES`` (J) at ``TABLE_DEPTHS_KM`` (D) and ``TABLE_DISTANCES_DEG`` (X); all (J, D, X) float32.

    Attributes:
        time_s: Travel time; NaN where the phase does not exist.
        slowness: Ray parameter p, s/rad.
        curvature: |dp/dDelta|, s/rad^2, of a smoothed p.
        upgoing: 1 where the ray leaves the source upwards, else 0.
    """

    time_s: np.ndarray
    slowness: np.ndarray
    curvature: np.ndarray
    upgoing: np.ndarray


@dataclass(frozen=True)
class Arrivals:
    """Arrivals of ``PHASES`` (J) at S stations, all (J, S); see :class:`RayTables`."""

    time_s: np.ndarray
    slowness: np.ndarray
    curvature: np.ndarray
    upgoing: np.ndarray


def ray_tables(model: str) -> RayTables:
    """Tabulate all phases of one of ObsPy's bundled Earth models."""
    from obspy.taup import TauPyModel

    taup = TauPyModel(model).model
    shape = (len(PHASES), len(TABLE_DEPTHS_KM), len(TABLE_DISTANCES_DEG))
    tables = RayTables(*(np.zeros(shape, np.float32) for _ in range(4)))
    for column, depth_km in enumerate(TABLE_DEPTHS_KM):
        corrected = taup.depth_correct(depth_km)
        for row, phase in enumerate(PHASES):
            time_s, slowness, upgoing = _earliest(phase, corrected)
            tables.time_s[row, column] = time_s
            tables.slowness[row, column] = slowness
            tables.curvature[row, column] = _curvature(slowness, np.isfinite(time_s))
            tables.upgoing[row, column] = upgoing
    return tables


def travel_time_curve(model: str, phase: str, depth_km: float) -> np.ndarray:
    """Travel time (s) at ``TABLE_DISTANCES_DEG`` (X,) for one source depth; NaN where the phase does not exist.

    Raises:
        ConfigurationError: The phase is not tabulated.
    """
    from obspy.taup import TauPyModel

    if phase not in PHASE_NAMES:
        raise ConfigurationError(f"Phase '{phase}' is not tabulated. {did_you_mean(phase, list(PHASE_NAMES))}")
    corrected = TauPyModel(model).model.depth_correct(depth_km)
    return _earliest(PHASES[PHASE_NAMES.index(phase)], corrected)[0]


def times_on_curve(curve: np.ndarray, distance_deg: np.ndarray) -> np.ndarray:
    """Travel times (s) at distances, from a curve of :func:`travel_time_curve`; NaN where the phase does not exist.

    Distances outside of the curve are given the time at its nearest end, no distance (NaN) none.
    """
    distance_deg = np.asarray(distance_deg, float)
    column, beyond = _between_columns(np.nan_to_num(distance_deg))
    between = curve[column] * (1 - beyond) + curve[column + 1] * beyond
    # At a tabulated distance the next one has no say, not even where it is NaN.
    return np.where(np.isnan(distance_deg), np.nan, np.where(beyond > 0, between, curve[column]))


def first_times(model: str, depth_km: np.ndarray, distance_deg: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Times (s) and slownesses (s/km) of the first P and of the first S, each (D, X), without gaps.

    Where a model has no arrival (shadows of low-velocity layers) times are interpolated along the distance.
    """
    from obspy.taup import TauPyModel

    taup = TauPyModel(model).model
    corrected = {depth: taup.depth_correct(depth) for depth in np.unique(depth_km).tolist()}
    found = []
    for name in ("P", "S"):
        phase = PHASES[PHASE_NAMES.index(name)]
        rows = {depth: _first_of_depth(phase, corrected[depth], distance_deg) for depth in corrected}
        time_s, slowness = (np.stack([rows[depth][i] for depth in depth_km.tolist()]) for i in range(2))
        found.append((time_s, slowness))
    return found


def _first_of_depth(phase: Phase, taup_model: Any, distance_deg: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    time_s, slowness, _ = _earliest(phase, taup_model, distance_deg)
    there = np.isfinite(time_s)
    filled = (np.interp(distance_deg, distance_deg[there], values[there]) for values in (time_s, slowness))
    time_s, slowness = filled
    return time_s, slowness / EARTH_RADIUS_KM


def surface_velocities_km_s(model: str) -> tuple[float, float]:
    """P and S velocity at the top of a model."""
    from obspy.taup import TauPyModel

    top = TauPyModel(model).model.s_mod.v_mod.layers[0]
    return float(top["top_p_velocity"]), float(top["top_s_velocity"])


def phase_times(
    tables: RayTables, phase: str, depth_km: np.ndarray | float, distance_deg: np.ndarray | float
) -> np.ndarray:
    """Travel time (s) of a phase; NaN where it does not exist.

    Args:
        tables: Tables of an Earth model.
        phase: One of ``PHASE_NAMES``; ``P`` and ``S`` are the first arrivals of their kind.
        depth_km: Source depth, 0 to 700 km; any shape that broadcasts with ``distance_deg``.
        distance_deg: Epicentral distance, 0.25 to 100 degrees; outside, the nearest tabulated value is used.

    Raises:
        ConfigurationError: The phase is not tabulated.
    """
    if phase not in PHASE_NAMES:
        raise ConfigurationError(f"Phase '{phase}' is not tabulated. {did_you_mean(phase, list(PHASE_NAMES))}")
    depth, distance = np.broadcast_arrays(np.asarray(depth_km, float), np.asarray(distance_deg, float))
    return _interpolate(tables.time_s[PHASE_NAMES.index(phase)], depth, distance)


def arrivals(tables: RayTables, depth_km: float, distance_deg: np.ndarray) -> Arrivals:
    """All phases of one source depth at S distances."""
    depth, distance = np.full(np.shape(distance_deg), depth_km, float), np.asarray(distance_deg, float)
    columns = (tables.time_s, tables.slowness, tables.curvature, tables.upgoing)
    return Arrivals(*(_interpolate(column, depth, distance) for column in columns))


def _interpolate(table: np.ndarray, depth: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Bilinear interpolation of a (..., D, X) table."""
    row = np.clip(np.searchsorted(TABLE_DEPTHS_KM, depth) - 1, 0, len(TABLE_DEPTHS_KM) - 2)
    below = (depth - TABLE_DEPTHS_KM[row]) / (TABLE_DEPTHS_KM[row + 1] - TABLE_DEPTHS_KM[row])
    column, beyond = _between_columns(distance)
    upper = table[..., row, column] * (1 - beyond) + table[..., row, column + 1] * beyond
    lower = table[..., row + 1, column] * (1 - beyond) + table[..., row + 1, column + 1] * beyond
    # At a tabulated depth the neighbouring row has no say, not even where it is NaN.
    return np.where(below <= 0, upper, np.where(below >= 1, lower, upper * (1 - below) + lower * below))


def _between_columns(distance_deg: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The columns of a table before distances, and how far these lie beyond them, 0 to 1."""
    position = np.clip(distance_deg / DISTANCE_STEP_DEG - 1, 0, len(TABLE_DISTANCES_DEG) - 1.001)
    column = position.astype(int)
    return column, position - column


def _earliest(
    phase: Phase, taup_model: Any, distance_deg: np.ndarray = TABLE_DISTANCES_DEG
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Time (NaN where absent), ray parameter (s/rad) and upgoing flag at distances, each (X,)."""
    from obspy.taup.seismic_phase import SeismicPhase

    time_s = np.full(len(distance_deg), np.inf)
    slowness, upgoing = np.zeros_like(time_s), np.zeros_like(time_s)
    for name in phase.taup_names:
        curve = SeismicPhase(name, taup_model)
        branch_time, branch_slowness = _on_grid(curve.dist, curve.time, curve.ray_param, distance_deg)
        first = branch_time < time_s
        time_s[first], slowness[first] = branch_time[first], branch_slowness[first]
        upgoing[first] = phase.is_depth_phase or name in ("p", "s")
    return np.where(np.isfinite(time_s), time_s, np.nan), slowness, upgoing


def _on_grid(
    distance: np.ndarray, time_s: np.ndarray, slowness: np.ndarray, distance_deg: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Earliest time and its ray parameter at rising distances, from a curve of V (rad, s, s/rad) vertices.

    Between vertices time is the cubic Hermite polynomial whose slope is the ray parameter (dT/dDelta = p).
    """
    nodes = np.radians(distance_deg)
    first_time, first_slowness = np.full(len(nodes), np.inf), np.zeros(len(nodes))
    if len(distance) < 2:
        return first_time, first_slowness
    low, high = np.minimum(distance[:-1], distance[1:]), np.maximum(distance[:-1], distance[1:])
    start, stop = np.searchsorted(nodes, low), np.searchsorted(nodes, high, side="right")
    # Segments that hold no grid point, or turn back on one, are skipped.
    count = np.where(high - low > 1e-9, stop - start, 0)
    segment = np.repeat(np.arange(len(count)), count)
    node = start[segment] + np.arange(len(segment)) - np.repeat(np.cumsum(count) - count, count)
    span = distance[segment + 1] - distance[segment]
    x = (nodes[node] - distance[segment]) / span
    t0, t1, p0, p1 = time_s[segment], time_s[segment + 1], slowness[segment], slowness[segment + 1]
    time = (1 + 2 * x) * (1 - x) ** 2 * t0 + x * (1 - x) ** 2 * span * p0
    time += x**2 * (3 - 2 * x) * t1 + x**2 * (x - 1) * span * p1
    # Where branches overlap, the assignment below keeps what is written last: the earliest.
    latest_first = np.argsort(-time, kind="stable")
    node, time, p = node[latest_first], time[latest_first], (p0 * (1 - x) + p1 * x)[latest_first]
    first_time[node], first_slowness[node] = time, p
    return first_time, first_slowness


def _curvature(slowness: np.ndarray, exists: np.ndarray) -> np.ndarray:
    """|dp/dDelta| (X,) in s/rad^2, with p smoothed because triplications would focus rays without limit."""
    if exists.sum() <= 8:
        return np.full(len(slowness), 1e-3)
    filled = np.interp(TABLE_DISTANCES_DEG, TABLE_DISTANCES_DEG[exists], slowness[exists])
    smooth = gaussian_filter1d(filled, _SMOOTHING_DEG / DISTANCE_STEP_DEG, mode="nearest")
    return np.maximum(np.abs(np.gradient(smooth, np.radians(DISTANCE_STEP_DEG))), SMALLEST_CURVATURE)
