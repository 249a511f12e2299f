"""Hypocentres and origin times from P and S times at stations."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor

from seisvision.earth.travel_time_table import TravelTimes
from seisvision.earth.unit_vectors import coordinates_deg, frame
from seisvision.errors import ConfigurationError
from seisvision.location import student
from seisvision.location.arrivals.checks import Given, checked, prior_values
from seisvision.location.arrivals.descent import State
from seisvision.location.arrivals.hypocentres import Ellipsoid, Hypocentres, Prior
from seisvision.location.arrivals.minima import Minima, again, minima
from seisvision.location.arrivals.posterior import Regions, covariance_km2, regions
from seisvision.location.arrivals.problem import Prediction, Problem, degrees_turned, geocentric_km, n_stations, terms
from seisvision.location.arrivals.sigmas import FEWEST_ESTIMATED, FEWEST_KNOWN, fitted_scale
from seisvision.location.locate import joined
from seisvision.location.uncertainty import Ellipse, azimuthal_gap_deg, chi_square2

Array = np.ndarray | Tensor

PAIRS_AT_ONCE = 48_000
"""Events times picks of one batch: the last steps are made by few events, so that many should share them."""
FEWEST_PICKS = 4
FEWEST_STATIONS = 3
UNRESOLVED = 0.22
"""Standard deviation of the depth over the span of its limits: 0.29 where every depth is as likely."""
UNRESOLVED_95 = 0.35
"""Half-width of the interval that holds 95 % over that span."""
LARGEST_ELLIPSE_KM = 500.0
SECOND_EXCESS = 3.0
"""Negative log likelihood (half of chi-square) above the best, up to which a second solution fits as well."""
NORMAL3, CHI_SQUARE3_95 = 3.5059, 7.8147
"""Squared radii that hold 68 and 95 % of normal distributions in three dimensions."""
SCALE_ROUNDS = 2
LITTLE = 2.0
"""Factor on sigmas up to which the minima that are known are those that matter."""
JUMPS = "velocities jump, so neither ellipsoid nor interval of depth is stated"
"""In simulations with such models those of 95 % held 89 to 93 %: a depth beyond a jump may fit as well, unseen."""


def locate_arrivals(
    station_latitude_deg: Array,
    station_longitude_deg: Array,
    station_elevation_km: Array,
    phase: Array,
    time_s: Array,
    sigma_s: Array | None,
    travel_times: TravelTimes,
    *,
    mask: Array | None = None,
    prior: Prior | None = None,
    depth_limits_km: tuple[float, float] | None = None,
    statics: Array | None = None,
    not_yet: Array | None = None,
    robust: bool = True,
) -> Hypocentres:
    """Hypocentres of B events from S picks each, on WGS84.

    Minimises the negative log likelihood of Student-t errors with four degrees of freedom from several starts. Ellipses
    of the epicentre, ellipsoids and intervals of depth hold 68 and 95 % of the posterior, not of a linearised one (see
    :mod:`seisvision.location.arrivals.posterior` and ``benchmarks/arrival_coverage.py``). Where picks are too few, the
    depth is not resolved or the table ends, there is none, and ``reason`` says why; nor of the depth where velocities
    jump from layer to layer.

    Args:
        station_latitude_deg: (B, S), geodetic, of the station of each pick; a station with P and S stands twice.
        station_longitude_deg: (B, S).
        station_elevation_km: (B, S).
        phase: (B, S) numbers in ``PHASES`` or texts ``P`` and ``S``; others are left out and listed.
        time_s: (B, S) arrival times on any clock; NaN where there is none.
        sigma_s: (B, S) their standard deviations; None estimates one size an event, S errors being twice those of P.
        travel_times: of both phases.
        mask: bool (B, S), False for padding; None: every slot is a pick.
        prior: what is known of the hypocentres beforehand.
        depth_limits_km: least and greatest depth; None: those of the table, from the datum or the highest station on.
        statics: (B, S) corrections (s) that are taken off the times, as `fit_statics` gives them.
        not_yet: bool (B, S): the station had not seen the phase until the time, which early warning can use. Such
            stations count where it is asked whether there are enough.
        robust: False for least squares.

    Raises:
        ConfigurationError: the limits of the depth do not rise or lie outside of the table.
        DataError: shapes differ.
    """
    given = checked(
        station_latitude_deg=station_latitude_deg,
        station_longitude_deg=station_longitude_deg,
        station_elevation_km=station_elevation_km,
        phase=phase,
        time_s=time_s,
        sigma_s=sigma_s,
        statics=statics,
        not_yet=not_yet,
        mask=mask,
    )
    table = travel_times.to(given.time_s.device)
    limits = _depth_limits(depth_limits_km, table)
    b, s = given.mask.shape
    prior_values(prior, b, given.mask.device)
    parts = []
    for rows in torch.arange(b, device=given.mask.device).split(max(1, PAIRS_AT_ONCE // max(1, s))):
        some = Given(*(None if value is None else value[rows] for value in vars(given).values()))  # type: ignore[arg-type]
        known = None if prior is None else Prior(*(torch.as_tensor(one)[rows.cpu()] for one in vars(prior).values()))
        parts.append(_locate_some(some, table, known, limits, robust=robust))
    return joined(parts) if parts else _locate_some(given, table, prior, limits, robust=robust)


def _depth_limits(limits: tuple[float, float] | None, table: TravelTimes) -> tuple[float, float]:
    low, high = (max(0.0, table.first_depth_km), table.max_depth_km) if limits is None else limits
    if not table.first_depth_km <= low < high <= table.max_depth_km:
        raise ConfigurationError(
            f"depth_limits_km=({low:g}, {high:g}) do not rise within the table of travel times, "
            f"{table.first_depth_km:g} to {table.max_depth_km:g} km."
        )
    return float(low), float(high)


@dataclass(frozen=True)
class _Found:
    """Solutions of M events that can be located."""

    state: State
    there: Prediction
    second: State
    ambiguous: Tensor
    """(M,) bool."""
    scale: Tensor
    """(M,)."""
    estimated: Tensor
    """(M,) bool: the scale comes from the residuals."""
    region: Regions
    problem: Problem


def _locate_some(
    given: Given, table: TravelTimes, prior: Prior | None, limits: tuple[float, float], *, robust: bool
) -> Hypocentres:
    problem, reference = given.problem(table, prior, limits, robust=robust)
    refused = _refusals(problem)
    rows = torch.tensor([n for n, text in enumerate(refused) if not text], device=reference.device, dtype=torch.long)
    found = _solved(problem.rows(rows), known=given.sigma_s is not None) if len(rows) else None
    return _described(given, table, problem, reference, refused, rows, found)


def _refusals(problem: Problem) -> list[str]:
    """B texts: why an event cannot be located, or nothing."""
    texts = []
    seen = problem.used | problem.waiting
    stations = n_stations(problem, seen)
    for arrived, n, places in zip(problem.used.sum(1).tolist(), seen.sum(1).tolist(), stations.tolist(), strict=True):
        if arrived == 0:
            texts.append("no usable pick: give P or S times at stations with coordinates")
        elif places < FEWEST_STATIONS:
            texts.append(f"{places} stations: give picks at {FEWEST_STATIONS} or more")
        elif n < FEWEST_PICKS:
            texts.append(f"{n} picks for a place, a depth and a time: give {FEWEST_PICKS} or more")
        else:
            texts.append("")
    return texts


def _solved(problem: Problem, *, known: bool) -> _Found:
    scale = torch.ones_like(problem.limits_km[:, 0])
    estimated = torch.full_like(scale, not known, dtype=torch.bool)
    found = minima(problem)
    for _ in range(SCALE_ROUNDS):
        fitted, unlikely = fitted_scale(problem, found)
        anew = (unlikely | (estimated & (problem.count > 4))) & ((fitted - 1).abs() > 0.02)
        if not anew.any():
            break
        # Their sigmas are multiplied by what the residuals say, and the event is located once more.
        estimated = estimated | unlikely
        factor = torch.where(anew, fitted.clamp_min(1e-3), 1.0)
        scale, problem = scale * factor, replace(problem, sigma_s=problem.sigma_s * factor[:, None])
        # What was given up as hopeless may fit with sigmas that are far larger.
        little = (factor > 1 / LITTLE) & (factor < LITTLE)
        for rows in ((anew & little).nonzero()[:, 0], (anew & ~little).nonzero()[:, 0]):
            if len(rows):
                some = problem.rows(rows)
                found = found.replaced(rows, again(some, found.rows(rows)) if little[rows[0]] else minima(some))
    best, there = found.best, found.there
    linear = covariance_km2(problem, best)
    ambiguous = _fits_as_well(found, linear)
    other = _way_km(best, found.second, ambiguous)
    region = regions(problem, best, there, linear, other, found.is_straight)
    return _Found(best, there, found.second, ambiguous, scale, estimated, region, problem)


def _fits_as_well(found: Minima, linear_km2: Tensor) -> Tensor:
    """Bool (M,): the second minimum fits as well, and lies outside of the 95 % region of the best."""
    there = found.has_second & (found.second.cost - found.best.cost < SECOND_EXCESS)
    way = _way_km(found.best, found.second, there).nan_to_num(0.0)
    return there & (torch.einsum("mi,mij,mj->m", way, torch.linalg.inv(linear_km2), way) > CHI_SQUARE3_95)


def _way_km(first: State, other: State, there: Tensor) -> Tensor:
    """Way (M, 3) north, east and down from one hypocentre to the other, NaN where it is not there."""
    from_km, to_km = (geocentric_km(one.point, -one.depth_km) for one in (first, other))
    axes = torch.stack([*frame(first.point), -first.point], 1)
    way = (axes @ (to_km - from_km)[:, :, None])[..., 0]
    return way.masked_fill(~there[:, None], torch.nan)


@dataclass(frozen=True)
class _Stated:
    """What may be said of the uncertainty of M events."""

    ellipse: Tensor
    """(M,) bool."""
    depth: Tensor
    """(M,) bool."""
    texts: list[str]


def _stated(found: _Found) -> _Stated:
    problem, region = found.problem, found.region
    fewest = torch.where(found.estimated, FEWEST_ESTIMATED, FEWEST_KNOWN)
    few = problem.count < fewest
    longest = problem.travel_times.max_distance_km
    beyond = (problem.used & (found.there.distance_km > longest)).sum(1)
    major = region.horizontal[:, 1] * torch.linalg.eigvalsh(region.shape_km2[:, :2, :2])[:, 1].sqrt()
    open_ = ~region.seen | ~(major < LARGEST_ELLIPSE_KM)
    span = problem.limits_km[:, 1] - problem.limits_km[:, 0]
    unresolved = (region.depth_spread_km > UNRESOLVED * span) | (region.depth_km[:, 1] > UNRESOLVED_95 * span)
    at_limit = (found.state.depth_km[:, None] - problem.limits_km).abs().amin(1) < 1e-3
    jumps = problem.travel_times.has_jumps
    texts = []
    columns = (found.ambiguous, few, beyond, open_, unresolved, at_limit, (problem.used & (problem.phase == 1)).any(1))
    for second, scarce, far, wide, vague, limit, has_s in zip(*(column.tolist() for column in columns), strict=True):
        said = ["a second hypocentre fits as well"] if second else []
        if far:
            said.append(f"{far} picks lie beyond the table of travel times, which ends at {longest:g} km: no ellipse")
        elif scarce:
            said.append(
                f"too few picks for an ellipse: give {FEWEST_KNOWN} with sigmas that fit, {FEWEST_ESTIMATED} without"
            )
        elif wide:
            said.append("the stations do not bound the epicentre: no ellipse")
        if vague:
            cause = "" if has_s else "; S times would help"
            said.append(f"the picks do not resolve the depth: it is one of many{cause}")
        if limit:
            said.append("the depth is at its limit")
        if jumps:
            said.append(JUMPS)
        texts.append("; ".join(said))
    bounded = ~(few | (beyond > 0) | open_)
    return _Stated(bounded, bounded & ~unresolved & (not jumps), texts)


def _described(
    given: Given,
    table: TravelTimes,
    problem: Problem,
    reference: Tensor,
    refused: list[str],
    rows: Tensor,
    found: _Found | None,
) -> Hypocentres:
    b, s = problem.used.shape

    def spread(values: Tensor | None, *shape: int) -> Tensor:
        """Values of located events in their places, NaN elsewhere."""
        whole = torch.full((b, *shape), torch.nan, dtype=torch.float64, device=reference.device)
        if values is not None:
            whole[rows] = values
        return whole

    numbers = {} if found is None else _numbers(found)
    located = torch.zeros(b, dtype=torch.bool, device=reference.device)
    ambiguous = located.clone()
    located[rows] = True
    reason = list(refused)
    if found is not None:
        ambiguous[rows] = found.ambiguous
        numbers["origin_time_s"] = numbers["origin_time_s"] + reference[rows]
        for row, text in zip(rows.tolist(), _stated(found).texts, strict=True):
            reason[row] = text
    shapes = {"covariance_km2": (3, 3)} | dict.fromkeys(("residual_s", "weight", "distance_km", "azimuth_deg"), (s,))
    plain = {
        field.name: spread(numbers.get(field.name), *shapes.get(field.name, ()))
        for field in fields(Hypocentres)
        if field.type == "Tensor" and field.name not in ("n_picks", "n_stations", "ambiguous", "located")
    }
    ellipses = {
        f"ellipse{level}": Ellipse(*(spread(numbers.get(f"{name}{level}")) for name in ("major", "minor", "azimuth")))
        for level in (68, 95)
    }
    ellipsoids = {
        f"ellipsoid{level}": Ellipsoid(
            spread(numbers.get(f"axes{level}"), 3), spread(numbers.get(f"directions{level}"), 3, 3)
        )
        for level in (68, 95)
    }
    return Hypocentres(
        **plain,  # type: ignore[arg-type]
        **ellipses,  # type: ignore[arg-type]
        **ellipsoids,  # type: ignore[arg-type]
        n_picks=problem.used.sum(1),
        n_stations=n_stations(problem, problem.used),
        ambiguous=ambiguous,
        located=located,
        reason=reason,
        left_out=given.left_out(table),
    )


def _numbers(found: _Found) -> dict[str, Tensor]:
    """Values of M located events by their names in `Hypocentres` and of the axes of their regions."""
    problem, state, there, region = found.problem, found.state, found.there, found.region
    stated = _stated(found)
    late = problem.time_s - there.travel_s - state.origin_s[:, None]
    weighed = terms(late / problem.sigma_s, problem.used, None, robust=problem.robust).stiffness
    precision = weighed / problem.sigma_s.square()
    latitude, longitude = coordinates_deg(state.point)
    second_latitude, second_longitude = coordinates_deg(found.second.point)
    azimuth = degrees_turned(there.north, there.east)
    linear = covariance_km2(problem, state)
    unit = student.VARIANCE_KNOWN * student.NORMAL_WEIGHT if problem.robust else 1.0
    follows = torch.einsum("mi,mij,mj->m", state.pull, linear, state.pull)
    widened = _widened(found)

    def only(values: Tensor, where: Tensor) -> Tensor:
        return torch.where(where.reshape(-1, *[1] * (values.ndim - 1)), values, torch.nan)

    numbers = {
        "latitude_deg": latitude,
        "longitude_deg": longitude,
        "depth_km": state.depth_km,
        "origin_time_s": state.origin_s,
        "origin_sigma_s": only((unit / precision.sum(1) + follows).sqrt(), stated.ellipse),
        "depth_sigma_km": only(region.depth_km[:, 0] * widened[:, 0], stated.depth),
        "depth95_km": only(region.depth_km[:, 1] * widened[:, 1], stated.depth),
        "scale": found.scale,
        "residual_s": only_used(late, problem.used),
        "weight": only_used(weighed, problem.used),
        "distance_km": only_used(there.distance_km, problem.used),
        "azimuth_deg": only_used(azimuth, problem.used),
        "rms_s": ((precision * late.square()).sum(1) / precision.sum(1)).sqrt(),
        "gap_deg": torch.from_numpy(azimuthal_gap_deg(azimuth.cpu().numpy(), problem.used.cpu().numpy())).to(azimuth),
        "second_latitude_deg": only(second_latitude, found.ambiguous),
        "second_longitude_deg": only(second_longitude, found.ambiguous),
        "second_depth_km": only(found.second.depth_km, found.ambiguous),
    }
    spatial = region.shape_km2 * ((region.spatial[:, 0] * widened[:, 0]).square() / NORMAL3)[:, None, None]
    numbers["covariance_km2"] = only(spatial, stated.depth)
    plane = torch.linalg.eigh(region.shape_km2[:, :2, :2])
    values, axes = torch.linalg.eigh(region.shape_km2)
    for number, level in enumerate((68, 95)):
        radius = only(region.horizontal[:, number] * widened[:, number], stated.ellipse)[:, None]
        lengths = radius * plane.eigenvalues.clamp_min(0).sqrt()
        numbers |= {f"major{level}": lengths[:, 1], f"minor{level}": lengths[:, 0]}
        numbers[f"azimuth{level}"] = only(
            degrees_turned(plane.eigenvectors[:, 0, 1], plane.eigenvectors[:, 1, 1]) % 180, stated.ellipse
        )
        radius = only(region.spatial[:, number] * widened[:, number], stated.depth)[:, None]
        numbers[f"axes{level}"] = (radius * values.clamp_min(0).sqrt()).flip(1)
        numbers[f"directions{level}"] = only(axes.flip(2), stated.depth)
    return numbers


def only_used(values: Tensor, used: Tensor) -> Tensor:
    """Values (M, S), NaN where a pick was not used."""
    return torch.where(used, values, torch.nan)


def _widened(found: _Found) -> Tensor:
    """Factor (M, 2) on the regions of both levels where the size of the errors was estimated from few residuals."""
    dof = (found.problem.count - 4).clamp_min(1)
    factors = []
    for level in (0.68, 0.95):
        # The quantile of 2 F(2, dof) over that of chi-square with two degrees of freedom, both in closed form.
        ratio = dof * ((1 - level) ** (-2 / dof) - 1) / chi_square2(level)
        factors.append(torch.where(found.estimated, ratio.sqrt(), 1.0))
    return torch.stack(factors, 1)
