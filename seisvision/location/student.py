"""The robust loss: residuals with Student-t errors of four degrees of freedom.

Four degrees of freedom cost 8 % (known scale) or 12 % (estimated scale) of variance where errors are normal, and give a
station that is wrong by many times the scale a weight that falls with the square of its error, so that it no longer
pulls (Huber's loss would keep it pulling as hard as a station at its bend). Lange, Little and Taylor (1989),
J. Am. Stat. Assoc. 84, 881-896.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from seisvision.location.arrays import at_least, summed

DEGREES_OF_FREEDOM = 4.0
NORMAL_SCALE = 0.8310
"""Scale of the loss fitted to normal errors of standard deviation 1."""
NORMAL_WEIGHT = 1.0534
"""Mean weight of normal errors where the scale is their standard deviation; with the fitted scale it is 1."""
VARIANCE_KNOWN = 1.0801
"""Asymptotic variance of the estimate over that of least squares, normal errors with known standard deviation."""
TEMPER_KNOWN = 1.1775
"""E psi' / E psi^2 of the loss, normal errors with known standard deviation; with fitted scale 1 / VARIANCE_FITTED."""
VARIANCE_FITTED = 1.1202
"""The same with fitted scale (Huber 1964, Ann. Math. Stat. 35, 73-101: E psi^2 / (E psi')^2)."""
SMALLEST_SCALE = 1e-2
"""Floor of the estimated scale (km), so that residuals of exact data can be divided by it."""
SCALE_ITERATIONS = 8


def weight(residual: Tensor, scale: Tensor) -> Tensor:
    """Weights (M, O) of residuals (M, O) at scales (M,)."""
    nu = DEGREES_OF_FREEDOM
    return (nu + 1) / (nu + (residual / scale[:, None]).square())


def curvature(residual: Tensor, scale: Tensor) -> Tensor:
    """Second derivatives (M, O) of the cost by residuals (M, O), times the squared scale; negative for wild ones."""
    nu = DEGREES_OF_FREEDOM
    squared = (residual / scale[:, None]).square()
    return (nu + 1) * (nu - squared) / (nu + squared).square()


def cost(residual: Tensor, scale: Tensor, dof: Tensor) -> Tensor:
    """Negative log likelihood (M,), without constants; ``dof`` (M,) is zero where the scale is known."""
    nu = DEGREES_OF_FREEDOM
    terms = torch.log1p((residual / scale[:, None]).square() / nu).sum(1)
    return (nu + 1) / 2 * terms + dof * scale.log()


def summed_cost(residual: Any, scale: Any, of: Any) -> Any:
    """The same (M, K) of residuals (M, O, K), which are overwritten, at known scales that are broadcast to (M, K).

    ``of`` is ``numpy`` or ``torch``, whichever the residuals belong to.
    """
    residual *= DEGREES_OF_FREEDOM**-0.5 / scale[:, None]
    residual *= residual
    residual += 1
    # The logarithm of a product of two costs half of those of both.
    half = residual.shape[1] // 2
    product = residual[:, :half] * residual[:, half : 2 * half]
    if residual.shape[1] % 2:
        product = of.concatenate([product, residual[:, -1:]], 1)
    of.log(product, out=product)
    return (DEGREES_OF_FREEDOM + 1) / 2 * product.sum(1)


def fitted_scale(residual: Any, dof: Any, near: Any = None, axis: int = 1) -> Any:
    """Scale (M,) that minimises `cost` for residuals (M, O); zeros of unused observations do not count.

    Solves sum(weight * residual^2) = dof * scale^2. As the reciprocal of sum(r^2 / (nu v + r^2)) is concave in the
    squared scale v, Newton's method converges on it from every start.

    Args:
        residual: (M, O), a tensor or an array of numpy.
        dof: (M,) observations minus two, at least 1.
        near: (M,) scale from which half of the steps do; None where nothing is known of it.
        axis: that of the observations; residuals are (O, M) if it is 0.
    """
    nu = DEGREES_OF_FREEDOM
    floor = SMALLEST_SCALE**2
    squared = residual * residual
    aim = (nu + 1) / dof
    v = at_least(summed(squared, axis) / dof / (nu + 1) if near is None else near * near, floor)
    for _ in range(SCALE_ITERATIONS if near is None else SCALE_ITERATIONS // 2):
        inverse = nu * (v if axis == 0 else v[:, None]) + squared
        inverse **= -1.0
        each = squared * inverse
        share = at_least(summed(each, axis), 1e-30)
        each *= inverse
        slope = at_least(nu * summed(each, axis), 1e-30)
        # d(1/share)/dv = slope / share^2
        v = at_least(v + (aim - 1 / share) * share * share / slope, floor)
    return v**0.5
