"""Where a recording changes, by the Akaike criterion of two variances (Maeda 1985, Zisin 38, 365-379)."""

from __future__ import annotations

import numpy as np


def samples_before_change(
    samples: np.ndarray, least_share: float, margin: tuple[int, int] = (3, 3), lost: int = 1
) -> int:
    """How many of the samples (T,) lie before the change that explains them best.

    Args:
        samples: a piece of a recording about an arrival, longer than both margins together less one.
        least_share: variance, as a share of the mean square of the piece, that counts as silence. Without it, what
            filters put ahead of strong arrivals would be told from true silence, and taken for the arrival.
        margin: samples there are at least before and behind the change: a variance needs some.
        lost: degrees of freedom that the piece behind is counted short: one as Maeda has it.
    """
    n = len(samples)
    total, square = np.cumsum(samples), np.cumsum(samples**2)
    k = np.arange(margin[0], n - margin[1] + 1)
    before = square[k - 1] / k - (total[k - 1] / k) ** 2
    behind = (square[-1] - square[k - 1]) / (n - k) - ((total[-1] - total[k - 1]) / (n - k)) ** 2
    floor = max(least_share * float(square[-1]) / n, 1e-300)
    criterion = k * np.log(np.maximum(before, floor)) + (n - k - lost) * np.log(np.maximum(behind, floor))
    return int(k[np.argmin(criterion)])
