"""Distances in a plane: descents of many events to the minima near them, in few and cheap operations.

These steps are what locating takes most of its time for. The sphere is projected stereographically about a point near
the epicentre, so that nothing but sums and products lies between places and chords. Stations stand at their distance
and direction from that point, as they are on the ellipsoid: predictions and derivatives are exact there, and what the
sphere is wrong about grows with the square of the way from it (some 10 m after 20 km). Single precision does.

Everything is written once for numpy and torch (:mod:`seisvision.location.arrays`), with stations along the first axis,
so that sums over them use vector instructions.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from seisvision.earth.constants import EARTH_RADIUS_KM
from seisvision.location import student
from seisvision.location.arrays import at_least, bound, columns, single, stacked, summed

FEW_PAIRS = 4000
"""Events times stations up to which arrays of numpy are quicker than tensors."""
FIRST_DAMPING, FREE_DAMPING, MOST_DAMPING = 1e-3, 0.1, 1e8
LONGEST_STEP_KM = 2000.0
MIN_CONVEXITY = 0.1
ROUNDING = 2e-6
"""By what single precision may mistake a cost, relative to one more than itself."""
LEAVING = 0.7
"""Descents that are still going leave the finished ones behind when they are fewer than this share."""
LEAST_SQUARE, LARGEST_SQUARE = 1e-14, 1 - 2e-7
"""Of the sine of half a distance: at a station and at its antipode there is no direction."""
LEAST = 1e-30
SOFTENING_KM = 1.0
"""Errors are taken to grow with the distance plus this, as those of networks that predict log(1 + km)."""
LEAST_EXPONENT = 1e-6


class Plane(NamedTuple):
    """Stations about the centres of M planes, arrays (S, M) unless said otherwise."""

    cosine: Any
    """Of half the angle between centre and station."""
    toward: Any
    """(2, S, M) sine of the same times the direction, north and east."""

    def rows(self, index: Any) -> Plane:
        """Those of the planes at ``index``."""
        return Plane(*(columns(values, index) for values in self))


class Distances(NamedTuple):
    """Observed distances of M descents at S stations."""

    offset_km: Any
    """(S, M)."""
    precision: Any
    """(S, M) one over the sigma at the observed distance, zero where there is no observation."""
    growth: Any
    """(M,) power of the distance that the sigmas grow with."""
    dof: Any
    """(M,) observations minus two."""
    is_known: bool
    """The sigmas are known; otherwise only their proportions are."""
    common_growth: float | None
    """The growth of all where it is 0 or 1 for all, which is quicker."""

    def rows(self, index: Any) -> Distances:
        """Those of the descents at ``index``."""
        return self._replace(
            offset_km=columns(self.offset_km, index),
            precision=columns(self.precision, index),
            growth=self.growth[index],
            dof=self.dof[index],
        )

    def events(self, some: slice) -> Distances:
        """Those of some events where these are along the first axis."""
        return self._replace(
            offset_km=self.offset_km[some],
            precision=self.precision[some],
            growth=self.growth[some],
            dof=self.dof[some],
        )

    def single(self) -> Distances:
        """The same in single precision."""
        return self._replace(
            offset_km=single(self.offset_km),
            precision=single(self.precision),
            growth=single(self.growth),
            dof=single(self.dof),
        )


COST, DOWN, INFORMATION, BEND, SCALE = 0, slice(1, 3), slice(3, 6), slice(6, 9), 9
"""Rows of a state (10, M), which holds the cost and its local model at one place of each of M problems.

