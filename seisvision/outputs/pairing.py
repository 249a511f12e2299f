"""Two networks' predictions of the same samples, side by side."""

from __future__ import annotations

from typing import Any

import numpy as np

from seisvision.errors import DataError


def paired_samples(one: Any, other: Any) -> tuple[Any, Any]:
    """Both predictions on the samples that have a target, in one order.

    Raises:
        DataError: the labelled samples or the true values differ.
    """
    if one.ids.unit != other.ids.unit:
        raise DataError(
            f"A paired comparison needs both models on the same samples, not one on {one.ids.kind.plural} and one "
            f"on {other.ids.kind.plural}. Compare models of one view's unit."
        )
    a, b = (said.take(np.flatnonzero(said.labelled)) for said in (one, other))
    if set(a.sample_ids) != set(b.sample_ids):
        apart = sorted(set(a.sample_ids) ^ set(b.sample_ids))
        raise DataError(
            f"A paired comparison needs both models on the same samples; {len(a.sample_ids)} and "
            f"{len(b.sample_ids)} were labelled, and {len(apart)} ids are in one only ({', '.join(apart[:3])}). "
            "Evaluate both on the same split."
        )
    b = b.select(a.sample_ids)
    if not np.allclose(a.target, b.target, rtol=1e-5, equal_nan=True):
        raise DataError("The two models were given different true values. Evaluate both with the same labels.")
    return a, b
