"""Predicted places: measures, columns, averaging, the baseline and figures."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from seisvision.base.units import EVENT
from seisvision.earth.projection import Projection
from seisvision.evaluation.conformal import ConformalAnswers
from seisvision.evaluation.differences import Influence, mean_influence, median_influence
from seisvision.evaluation.intervals import Measure
from seisvision.outputs.averaging import mean_of_votes
from seisvision.outputs.places.columns import PARTS
from seisvision.outputs.places.figures import draw_places
from seisvision.outputs.places.measures import WITHIN_KM, PlaceErrors
from seisvision.outputs.predictions import ErrorSizes, Predictions
from seisvision.outputs.regression import BASELINE_PREFIX

HEADLINE = "median_ae_epicentre_km"
NUMBERS = (*PARTS, "confidence")


@dataclass(frozen=True)
class PlacePredictions(Predictions):
    """Places (N, 8) as :class:`~seisvision.outputs.places.output.PlaceBase` decodes them; targets (N, 3).

    Targets are latitudes, longitudes and depths; one without an epicentre is no label, one without a depth tells of the
    epicentre alone. ``about`` holds ``origin_deg``, from which kilometres count, and ``tolerance_km``; of those whose
    regions other events have sized also ``region_sizes``, see :class:`~seisvision.outputs.places.measures.PlaceErrors`.
    """

    needs: ClassVar[tuple[str, ...]] = ("columns", "origin_deg", "tolerance_km")
    guess_name = "mean"
    guess_description = "always the mean place of the training events, with their spread"

    @classmethod
    def problem_of(cls, about: Mapping[str, Any]) -> str:
        """The middle is a place on Earth, the tolerance a length."""
        origin, tolerance = about["origin_deg"], about["tolerance_km"]
        numbers = [*origin, tolerance] if isinstance(origin, list) and len(origin) == 2 else []
        if not numbers or any(isinstance(one, bool) or not isinstance(one, int | float) for one in numbers):
            return "origin_deg is no latitude and longitude, or tolerance_km no number"
        if abs(numbers[0]) > 90 or abs(numbers[1]) > 360 or not 0 < numbers[2] < math.inf:
            return "origin_deg is no place on Earth, or tolerance_km not above 0"
        return "" if len(about["columns"]) == 3 else "columns are not latitude, longitude and depth"

    @classmethod
    def plane_of(cls, about: Mapping[str, Any]) -> Projection:
        """The plane on which kilometres count."""
        return Projection(*map(float, about["origin_deg"]))

    @classmethod
    def caption(cls, about: Mapping[str, Any], target: Any) -> str:
        """Degrees and depth of a true place."""
        latitude, longitude, depth = (float(one) for one in target)
        deep = f", {depth:.1f} km" if math.isfinite(depth) else ""
        return f"{latitude:.3f}, {longitude:.3f}{deep}"

    @classmethod
    def number_columns(cls, about: Mapping[str, Any]) -> list[str]:
        """East, north and depth in km, their spreads, the correlation and the confidence."""
        return list(NUMBERS)

    @classmethod
    def needed_columns(cls, about: Mapping[str, Any]) -> list[str]:
        """Columns of a table without which it holds no places."""
        return [*cls.target_columns(about), *PARTS[:3]]

    @classmethod
    def training_guess(cls, about: Mapping[str, Any], train_target: np.ndarray) -> list[float] | None:
        """The mean place of the training events and how they lie about it; None where none has an epicentre."""
        target = np.asarray(train_target, float)
        target = target[np.isfinite(target[:, :2]).all(1)]
        if not len(target):
            return None
        east_km, north_km = cls.plane_of(about).to_km(target[:, 0], target[:, 1])
        deep = target[:, 2][np.isfinite(target[:, 2])]
        spreads = [max(float(one.std()), 1e-3) if len(one) else math.nan for one in (east_km, north_km, deep)]
        together = float(np.mean((east_km - east_km.mean()) * (north_km - north_km.mean())))
        depth_km = float(deep.mean()) if len(deep) else math.nan
        correlation = float(np.clip(together / (spreads[0] * spreads[1]), -0.99, 0.99))
        return [float(east_km.mean()), float(north_km.mean()), depth_km, *spreads, correlation, math.nan]

    @classmethod
    def feature_kinds(cls, unit: str, about: Mapping[str, Any]) -> tuple[list[str], list[str]]:
        """Automatic arrival times of events, see :mod:`seisvision.outputs.places.baselines`."""
        return (["arrival_times"], []) if unit == EVENT.name else ([], [])

    @classmethod
    def fit_baselines(
        cls, features: Any, about: Mapping[str, Any], parts: Mapping[str, Any], everything: Any, **settings: Any
    ) -> dict[str, Any]:
        """See :func:`~seisvision.outputs.places.baselines.place_baselines`."""
        from seisvision.outputs.places.baselines import place_baselines

        return place_baselines(cls, features.alone, about, parts, settings["level"])

    def in_terms_of(self, about: Mapping[str, Any]) -> Self:
        """The same places from the middle of another network's description."""
        if list(self.about["origin_deg"]) == list(about["origin_deg"]):
            return self
        decoded = self.decoded.copy()
        decoded[:, 0], decoded[:, 1] = self.plane_of(about).to_km(self.latitude_deg, self.longitude_deg)
        return type(self)(dict(about), self.ids, self.target, decoded, self.apart)

    @classmethod
    def disagreement(cls, several: Sequence[Self]) -> tuple[np.ndarray, int | None]:
        """Largest extent of the predicted epicentres, to the east or to the north."""
        values = np.stack([one.decoded[:, :2] for one in several])
        low = np.where(np.isfinite(values), values, np.inf).min(0)
        high = np.where(np.isfinite(values), values, -np.inf).max(0)
        return np.where(high >= low, high - low, 0.0).max(1), None

    def average(self, votes: np.ndarray) -> np.ndarray:
        """Moments (N, 8) of the mixture of the members' distributions (M, N, 8): the law of total variance.

        Where members state no spread there is none: how far they disagree is not how far they are off.
        """
        mean = mean_of_votes(votes)
        away = votes[..., :3] - mean[:, :3]
        sigma = np.sqrt(mean_of_votes(votes[..., 3:6] ** 2) + mean_of_votes(away**2))
        together = votes[..., 6] * votes[..., 3] * votes[..., 4]
        covariance = mean_of_votes(together) + mean_of_votes(away[..., 0] * away[..., 1])
        with np.errstate(invalid="ignore"):
            correlation = np.clip(covariance / (sigma[:, 0] * sigma[:, 1]), -0.99, 0.99)
        return np.concatenate([mean[:, :3], sigma, correlation[:, None], mean[:, 7:]], axis=1)

    @property
    def labelled(self) -> np.ndarray:
        """bool (N,): samples whose epicentre is known."""
        return np.isfinite(self.target[:, :2]).all(1)

    @property
    def answered(self) -> np.ndarray:
        """bool (N,): samples with a known and a predicted epicentre."""
        return self.labelled & np.isfinite(self.decoded[:, :2]).all(1)

    @cached_property
    def errors(self) -> PlaceErrors:
        """How far they are off."""
        sizes = self.about.get("region_sizes")
        return PlaceErrors.of(self.plane_of(self.about), self.decoded, self.target.astype(float), sizes)

    @property
    def latitude_deg(self) -> np.ndarray:
        """Predicted latitudes (N,)."""
        return self.plane_of(self.about).to_degrees(self.decoded[:, 0], self.decoded[:, 1])[0]

    @property
    def longitude_deg(self) -> np.ndarray:
        """Predicted longitudes (N,)."""
        return self.plane_of(self.about).to_degrees(self.decoded[:, 0], self.decoded[:, 1])[1]

    @property
    def depth_km(self) -> np.ndarray:
        """Predicted depths (N,)."""
        return self.decoded[:, 2]

    @property
    def epicentral_error_km(self) -> np.ndarray:
        """Distances (N,) of predicted from true epicentres."""
        return self.errors.epicentre_km

    @property
    def area95_km2(self) -> np.ndarray:
        """Areas (N,) of the ellipses of 95 %."""
        sigma, correlation = self.decoded[:, 3:5], self.decoded[:, 6]
        size = self.errors.size_of(0.95)[0]
        return math.pi * size**2 * sigma.prod(axis=1) * np.sqrt(1 - correlation**2)

    def inside(self, level: float) -> np.ndarray:
        """bool (N,): true epicentres within their ellipses of that probability."""
        return self.errors.inside(level)

    def measures(self, level: float = 0.95, train_target: np.ndarray | None = None) -> dict[str, Measure]:
        """Errors of epicentres and depths, shares within distances, coverage of regions; see ``PlaceErrors``."""
        said = self.errors.measures(np.asarray(self.source_ids), self.area95_km2, level)
        guess = None if train_target is None else self.training_guess(self.about, train_target)
        if guess is None:
            return said
        constant = self.from_decoded(self.about, self.ids, self.target, np.tile(guess, (len(self.target), 1)))
        return said | {f"{BASELINE_PREFIX}{name}": one for name, one in constant.measures(level).items()}

    def columns(self) -> dict[str, list[Any]]:
        """True and predicted places in degrees and depth, the numbers of ``decoded``, and the error."""
        # Six digits of a longitude are a hundred metres.
        degrees = [_texts(self.target[:, 0]), _texts(self.target[:, 1]), self.target[:, 2].tolist()]
        told: dict[str, list[Any]] = dict(zip(self.target_columns(self.about), degrees, strict=True))
        told |= {"latitude_deg": _texts(self.latitude_deg), "longitude_deg": _texts(self.longitude_deg)}
        for name, values in zip(NUMBERS, self.decoded.T, strict=True):
            if name in PARTS[:3] or np.isfinite(values).any():
                told[name] = values.tolist()
        return told | {"error_km": self.epicentral_error_km.tolist()}

    def error_sizes(self) -> ErrorSizes:
        """Distances of epicentres."""
        return ErrorSizes("median_ae_km", self.epicentral_error_km)

    def nonconformity(self) -> np.ndarray:
        """Distances (N,) of epicentres in units of the stated spread; in km where none is stated."""
        errors = self.errors
        return np.sqrt(errors.excess) if np.isfinite(errors.excess).any() else errors.epicentre_km

    def conformal(self, threshold: float) -> ConformalAnswers:
        """Ellipses of the stated shape that are as large as errors of validation events say; radii of equal circles."""
        stated = np.isfinite(self.errors.excess).any()
        sigma, correlation = self.decoded[:, 3:5], self.decoded[:, 6]
        radius_km = threshold * np.sqrt(sigma.prod(1) * np.sqrt(1 - correlation**2)) if stated else threshold
        size = np.broadcast_to(np.asarray(radius_km, float), self.target.shape[:1])
        return ConformalAnswers(self.nonconformity() <= threshold, size, "km")

    def worst(self, n: int) -> np.ndarray:
        """Positions of the events whose epicentres are farthest off."""
        return _largest(self.epicentral_error_km, n)

    def surprising(self, n: int) -> np.ndarray:
        """Farthest off in units of the stated spread, first; empty where none is stated."""
        return _largest(self.errors.excess, n)

    def draw(self, stem: Path, offset_km: np.ndarray | None = None) -> None:
        """Write ``<stem>_map.png`` and ``<stem>_errors.png``."""
        known = np.flatnonzero(self.answered)
        if len(known):
            some = self.take(known)
            plane = self.plane_of(self.about)
            east_km, north_km = plane.to_km(some.target[:, 0], some.target[:, 1])
            draw_places(stem, plane, np.stack([east_km, north_km, some.target[:, 2]], 1), some.decoded, some.errors)

    def answer_text(self, row: int) -> str:
        """Degrees and depth; nothing where nothing was said."""
        place = self.latitude_deg[row], self.longitude_deg[row], self.decoded[row, 2]
        return self.caption(self.about, place) if math.isfinite(place[0]) else ""

    def is_right(self, row: int) -> bool:
        """Whether the epicentre is within the tolerance."""
        return bool(self.epicentral_error_km[row] <= self.about["tolerance_km"])

    @property
    def headline(self) -> str:
        """Median distance of epicentres."""
        return HEADLINE

    @property
    def table_columns(self) -> dict[str, str]:
        """Measures of a results table and their headings, the headline first."""
        return {
            HEADLINE: "epicentre, median (km)",
            "p90_ae_epicentre_km": "90 % (km)",
            **{f"within_{far}_km": f"within {far} km" for far in WITHIN_KM},
            "median_ae_depth_km": "depth, median (km)",
            "coverage_epicentre_95": "in 95 % ellipse",
        }

    def _influences(self) -> dict[str, Callable[[], Influence]]:
        known = self.answered
        size, events = self.epicentral_error_km[known], np.asarray(self.source_ids)[known]
        shares = {
            f"within_{far}_km": lambda far=far: mean_influence((size <= far).astype(float), events, is_share=True)
            for far in WITHIN_KM
        }
        return {
            HEADLINE: lambda: median_influence(size, events),
            "mae_epicentre_km": lambda: mean_influence(size, events),
            **shares,
        }

    def _check_shapes(self) -> None:
        self.check_width(len(NUMBERS), "a place, its spread and the confidence")


def _texts(degrees: np.ndarray) -> list[str]:
    return ["" if math.isnan(one) else f"{one:.6f}" for one in degrees]


def _largest(size: np.ndarray, n: int) -> np.ndarray:
    known = np.flatnonzero(np.isfinite(size))
    return known[np.argsort(-size[known], kind="stable")][:n]
