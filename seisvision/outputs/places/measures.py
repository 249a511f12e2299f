"""How far predicted places are off, and whether their regions hold what they say."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np

from seisvision.earth.geodesics import geodesic
from seisvision.earth.projection import Projection
from seisvision.evaluation.intervals import NO_INTERVAL, Measure
from seisvision.evaluation.resampling import EventBootstrap

WITHIN_KM = (5, 10, 20)
LEVELS = (0.68, 0.95)


@dataclass(frozen=True)
class PlaceErrors:
    """Errors of N predicted places in km, NaN where something is not known.

    Attributes:
        epicentre_km: (N,) distance of the predicted epicentre from the true one, on WGS84.
        east_km, north_km: (N,) the same to the east and to the north: positive where the prediction lies there.
        depth_km: (N,) predicted less true depth.
        excess: (N,) squared distance of the epicentres in units of the stated spread (Mahalanobis), NaN where none is.
        depth_excess: (N,) depth error over the stated spread.
        region_sizes: by level, how many spreads ellipses of epicentres and intervals of depths reach where other events
            have measured it; NaN where they were too few. Other levels are those of normal distributions.
    """

    epicentre_km: np.ndarray
    east_km: np.ndarray
    north_km: np.ndarray
    depth_km: np.ndarray
    excess: np.ndarray
    depth_excess: np.ndarray
    region_sizes: Mapping[float, tuple[float, float]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        plane: Projection,
        decoded: np.ndarray,
        target: np.ndarray,
        region_sizes: Mapping[float, tuple[float, float]] | None = None,
    ) -> PlaceErrors:
        """Errors of decoded places (N, 8) against latitudes, longitudes and depths (N, 3)."""
        latitude_deg, longitude_deg = plane.to_degrees(decoded[:, 0], decoded[:, 1])
        known = np.isfinite(target[:, :2]).all(1) & np.isfinite(latitude_deg + longitude_deg)
        distance_km, azimuth_deg = np.full((2, len(target)), np.nan)
        if known.any():
            ends = target[known, 0], target[known, 1], latitude_deg[known], longitude_deg[known]
            distance_km[known], azimuth_deg[known], _ = geodesic(*ends)
        east_km, north_km = (distance_km * turn(np.radians(azimuth_deg)) for turn in (np.sin, np.cos))
        sigma, correlation = decoded[:, 3:6], decoded[:, 6]
        with np.errstate(invalid="ignore", divide="ignore"):
            x, y = east_km / sigma[:, 0], north_km / sigma[:, 1]
            excess = (x**2 - 2 * correlation * x * y + y**2) / (1 - correlation**2)
            depth_km = decoded[:, 2] - target[:, 2]
            deep = np.abs(depth_km) / sigma[:, 2]
        return cls(distance_km, east_km, north_km, depth_km, excess, deep, region_sizes or {})

    def inside(self, level: float) -> np.ndarray:
        """bool (N,): true epicentres within the ellipse of that probability."""
        return self.excess <= self.size_of(level)[0] ** 2

    def depth_inside(self, level: float) -> np.ndarray:
        """bool (N,): true depths within the interval of that probability."""
        return self.depth_excess <= self.size_of(level)[1]

    def size_of(self, level: float) -> tuple[float, float]:
        """How many spreads the ellipse and the interval of that probability reach; NaN where there is none."""
        return self.region_sizes.get(level, normal_size(level))

    def measures(self, source_ids: np.ndarray, area95_km2: np.ndarray, level: float) -> dict[str, Measure]:
        """All measures, with intervals over events of that level.

        Args:
            source_ids: (N,) events.
            area95_km2: (N,) of the ellipses of 95 %.
            level: of the intervals.
        """
        said: dict[str, Measure] = {}
        known = np.isfinite(self.epicentre_km)
        if known.any():
            bootstrap, size = EventBootstrap(source_ids[known], level), self.epicentre_km[known]
            said |= _sizes("epicentre", size, bootstrap)
            said |= {f"within_{far}_km": bootstrap.share(size <= far) for far in WITHIN_KM}
            for axis, error in (("east", self.east_km), ("north", self.north_km)):
                said[f"bias_{axis}_km"] = bootstrap.mean(error[known])
        deep = np.isfinite(self.depth_km) & known
        if deep.any():
            bootstrap, error = EventBootstrap(source_ids[deep], level), self.depth_km[deep]
            said |= _sizes("depth", np.abs(error), bootstrap)
            said["bias_depth_km"] = bootstrap.mean(error)
            said["median_ae_hypocentre_km"] = bootstrap.median(np.hypot(self.epicentre_km[deep], error))
        return said | self._coverage(source_ids, area95_km2, level)

    def _coverage(self, source_ids: np.ndarray, area95_km2: np.ndarray, level: float) -> dict[str, Measure]:
        """Shares inside of what is stated, and how large it is."""
        said: dict[str, Measure] = {}
        stated = np.isfinite(self.excess)
        if stated.any():
            bootstrap = EventBootstrap(source_ids[stated], level)
            for one in LEVELS:
                if math.isfinite(self.size_of(one)[0]):
                    said[f"coverage_epicentre_{one * 100:g}"] = bootstrap.share(self.inside(one)[stated])
            if np.isfinite(area95_km2[stated]).all():
                said["area_95_km2"] = bootstrap.median(area95_km2[stated])
        deep = np.isfinite(self.depth_excess)
        if deep.any():
            bootstrap = EventBootstrap(source_ids[deep], level)
            for one in LEVELS:
                if math.isfinite(self.size_of(one)[1]):
                    said[f"coverage_depth_{one * 100:g}"] = bootstrap.share(self.depth_inside(one)[deep])
        return said


def normal_size(level: float) -> tuple[float, float]:
    """How many standard deviations the regions of normal distributions reach: an ellipse and an interval."""
    return math.sqrt(-2 * math.log(1 - level)), NormalDist().inv_cdf(0.5 + level / 2)


def _sizes(of: str, size: np.ndarray, bootstrap: EventBootstrap) -> dict[str, Measure]:
    return {
        f"median_ae_{of}_km": bootstrap.median(size),
        f"mae_{of}_km": bootstrap.mean_size(size),
        f"p90_ae_{of}_km": Measure(float(np.quantile(size, 0.9)), n=len(size), kind=NO_INTERVAL),
    }
