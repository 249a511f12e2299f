"""Epicentres from epicentral distances, and back azimuths where there are any."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Final, Literal

import numpy as np
import torch
from torch import Tensor

from seisvision.earth.constants import EARTH_RADIUS_KM
from seisvision.earth.points import coordinates_deg
from seisvision.errors import ConfigurationError, did_you_mean
from seisvision.location import epicentres
from seisvision.location.checks import Observations, checked, left_out
from seisvision.location.choices import MODES
from seisvision.location.descent import Minimum, Problem
from seisvision.location.grid import halve_grid
from seisvision.location.plane import COST, INFORMATION, SCALE
from seisvision.location.posterior import calibrated, enough
from seisvision.location.starts import approach
from seisvision.location.uncertainty import (
    Ellipse,
    Uncertainty,
    azimuthal_gap_deg,
    best_of,
    linearised,
    second_solution,
)

Array = np.ndarray | Tensor
Mode = Literal["robust", "paper"]
Errors = Literal["relative", "equal"]

ERRORS: Final = ("relative", "equal")
PAIRS_AT_ONCE = 32768
"""Events times stations of one batch; the grid of starts needs 100 times as many numbers."""
SAME_PLACE_KM = 0.1


@dataclass(frozen=True)
class Locations:
    """Epicentres of B events, on the processor; all numbers are float64, NaN where the event could not be located."""

    latitude_deg: Tensor
    """(B,)."""
    longitude_deg: Tensor
    """(B,) in [-180, 180]."""
    covariance_km2: Tensor
    """(B, 2, 2) north and east; NaN where the observations do not bound the epicentre."""
    ellipse68: Ellipse
    """68 % confidence ellipse."""
    ellipse95: Ellipse
    """95 % confidence ellipse."""
    scale: Tensor
    """(B,) standard deviation of a distance (km), the event's median one, where no sigmas were given, else the factor
    that they were multiplied by: 1, or more where the residuals are larger than chance explains."""
    residual_km: Tensor
    """(B, S) observed minus predicted distance, NaN where the station was not used."""
    rms_km: Tensor
    """(B,) root mean square of the residuals."""
    n_stations: Tensor
    """int64 (B,) stations used."""
    gap_deg: Tensor
    """(B,) largest angle without a station, as seen from the epicentre."""
    ambiguous: Tensor
    """bool (B,): a second epicentre fits as well."""
    second_latitude_deg: Tensor
    """(B,) of that second epicentre."""
    second_longitude_deg: Tensor
    """(B,)."""
    located: Tensor
    """bool (B,)."""
    reason: list[str]
    """B texts: why an event was not located or cannot be trusted; empty where there is nothing to say."""
    left_out: list[dict[int, str]]
    """B dicts of station number to the reason why it was not used; padding is not listed."""

    def take(self, event: int) -> Locations:
        """The location of one event, as B = 1."""
        one = slice(event, event + 1)

        def part(value: Any) -> Any:
            return Ellipse(*(axis[one] for axis in vars(value).values())) if isinstance(value, Ellipse) else value[one]

        return Locations(**{field.name: part(getattr(self, field.name)) for field in fields(self)})


def locate(
    station_latitude_deg: Array,
    station_longitude_deg: Array,
    offset_km: Array,
    *,
    offset_sigma_km: Array | None = None,
    back_azimuth_deg: Array | None = None,
    azimuth_sigma_deg: Array | None = None,
    common_share: Array | None = None,
    mask: Array | None = None,
    mode: Mode = "robust",
    errors: Errors = "relative",
) -> Locations:
    """Epicentres of B events from distances at S stations, on WGS84.

    ``robust`` minimises the negative log likelihood of Student-t errors with four degrees of freedom by damped
    Newton steps from several starts. Its ellipses hold 68 and 95 % of the posterior (see
    :mod:`seisvision.location.posterior`). Measured with normal errors of 2 to 12.5 % of distances from 30 to 4,000 km,
    five stations and more and gaps up to 270 degrees, 93 to 97 % of the epicentres lie in those of 95 % and 65 to 71 %
    in those of 68 % (``benchmarks/ellipses.py``). With fewer than five distances, four with sigmas, there is none,
    unless there are back azimuths. Where a second solution fits as well, they hold if the epicentre is the one of the
    two. Errors have to be independent, or ``common_share`` has to say what they have in common.
    ``paper`` minimises the sum of absolute residuals, all weights 1, by grid halving; sigmas and azimuths are not used,
    and there are no ellipses.

    Args:
        station_latitude_deg: (B, S), geodetic.
        station_longitude_deg: (B, S).
        offset_km: (B, S) epicentral distances; NaN, infinite and negative values are left out and listed.
        offset_sigma_km: (B, S) their standard deviations; None estimates one per event from its residuals.
        back_azimuth_deg: (B, S) direction from station to source, clockwise from north; NaN where there is none. It
            counts only where the distance does.
        azimuth_sigma_deg: (B, S) their standard deviations.
        common_share: (B, S) share of the error variance, from 0 to 0.95, that all distances of an event have in common;
            its mean over the stations counts. None: errors are independent.
        mask: bool (B, S), False for padding; None: every slot is a station.
        mode: ``robust`` or ``paper``.
        errors: what is assumed where no sigmas are given: ``relative``, proportional to the distance plus 1 km, or
            ``equal``. Given sigmas tell themselves how they grow with the distances of an event.

    Raises:
        ConfigurationError: ``mode`` or ``errors`` is unknown, or back azimuths come without sigmas.
        DataError: shapes differ, or a common share is not one.
    """
    if mode not in MODES:
        raise ConfigurationError(f"mode={mode!r} is not known. {did_you_mean(str(mode), list(MODES))}")
    if errors not in ERRORS:
        raise ConfigurationError(f"errors={errors!r} is not known. {did_you_mean(str(errors), list(ERRORS))}")
    if mode == "paper":
        offset_sigma_km = back_azimuth_deg = azimuth_sigma_deg = common_share = None
    given = checked(
        station_latitude_deg=station_latitude_deg,
        station_longitude_deg=station_longitude_deg,
        offset_km=offset_km,
        offset_sigma_km=offset_sigma_km,
        back_azimuth_deg=back_azimuth_deg,
        azimuth_sigma_deg=azimuth_sigma_deg,
        common_share=common_share,
        mask=mask,
    )
    count, stations = given.mask.shape
    given = given.with_a_slot()
    at_once = max(1, PAIRS_AT_ONCE // max(1, stations))
    # What there is none of is NaN, which needs no warning.
    with np.errstate(all="ignore"):
        parts = [
            _locate_some(given.rows(slice(first, first + at_once)), mode, errors)
            for first in range(0, max(1, count), at_once)
        ]
    found = joined(parts)
    return found if stations else replace(found, residual_km=found.residual_km[:, :0])


def _locate_some(given: Observations, mode: Mode, errors: Errors) -> Locations:
    problem = given.problem(relative=errors == "relative" and mode != "paper")
    refused = _refusals(problem)
    possible = np.array([not text for text in refused], dtype=bool)
    some = problem if possible.all() else problem.rows(possible)
    found = _paper(some) if mode == "paper" else _robust(some)
    return _described(given, problem, possible, refused, found, mode)


@dataclass(frozen=True)
class _Found:
    """Solutions of the B events that can be located."""

    point: np.ndarray
    """(3, B)."""
    distance_km: np.ndarray
    """(S, B) to the stations."""
    toward: np.ndarray
    """(2, S, B) in that direction, north and east."""
    certain: Uncertainty
    ambiguous: np.ndarray
    second: np.ndarray
    """(3, B)."""


def _robust(problem: Problem) -> _Found:
    """Solutions with calibrated ellipses; where the misfit is too large for the sigmas, only their ratios count."""
    minima = epicentres.minima(problem, *approach(problem))
    found = _chosen(problem, minima)
    doubted = found.certain.estimated & problem.known_scale
    found = _with_ellipses(problem, found)
    if not doubted.any():
        return found
    rows, member = np.flatnonzero(doubted), np.flatnonzero(doubted[minima.event])
    # Once more from the minima that are known, with the scale left free; events count from 0 among the doubted ones.
    some, number = replace(problem.rows(rows), known_scale=False), (doubted.cumsum() - 1)[minima.event[member]]
    again = _chosen(some, epicentres.minima_again(some, minima.rows(member), number))
    return _placed(found, rows, _with_ellipses(some, again))


def _with_ellipses(problem: Problem, found: _Found) -> _Found:
    other = np.where(found.ambiguous, found.second, np.nan)
    certain = calibrated(problem, found.point, found.distance_km, found.toward, found.certain, other)
    return replace(found, certain=certain)


def _placed(whole: _Found, rows: np.ndarray, part: _Found) -> _Found:
    """Solutions with those of ``part`` at ``rows``."""
    for name, values in vars(whole).items():
        if isinstance(values, np.ndarray):
            values[..., rows] = getattr(part, name)
    for name, values in vars(whole.certain).items():
        values[rows] = getattr(part.certain, name)
    return whole


def _paper(problem: Problem) -> _Found:
    event, start = approach(problem)
    many = problem.rows(event)
    point, misfit_km = (values.numpy() for values in halve_grid(many.tensors(), torch.from_numpy(start.T)))
    minima = epicentres.evaluated(problem, event, point.T)
    found = _chosen(problem, minima, Minimum(point.T, misfit_km, misfit_km / np.maximum(many.dof, 1)))
    # Absolute residuals with equal weights say nothing of how large they should be far from a station and near it.
    without = np.full_like(found.certain.covariance_km2, np.nan)
    return replace(found, certain=replace(found.certain, covariance_km2=without))


def _chosen(problem: Problem, minima: epicentres.Minima, judged: Minimum | None = None) -> _Found:
    """The best of the minima of every event, its linearised uncertainty and a second solution.

    ``judged`` says by what costs and scales they are compared, if not by those of the robust loss.
    """
    judged = judged or Minimum(minima.point, minima.state[COST], minima.state[SCALE])
    event = minima.event
    best = best_of(event, judged, len(problem.used), problem.dof, known_scale=problem.known_scale)
    some = minima.rows(best)
    certain = linearised(problem, some.state[SCALE], some.state[INFORMATION], some.fitted)
    ambiguous, second = second_solution(problem, event, judged, best, certain)
    return _Found(some.point, some.distance_km, some.toward, certain, ambiguous, second)


def _refusals(problem: Problem) -> list[str]:
    """B texts: why an event cannot be located, or nothing."""
    count = problem.used.sum(1)
    reference = problem.station[np.arange(len(count)), problem.used.argmax(1)][:, None]
    # Chords are as long as arcs where it matters.
    apart2 = ((problem.station - reference) ** 2).sum(2)
    spread = np.sqrt((apart2 * problem.used).max(1)) * EARTH_RADIUS_KM
    no_direction = np.ones_like(problem.used[:, 0]) if problem.azimuth_used is None else ~problem.azimuth_used.any(1)
    texts = []
    for n, km, blind in zip(count.tolist(), spread.tolist(), no_direction.tolist(), strict=True):
        if n == 0:
            texts.append("no usable station: give distances with station coordinates")
        elif blind and n == 1:
            texts.append("one distance is a circle: give a second station or a back azimuth")
        elif blind and km < SAME_PLACE_KM:
            texts.append(f"all {n} stations lie within {SAME_PLACE_KM} km: give stations elsewhere or a back azimuth")
        else:
            texts.append("")
    return texts


def _described(
    given: Observations, problem: Problem, possible: np.ndarray, refused: list[str], found: _Found, mode: Mode
) -> Locations:
    rows = np.flatnonzero(possible)
    some = problem.rows(rows)
    residual_km = np.where(some.used, some.offset_km - found.distance_km.T, np.nan)
    north, east = found.toward
    latitude_deg, longitude_deg = coordinates_deg(found.point)
    second_deg = coordinates_deg(np.where(found.ambiguous, found.second, np.nan))
    squares = np.where(some.used, residual_km, 0.0) ** 2

    def spread(values: np.ndarray) -> Tensor:
        """Values of located events in their places, NaN or False elsewhere."""
        whole = np.full((len(possible), *values.shape[1:]), values.dtype.type(np.nan if values.dtype != bool else 0))
        whole[rows] = values
        return torch.from_numpy(whole)

    return Locations(
        latitude_deg=spread(latitude_deg),
        longitude_deg=spread(longitude_deg),
        covariance_km2=spread(found.certain.covariance_km2),
        ellipse68=Ellipse(*(spread(values) for values in found.certain.ellipse(0.68))),
        ellipse95=Ellipse(*(spread(values) for values in found.certain.ellipse(0.95))),
        scale=spread(found.certain.scale),
        residual_km=spread(residual_km),
        rms_km=spread(np.sqrt(squares.sum(1) / some.used.sum(1))),
        n_stations=torch.from_numpy(problem.used.sum(1)),
        gap_deg=spread(azimuthal_gap_deg(np.degrees(np.arctan2(east, north)).T % 360, some.used)),
        ambiguous=spread(found.ambiguous),
        second_latitude_deg=spread(second_deg[0]),
        second_longitude_deg=spread(second_deg[1]),
        located=torch.from_numpy(possible),
        reason=_reasons(refused, rows, enough(some, found.certain.estimated), found, mode),
        left_out=left_out(given, problem.used),
    )


def _reasons(refused: list[str], rows: np.ndarray, sufficient: np.ndarray, found: _Found, mode: Mode) -> list[str]:
    reasons = list(refused)
    described = zip(
        rows.tolist(), found.ambiguous.tolist(), found.certain.bounded().tolist(), sufficient.tolist(), strict=True
    )
    for row, ambiguous, bounded, is_enough in described:
        texts = ["a second epicentre fits as well"] if ambiguous else []
        if mode == "paper":
            texts.append("mode paper states no uncertainty: locate with mode robust for an ellipse")
        elif not is_enough:
            texts.append("too few distances for an ellipse: give four with sigmas, five without, or back azimuths")
        elif not bounded:
            texts.append("the stations do not bound the epicentre: no ellipse")
        reasons[row] = "; ".join(texts)
    return reasons


def joined(parts: list[Any]) -> Any:
    """Parts of the same dataclass as one: tensors and lists one after the other."""
    first = parts[0]
    if len(parts) == 1:
        return first
    if isinstance(first, Tensor):
        return torch.cat(parts)
    if isinstance(first, list):
        return [item for part in parts for item in part]
    names = [field.name for field in fields(first)]
    return type(first)(**{name: joined([getattr(part, name) for part in parts]) for name in names})