The downhill direction is north and east. ``INFORMATION`` is the sum of weight * derivative * derivative, north-north,
north-east and east-east; ``BEND`` is the same with second derivatives of the loss, where the scale is known and these
are convex. ``SCALE`` is that of the residuals: of the loss where it is estimated, else 1.
"""


def common_growth(growth: Any) -> float | None:
    """0 or 1 where all growth (M,) is that, else None."""
    return next((value for value in (0.0, 1.0) if bool((growth == value).all())), None)


def plane_about(distance_km: Any, toward: Any, of: Any) -> Plane:
    """Planes about points from where stations are that far (S, M), in directions (2, S, M): cosine and sine."""
    half = single(distance_km / (2 * EARTH_RADIUS_KM))
    return Plane(of.cos(half), single(toward) * of.sin(half))


def predicted(plane: Plane, place: Any, of: Any) -> tuple[Any, Any]:
    """Distances (S, M) in km and their derivatives (2, S, M) by steps of a kilometre north and east.

    Places (2, M) in the planes are tangents of half the angle to the centre.
    """
    there = place[:, None]
    slope = plane.cosine * there
    slope -= plane.toward
    squared = summed(slope * slope, 0)
    squared *= (1 + summed(place * place, 0)) ** -1.0
    bound(squared, LEAST_SQUARE, LARGEST_SQUARE)
    slope *= plane.cosine
    slope -= squared * there
    slope *= of.sqrt(squared * (1 - squared)) ** -1.0
    distance_km = of.sqrt(squared)
    of.arcsin(distance_km, out=distance_km)
    distance_km *= 2 * EARTH_RADIUS_KM
    return distance_km, slope


def residuals(observed: Distances, distance_km: Any, of: Any) -> tuple[Any, Any]:
    """Residuals (S, M) over their sigmas, and what `slopes` needs of them.

    The sigma of a distance belongs to the true one, not to the observed: a distance read too short has not become a
    better one. On a scale where the errors are equal everywhere this takes care of itself (Box and Cox 1964, J. R.
    Stat. Soc. B 26, 211-252): the logarithm for relative errors, the distance itself for equal ones.
    """
    if observed.common_growth == 0:
        return (observed.offset_km - distance_km) * observed.precision, None
    softened = observed.offset_km + SOFTENING_KM
    stretch = of.log((distance_km + SOFTENING_KM) / softened)
    if observed.common_growth == 1:
        return stretch * (-softened * observed.precision), None
    exponent = at_least(1 - observed.growth, LEAST_EXPONENT)
    stretch *= exponent
    stretch = of.expm1(stretch)
    return stretch * (-softened * observed.precision / exponent), stretch


def slopes(observed: Distances, distance_km: Any, stretch: Any) -> Any:
    """How fast residuals (S, M) fall per km of predicted distance, from what `residuals` says."""
    if observed.common_growth == 0:
        return observed.precision
    slope = (observed.offset_km + SOFTENING_KM) * observed.precision / (distance_km + SOFTENING_KM)
    return slope if observed.common_growth == 1 else slope * (1 + stretch)


def local_model(observed: Distances, distance_km: Any, slope: Any, of: Any, near: Any = None) -> Any:
    """States (10, M) from predictions (S, M).

    Args:
        observed: of M problems.
        distance_km: (S, M) predicted.
        slope: (2, S, M) their derivatives by north and east, which are a unit vector.
        of: ``numpy`` or ``torch``.
        near: (M,) scale near the estimated one, where it is known.
    """
    nu = student.DEGREES_OF_FREEDOM
    residual, stretch = residuals(observed, distance_km, of)
    steepness = slopes(observed, distance_km, stretch)
    state = of.empty((10, residual.shape[1]), dtype=residual.dtype)
    if observed.is_known:
        state[SCALE] = 1
        ratio = residual * residual
    else:
        state[SCALE] = fixed_or_fitted_scale(residual, observed.dof, of, near)
        ratio = residual * state[SCALE] ** -1.0
        ratio *= ratio
    ratio *= 1 / nu
    cost = (nu + 1) / 2 * summed(of.log1p(ratio), 0)
    state[COST] = cost if observed.is_known else cost + at_least(observed.dof, 0) * of.log(state[SCALE])
    ratio += 1
    share = ratio**-1.0
    weight = share * steepness
    weight *= (nu + 1) / nu if observed.is_known else (nu + 1) / nu * state[SCALE] ** -2.0
    residual *= weight
    state[DOWN] = summed(residual * slope, 1)
    weight *= steepness
    _sum_squares(weight, slope, state[INFORMATION])
    # Where the scale follows the residuals, the reweighted information is the better model: it is that of an EM step.
    if not observed.is_known:
        state[BEND] = state[INFORMATION]
        return state
    share *= 2
    share -= 1
    share *= weight
    bend, information = state[BEND], state[INFORMATION]
    _sum_squares(share, slope, bend)
    convex = (_determinant(bend) > MIN_CONVEXITY * _determinant(information)) & (bend[0] > 0)
    bend[:] = of.where(convex, bend, information)
    return state


def _sum_squares(weight: Any, slope: Any, out: Any) -> None:
    """Sums (3, M) of weights (S, M) times north-north, north-east and east-east of slopes (2, S, M)."""
    out[:2] = summed(weight * slope[0] * slope, 1)
    # North and east are a unit vector, so that the third sum is what remains of the weights.
    out[2] = summed(weight, 0) - out[0]


def fixed_or_fitted_scale(residual: Any, dof: Any, of: Any, near: Any = None) -> Any:
    """Scale (M,) of residuals (S, M).

    Two distances leave no residual to estimate it from; a scale that is large against all of them makes the loss that
    of least squares, which is right for them.
    """
    fitted = student.fitted_scale(residual, at_least(dof, 1), near, 0)
    return of.where(dof > 0, fitted, 10 * EARTH_RADIUS_KM)


def _determinant(squares: Any) -> Any:
    return squares[0] * squares[2] - squares[1] * squares[1]


def newton_step_km(state: Any, damping: Any, of: Any) -> Any:
    """Damped Newton steps (2, M) north and east from states (10, M), at most ``LONGEST_STEP_KM`` long."""
    a, b, d = state[BEND]
    north, east = state[DOWN]
    # In units of the mean curvature, so that the damping has none and suits kilometres of any size.
    ridge = damping / 2 * (a + d)
    a, d = a + ridge, d + ridge
    step = stacked([d * north - b * east, a * east - b * north])
    step /= at_least(a * d - b * b, LEAST)
    step *= LONGEST_STEP_KM / at_least(of.hypot(step[0], step[1]), LONGEST_STEP_KM)
    return step


def descent(
    plane: Plane,
    observed: Distances,
    place: Any,
    of: Any,
    converged_km: Any,
    max_iterations: int,
    state: Any = None,
) -> tuple[Any, Any]:
    """Places (2, M) of the minima that places (2, M) in planes lead to, and the states (10, M) there.

    A step that does not lower the cost is refused and repeated shorter (Marquardt 1963, J. SIAM 11, 431-441). They end
    with a step shorter than ``converged_km``, a number or (M,), or after so many: none moves on because others do.
    ``state`` is that of the first places, where it is known.
    """

    def model(there: Any, near: Any = None) -> Any:
        return local_model(observed, *predicted(plane, there, of), of, near)

    state = model(place) if state is None else state
    reached, ended, rows = place, state, None
    damping, enough_km2 = of.full_like(state[COST], FIRST_DAMPING), of.zeros_like(state[COST]) + converged_km**2
    going, rounding = damping > 0, ROUNDING * (observed.dof > 0)
    for _ in range(max_iterations):
        step = newton_step_km(state, damping, of)
        # A kilometre on the ground is longer in the plane, the farther from the centre.
        trial = place + step * ((1 + summed(place * place, 0)) / (2 * EARTH_RADIUS_KM))
        there = model(trial, state[SCALE])
        # Equal costs too: near the minimum rounding hides the gain, and a refused step would only raise the damping.
        # Beside a known scale the cost has no logarithm of one, and may be as small as it likes.
        better = there[COST] <= state[COST] + ROUNDING * abs(state[COST]) + rounding
        worse = of.where(~(better & going))[0]
        if len(worse):
            there[:, worse], trial[:, worse] = state[:, worse], place[:, worse]
        state, place = there, trial
        # A step that damping has made short says nothing about convergence.
        short = (summed(step * step, 0) < enough_km2) & (damping < FREE_DAMPING)
        damping = of.where(better, damping * 0.1, damping * 10.0)
        going &= ~short & (damping < MOST_DAMPING)
        left = int(of.count_nonzero(going))
        if not left:
            break
        if left < LEAVING * len(going):
            some = of.where(going)[0]
            if rows is None:
                reached, ended, rows = place, state, some
            else:
                reached[:, rows], ended[:, rows] = place, state
                rows = rows[some]
            plane, observed = plane.rows(some), observed.rows(some)
            place, state, damping = columns(place, some), columns(state, some), damping[some]
            enough_km2, going, rounding = enough_km2[some], going[some], rounding[some]
    if rows is None:
        reached, ended = place, state
    else:
        reached[:, rows], ended[:, rows] = place, state
    return reached, ended
