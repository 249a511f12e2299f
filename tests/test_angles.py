"""Wrapped differences of angles."""

import numpy as np
import pytest
import torch

from seisvision.angles import wrapped_difference_deg


@pytest.mark.parametrize(
    ("prediction", "target", "period_deg", "expected"),
    [(359, 1, 360, -2), (1, 359, 360, 2), (10, 190, 360, -180), (10, 190, 180, 0), (179, 1, 180, -2), (0, 360, 360, 0)],
)
def test_differences_wrap_round(prediction: float, target: float, period_deg: float, expected: float) -> None:
    assert wrapped_difference_deg(prediction, target, period_deg) == expected
    as_array = wrapped_difference_deg(np.array([prediction]), np.array([target]), period_deg)
    as_tensor = wrapped_difference_deg(torch.tensor([prediction]), torch.tensor([target]), period_deg)
    assert as_array[0] == as_tensor[0] == expected
