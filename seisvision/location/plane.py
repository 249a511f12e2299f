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
from seisvision.location.arrays import at_least, bound, columns, single, stacked

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
    """Stations about the centres of M planes, arrays (S, M)."""

    cosine: Any
    """Of half the angle between centre and station."""
    north: Any
    """Sine of the same times the direction."""
    east: Any

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


class State(NamedTuple):
    """Cost and its local model at one place of every problem, arrays (M,), or the rows of one array."""

    cost: Any
    scale: Any
    """Of the residuals: of the loss where it is estimated, else 1."""
    down_north: Any
    """Downhill direction."""
    down_east: Any
    north_north: Any
    """Sum of weight * derivative * derivative."""
    north_east: Any
    east_east: Any
    bend_north_north: Any
    """The same with second derivatives of the loss, where the scale is known and these are convex."""
    bend_north_east: Any
    bend_east_east: Any


def common_growth(growth: Any) -> float | None:
    """0 or 1 where all growth (M,) is that, else None."""
    return next((value for value in (0.0, 1.0) if bool((growth == value).all())), None)


def plane_about(distance_km: Any, north: Any, east: Any, of: Any) -> Plane:
    """Planes about points from where the stations are that far (S, M), in that direction (cosine and sine)."""
    half = single(distance_km / (2 * EARTH_RADIUS_KM))
    sine = of.sin(half)
    return Plane(of.cos(half), single(north) * sine, single(east) * sine)


def predicted(plane: Plane, north: Any, east: Any, of: Any) -> tuple[Any, Any, Any]:
    """Distances in km and their derivatives by steps of a kilometre north and east, at places in the planes.

    Places are tangents of half the angle to the centre, of a shape that the planes (S, M) are broadcast to.
    """
    to_north, to_east = plane.cosine * north, plane.cosine * east
    to_north -= plane.north
    to_east -= plane.east
    squared = to_north * to_north
    squared += to_east * to_east
    squared *= (1 + north * north + east * east) ** -1.0
    bound(squared, LEAST_SQUARE, LARGEST_SQUARE)
    inverse = (squared * (1 - squared)) ** -0.5
    distance_km = of.sqrt(squared)
    of.arcsin(distance_km, out=distance_km)
    distance_km *= 2 * EARTH_RADIUS_KM
    to_north *= plane.cosine
    to_north -= squared * north
    to_north *= inverse
    to_east *= plane.cosine
    to_east -= squared * east
    to_east *= inverse
    return distance_km, to_north, to_east


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


def local_model(observed: Distances, distance_km: Any, by_north: Any, by_east: Any, of: Any, near: Any = None) -> Any:
    """A :class:`State` as one array (10, M), from predictions (S, M), of which nothing is kept.

    Args:
        observed: of M problems.
        distance_km: (S, M) predicted.
        by_north: (S, M) its derivative; those by north and east are a unit vector.
        by_east: the same.
        of: ``numpy`` or ``torch``.
        near: (M,) scale near the estimated one, where it is known.
    """
    nu = student.DEGREES_OF_FREEDOM
    residual, stretch = residuals(observed, distance_km, of)
    slope = slopes(observed, distance_km, stretch)
    if observed.is_known:
        scale = of.ones_like(residual[0])
        ratio = residual * residual
        ratio *= 1 / nu
    else:
        scale = fixed_or_fitted_scale(residual, observed.dof, of, near)
        ratio = residual * (1 / scale)
        ratio *= ratio
        ratio *= 1 / nu
    cost = (nu + 1) / 2 * of.log1p(ratio).sum(0)
    if not observed.is_known:
        cost += at_least(observed.dof, 0) * of.log(scale)
    ratio += 1
    share = ratio**-1.0
    weight = share * slope
    weight *= (nu + 1) / nu
    if not observed.is_known:
        weight *= 1 / (scale * scale)
    residual *= weight
    down_north, down_east = (residual * by_north).sum(0), (residual * by_east).sum(0)
    weight *= slope
    information = _squares(weight, by_north, by_east)
    bend = information
    # Where the scale follows the residuals, the reweighted information is the better model: it is that of an EM step.
    if observed.is_known:
        share *= 2
        share -= 1
        share *= weight
        second = _squares(share, by_north, by_east)
        convex = (_determinant(second) > MIN_CONVEXITY * _determinant(information)) & (second[0] > 0)
        bend = tuple(of.where(convex, a, b) for a, b in zip(second, information, strict=True))
    return stacked([cost, scale, down_north, down_east, *information, *bend])


