"""Averages of several networks against values worked out by hand and against sampled mixtures."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from seisvision.base.sample_ids import SampleIds
from seisvision.errors import DataError
from seisvision.outputs.averaging import average_predictions, count_votes
from seisvision.outputs.kinds import predictions_class
from seisvision.outputs.numbers.output import ScalarOutput

SOURCE = {"kind": "class", "name": "source", "class_names": ["earthquake", "glacial"]}
OFFSET = {"kind": "scalar", "name": "offset", "unit": "km", "tolerance_relative": 0.1, "tolerance_absolute": 10.0}
FORCE = {"kind": "angle", "name": "force", "period_deg": 360.0, "tolerance_deg": 15.0}


def said(about: dict[str, Any], ids: str, decoded: Any, target: Any = None) -> Any:
    decoded = np.asarray(decoded, float)
    unknown = np.full(len(ids), -1) if about["kind"] == "class" else np.full(len(ids), np.nan)
    target = unknown if target is None else np.asarray(target)
    return predictions_class(about["kind"]).from_decoded(about, SampleIds.of_events(list(ids)), target, decoded)


def scalar(transform: str, loss: str, centre: float, log_scale: float) -> Any:
    """What an output of one number decodes for one sample, its mean and deviation as in training."""
    output = ScalarOutput("offset", "path_ep_distance_km", "km", transform, loss)
    output.mean.fill_(0.0)
    about = {**OFFSET, "transform": transform, "loss": loss}
    return said(about, "a", output.decode(torch.tensor([[centre, log_scale]], dtype=torch.float64)).double().numpy())


def test_probabilities_are_averaged_over_those_who_vote() -> None:
    one = said(SOURCE, "abc", [[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]], [0, 1, 1])
    two = said(SOURCE, "bd", [[0.6, 0.4], [0.3, 0.7]], [1, 0])
    both = average_predictions([one, two])
    assert both.sample_ids == tuple("abcd") and both.target.tolist() == [0, 1, 1, 0]
    assert both.decoded == pytest.approx(np.array([[0.9, 0.1], [0.4, 0.6], [0.5, 0.5], [0.3, 0.7]]))
    assert count_votes([one, two]) == {"a": 1, "b": 2, "c": 1, "d": 1}


def test_numbers_are_averaged_on_the_scale_on_which_they_were_learnt() -> None:
    about = {**OFFSET, "loss": "huber"}
    rows = [[[value] + [math.nan] * 5] for value in (9.0, 99.0)]
    for transform, expected in (("none", 54.0), ("log1p", math.sqrt(1000) - 1), ("log", math.sqrt(891))):
        both = average_predictions([said({**about, "transform": transform}, "a", row) for row in rows])
        assert both.decoded[0, 0] == pytest.approx(expected)
        assert np.isnan(both.decoded[0, 1:]).all()


def test_one_member_and_many_equal_members_say_what_each_says() -> None:
    for transform, loss in (("none", "gaussian"), ("log1p", "laplace"), ("log", "gaussian")):
        one = scalar(transform, loss, 4.0, -1.2)
        assert average_predictions([one] * 3).decoded == pytest.approx(one.decoded, rel=1e-5)


def test_the_spread_holds_the_members_variances_and_their_disagreement() -> None:
    # Means 100 and 110, standard deviations 3 and 4: variance (9 + 16) / 2 + 25 = 37.5.
    members = [scalar("none", "gaussian", 100.0, math.log(3.0)), scalar("none", "gaussian", 110.0, math.log(4.0))]
    value, sigma, low68, high68, low95, high95 = average_predictions(members).decoded[0]
    assert value == pytest.approx(105.0)
    deviation = math.sqrt(37.5)
    assert high95 - 105 == pytest.approx(stats.norm.ppf(0.975) * deviation, rel=1e-4)
    assert sigma == pytest.approx(stats.norm.ppf(0.84) * deviation, rel=1e-4)
    assert (low68 + high68) / 2 == pytest.approx(105, rel=1e-4) == (low95 + high95) / 2


def test_laplace_members_have_the_variance_of_the_sampled_mixture() -> None:
    members = [scalar("log1p", "laplace", 5.0, -1.0), scalar("log1p", "laplace", 5.4, -1.5)]
    rng = np.random.default_rng(3)
    drawn = np.concatenate([rng.laplace(5.0, math.exp(-1.0), 400_000), rng.laplace(5.4, math.exp(-1.5), 400_000)])
    decoded = average_predictions(members).decoded[0]
    assert math.log1p(decoded[0]) == pytest.approx(drawn.mean(), rel=1e-3)
    half68 = (math.log1p(decoded[3]) - math.log1p(decoded[2])) / 2
    assert half68 / -math.log(0.32) * math.sqrt(2) == pytest.approx(drawn.std(), rel=1e-2)


def test_angles_are_averaged_on_the_circle() -> None:
    members = [
        said(FORCE, "ab", [[350, math.nan], [0, math.nan]]),
        said(FORCE, "ab", [[30, math.nan], [180, math.nan]]),
    ]
    decoded = average_predictions(members).decoded
    assert decoded[0, 0] == pytest.approx(10.0)
    assert np.isnan(decoded[1, 0]), "opposite directions have no mean"
    assert np.isnan(decoded[:, 1]).all()
    axial = [said({**FORCE, "period_deg": 180.0}, "a", [[angle, math.nan]]) for angle in (170, 20)]
    assert average_predictions(axial).decoded[0, 0] == pytest.approx(5.0)


def test_the_spread_of_angles_is_that_of_the_sampled_mixture() -> None:
    members = [said(FORCE, "a", [[350, 20.0]]), said(FORCE, "a", [[40, 35.0]])]
    rng = np.random.default_rng(4)
    # A wrapped normal has the circular standard deviation of the normal it is wrapped from.
    drawn = np.concatenate([rng.normal(350, 20, 400_000), rng.normal(40, 35, 400_000)])
    angle, sigma = average_predictions(members).decoded[0]
    assert math.remainder(angle - stats.circmean(drawn, 360), 360) == pytest.approx(0, abs=0.2)
    assert sigma == pytest.approx(stats.circstd(drawn, 360), rel=5e-3)


def test_a_refusal_is_no_vote() -> None:
    members = [said(FORCE, "ab", [[math.nan, math.nan], [math.nan, math.nan]]), said(FORCE, "a", [[30, 5.0]])]
    decoded = average_predictions(members).decoded
    assert decoded[0] == pytest.approx([30, 5.0]) and np.isnan(decoded[1]).all()


def test_members_that_know_other_truths_are_refused() -> None:
    one, two = (said(SOURCE, "ab", [[0.9, 0.1], [0.2, 0.8]], target) for target in ([0, 1], [0, 0]))
    with pytest.raises(DataError, match="different true values or events for sample 'b'"):
        average_predictions([one, two])
    with pytest.raises(DataError, match="at least one member"):
        average_predictions([])