def fixed_or_fitted_scale(residual: Any, dof: Any, of: Any, near: Any = None) -> Any:
    """Scale (M,) of residuals (S, M).

    Two distances leave no residual to estimate it from; a scale that is large against all of them makes the loss that
    of least squares, which is right for them.
    """
    fitted = student.fitted_scale(residual, at_least(dof, 1), near, 0)
    return of.where(dof > 0, fitted, 10 * EARTH_RADIUS_KM)


def _squares(weight: Any, north: Any, east: Any) -> tuple[Any, Any, Any]:
    # North and east are a unit vector, so that the third sum is what remains of the weights.
    weighted = weight * north
    north_east = (weighted * east).sum(0)
    weighted *= north
    north_north = weighted.sum(0)
    return north_north, north_east, weight.sum(0) - north_north


def _determinant(squares: tuple[Any, Any, Any]) -> Any:
    return squares[0] * squares[2] - squares[1] * squares[1]


def newton_step_km(state: State, damping: Any, of: Any) -> tuple[Any, Any]:
    """Damped Newton steps (M,) north and east, at most ``LONGEST_STEP_KM`` long."""
    a, b, d = state.bend_north_north, state.bend_north_east, state.bend_east_east
    # In units of the mean curvature, so that the damping has none and suits kilometres of any size.
    ridge = damping * (a + d) / 2
    a, d = a + ridge, d + ridge
    inverse = 1 / at_least(a * d - b * b, LEAST)
    north = (d * state.down_north - b * state.down_east) * inverse
    east = (a * state.down_east - b * state.down_north) * inverse
    short = LONGEST_STEP_KM / at_least(of.hypot(north, east), LONGEST_STEP_KM)
    return north * short, east * short


def descent(
    plane: Plane, observed: Distances, place: Any, of: Any, converged_km: Any, max_iterations: int
) -> tuple[Any, Any, Any]:
    """Places (2, M) of the minima that places (2, M) in planes lead to, with costs and scales (M,).

    A step that does not lower the cost is refused and repeated shorter (Marquardt 1963, J. SIAM 11, 431-441). They end
    with a step shorter than ``converged_km``, a number or (M,), or after so many.
    """

    def model(there: Any, near: Any = None) -> Any:
        return local_model(observed, *predicted(plane, there[0], there[1], of), of, near)

    state = model(place)
    reached, ended, rows = place, state, None
    damping, enough_km2 = of.full_like(state[0], FIRST_DAMPING), of.zeros_like(state[0]) + converged_km**2
    for _ in range(max_iterations):
        north, east = newton_step_km(State(*state), damping, of)
        # A kilometre on the ground is longer in the plane, the farther from the centre.
        stretch = (1 + place[0] * place[0] + place[1] * place[1]) / (2 * EARTH_RADIUS_KM)
        trial = stacked([place[0] + north * stretch, place[1] + east * stretch])
        there = model(trial, state[1])
        # Equal costs too: near the minimum rounding hides the gain, and a refused step would only raise the damping.
        # Beside a known scale the cost has no logarithm of one, and may be as small as it likes.
        better = there[0] <= state[0] + ROUNDING * (abs(state[0]) + (observed.dof > 0))
        worse = of.where(~better)[0]
        if len(worse):
            there[:, worse], trial[:, worse] = state[:, worse], place[:, worse]
        state, place = there, trial
        # A step that damping has made short says nothing about convergence.
        short = (north * north + east * east < enough_km2) & (damping < FREE_DAMPING)
        damping = damping * of.where(better, of.full_like(damping, 0.1), of.full_like(damping, 10.0))
        going = ~short & (damping < MOST_DAMPING)
        left = int(going.sum())
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
            enough_km2 = enough_km2[some]
    if rows is None:
        reached, ended = place, state
    else:
        reached[:, rows], ended[:, rows] = place, state
    return reached, ended[0], ended[1]
