"""Bins: which one a value is in, what their probabilities say of it, and that the intervals hold what they promise."""

import logging

import numpy as np
import pytest
import torch

from seisvision.base.sample_ids import SampleIds
from seisvision.errors import ConfigurationError, DataError
from seisvision.outputs.averaging import average_predictions
from seisvision.outputs.bins.line import LineBins, regrouped
from seisvision.outputs.bins.output import BinnedOutput
from seisvision.outputs.bins.predictions import BinnedPredictions
from seisvision.outputs.bins.softmax import SoftmaxOverBins
from seisvision.outputs.circular_bins.circle import CircleBins
from seisvision.outputs.circular_bins.output import BinnedAngleOutput
from seisvision.outputs.circular_bins.predictions import BinnedAnglePredictions

NAN = torch.nan


def one_hot(*numbers: int, n_bins: int) -> torch.Tensor:
    return torch.eye(n_bins)[list(numbers)]


def learn(output: SoftmaxOverBins, features: torch.Tensor, target: torch.Tensor, steps: int = 120) -> torch.Tensor:
    torch.manual_seed(0)
    output.fit_statistics(target)
    network = torch.nn.Sequential(torch.nn.Linear(features.shape[1], 32), torch.nn.ReLU())
    output.build_head(32)
    optimizer = torch.optim.Adam([*network.parameters(), *output.parameters()], lr=0.1)
    slower = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        output.loss(output(network(features)), target).backward()
        optimizer.step()
        slower.step()
    return output.decode(output(network(features))).detach()


def test_an_edge_belongs_to_the_bin_above_and_values_outside_to_the_ends() -> None:
    bins = LineBins(torch.tensor([0.0, 1.0, 3.0, 10.0]))
    values = torch.tensor([-5.0, 0.0, 0.999, 1.0, 2.9, 3.0, 10.0, 11.0, 1e9])
    assert bins.number_of(values).tolist() == [0, 0, 0, 1, 1, 2, 2, 2, 2]


def test_values_outside_are_told_before_training(caplog: pytest.LogCaptureFixture) -> None:
    output = BinnedOutput("depth", "source_depth_km", "km", edges=[0.0, 10.0, 20.0])
    with caplog.at_level(logging.WARNING):
        output.fit_statistics(torch.tensor([5.0, 15.0, 20.0, NAN]))
        assert not caplog.records
        output.fit_statistics(torch.tensor([5.0, 25.0, -1.0, NAN]))
    assert "2 of 3 training values of 'source_depth_km' lie outside" in caplog.text


def test_probabilities_become_a_value_and_intervals() -> None:
    bins = LineBins(torch.tensor([0.0, 10.0, 20.0, 40.0]))
    decoded = bins.decode(torch.cat([one_hot(1, 2, n_bins=3), torch.tensor([[0.5, 0.0, 0.5], [0.2, 0.6, 0.2]])]))
    # All in one bin: evenly spread over it.
    assert decoded[0].tolist() == pytest.approx([15, 3.4, 11.6, 18.4, 10.25, 19.75], rel=1e-5)
    assert decoded[1].tolist() == pytest.approx([30, 6.8, 23.2, 36.8, 20.5, 39.5], rel=1e-5)
    # Half here and half there: the median is at the gap, the interval spans it.
    assert decoded[2, 2:4].tolist() == pytest.approx([3.2, 33.6], rel=1e-5)
    assert decoded[3].tolist() == pytest.approx([15, 8, 8, 24, 1.25, 37.5], rel=1e-5)
    assert (decoded[:, 1] > 0).all()
    some = torch.tensor([[0.2, 0.5, 0.3]])
    assert LineBins(bins.edges, "mean").decode(some)[0, 0] == pytest.approx(0.2 * 5 + 0.5 * 15 + 0.3 * 30)
    assert LineBins(bins.edges, "mode").decode(some)[0, 0] == 15


@pytest.mark.parametrize(
    ("settings", "edges"),
    [
        ({"n_bins": 4, "limits": [0.0, 8.0]}, [0, 2, 4, 6, 8]),
        ({"n_bins": 4, "limits": [0.0, 16.0], "rule": "square_root"}, [0, 1, 4, 9, 16]),
        ({"n_bins": 4, "limits": [0.0, 8.0], "rounded": True}, [0, 1, 3, 5, 8]),
        ({"n_bins": 4}, [1, 25.75, 50.5, 75.25, 100]),
        ({"n_bins": 4, "rule": "equal_counts"}, [1, 25.75, 50.5, 75.25, 100]),
        ({"n_bins": 2, "rule": "equal_counts", "limits": [0, 51]}, [1, 26, 51]),
        ({"edges": [0, 7, 9]}, [0, 7, 9]),
    ],
)
def test_edges_are_given_or_made_by_rule(settings: dict, edges: list[float]) -> None:
    output = BinnedOutput("offset", "x", "km", **settings)
    output.fit_statistics(torch.cat([torch.arange(1.0, 101.0), torch.tensor([NAN])]))
    assert output.describe()["edges"] == pytest.approx(edges)


def test_equal_counts_hold_as_many_each_and_travel_with_the_weights() -> None:
    target = torch.rand(999).square() * 500
    output = BinnedOutput("offset", "x", "km", n_bins=9, rule="equal_counts")
    output.fit_statistics(target)
    counts = torch.bincount(output.bins.number_of(target), minlength=9)
    assert counts.min() >= 110 and counts.max() <= 112
    other = BinnedOutput("offset", "x", "km", n_bins=9, rule="equal_counts")
    output.build_head(3), other.build_head(3)
    other.load_state_dict(output.state_dict())
    assert other.describe() == output.describe()


def test_bins_of_the_published_network() -> None:
    """ConvNetQuake_INGV: round(50 sqrt(d / 180)) cut at 49, and round(azimuth / 10) cut at 35, which is wrong."""
    distance = torch.rand(2000) * 180
    output = BinnedOutput("distance", "x", "deg", n_bins=50, limits=[0.0, 180.0], rule="square_root", rounded=True)
    expected = (50 * (distance / 180).sqrt()).round().clamp_max(49)
    assert (output.bins.number_of(distance) == expected).float().mean() > 0.999
    azimuth = torch.tensor([0.0, 4.9, 5.1, 354.9, 355.1, 359.99, 360.0, -3.0, 720.0])
    assert CircleBins(36).number_of(azimuth).tolist() == [0, 0, 1, 35, 0, 0, 0, 0, 0]
    assert CircleBins(36, legacy=True).number_of(azimuth).tolist() == [0, 0, 1, 35, 35, 35, 0, 35, 0]
    assert BinnedAngleOutput("a", "x").describe()["legacy"] is False
    raw, almost_north = one_hot(0, n_bins=36) * 20, torch.tensor([357.0])
    assert BinnedAngleOutput("a", "x", legacy=True).loss(raw, almost_north) > 10
    assert BinnedAngleOutput("a", "x").loss(raw, almost_north) < 0.1


@pytest.mark.parametrize(("period_deg", "n_bins"), [(360.0, 36), (360.0, 8), (180.0, 18)])
@pytest.mark.parametrize("centred", [True, False])
def test_sectors_are_decoded_on_the_circle(period_deg: float, n_bins: int, centred: bool) -> None:
    bins = CircleBins(n_bins, period_deg, centred)
    assert bins.number_of(bins.centres).tolist() == list(range(n_bins))
    decoded = bins.decode(torch.eye(n_bins, dtype=torch.float64))
    difference = (decoded[:, 0] - bins.centres + period_deg / 2) % period_deg - period_deg / 2
    assert difference.abs().max() < 1e-4
    # A sector is as wide as a uniform distribution of its width.
    assert decoded[:, 1].numpy() == pytest.approx(bins.width_deg / np.sqrt(12), rel=0.02 if n_bins > 8 else 0.1)
    last_and_first = torch.zeros(1, n_bins, dtype=torch.float64)
    last_and_first[0, [0, -1]] = 0.5
    seam = 0.0 if not centred else -bins.width_deg / 2
    angle = bins.decode(last_and_first)[0, 0]
    assert abs((angle - seam + period_deg / 2) % period_deg - period_deg / 2) < 1e-4
    assert 0 <= angle < period_deg


def test_unknown_samples_do_not_count_and_weights_do() -> None:
    output = BinnedOutput("depth", "x", "km", edges=[0, 10, 20, 30], class_weights=[1.0, 3.0, 0.5], label_smoothing=0.1)
    output.build_head(2)
    raw, target = output(torch.randn(4, 2)), torch.tensor([5.0, NAN, 15.0, NAN])
    loss = output.loss(raw, target)
    torch.testing.assert_close(loss, output.loss(raw[[0, 2]], target[[0, 2]]))
    assert output.known_weight(target) == 4.0
    logs = raw.log_softmax(1)
    each = [-(0.9 * logs[row, number] + 0.1 * logs[row].mean()) for row, number in ((0, 0), (2, 1))]
    torch.testing.assert_close(loss, (each[0] + 3 * each[1]) / 4)
    nothing = output.loss(raw, torch.full((4,), NAN))
    nothing.backward()
    assert nothing == 0 and all((parameter.grad == 0).all() for parameter in output.parameters())
    assert output.running_metrics(output.decode(raw), torch.full((4,), NAN)) == {}


def test_automatic_weights_are_inverse_frequencies_of_the_bins_that_occur() -> None:
    output = BinnedOutput("depth", "x", "km", edges=[0, 10, 20, 30], class_weights="auto")
    output.fit_statistics(torch.tensor([1.0, 2.0, 3.0, 15.0, NAN]))
    assert output.class_weights.tolist() == pytest.approx([0.5, 1.5, 1.0])


def test_soft_bins_forgive_neighbours_also_round_the_circle() -> None:
    output = BinnedAngleOutput("azimuth", "x", n_bins=8, soften_bins=1.0)
    wanted = output.wanted(torch.tensor([0]))[0]
    assert wanted.sum() == pytest.approx(1) and wanted.argmax() == 0
    assert wanted[1] == pytest.approx(float(wanted[7])) and wanted[1] > wanted[2] > wanted[4]
    line = BinnedOutput("depth", "x", "km", n_bins=8, limits=[0, 8], soften_bins=1.0).wanted(torch.tensor([0]))[0]
    assert line[1] > line[7] * 1e6


def test_intervals_hold_what_they_say_on_noise_that_grows() -> None:
    generator = torch.Generator().manual_seed(3)
    features = torch.rand(6000, 1, generator=generator) * 2 - 1
    noise = torch.randn(6000, generator=generator) * (4 + 3 * features[:, 0])
    target = 50 + 20 * features[:, 0] + noise
    decoded = learn(BinnedOutput("x", "x", "km", n_bins=40, rule="equal_counts"), features, target)
    for column, level in ((2, 0.68), (4, 0.95)):
        inside = (target >= decoded[:, column]) & (target <= decoded[:, column + 1])
        for half in (features[:, 0] < 0, features[:, 0] >= 0):
            assert abs(inside[half].float().mean() - level) < 0.05
    assert decoded[features[:, 0] > 0.5, 1].mean() > 1.8 * decoded[features[:, 0] < -0.5, 1].mean()
    assert (decoded[:, 0] - target).abs().median() < 1.15 * (noise.abs().median())


def test_angles_are_learnt_across_the_seam_with_a_spread() -> None:
    generator = torch.Generator().manual_seed(3)
    angle = torch.rand(4000, generator=generator) * 360
    phase = torch.deg2rad(angle)
    target = (angle + 20 * torch.randn(4000, generator=generator)) % 360
    decoded = learn(BinnedAngleOutput("a", "x"), torch.stack([phase.cos(), phase.sin()], 1), target)
    error = (decoded[:, 0] - angle + 180) % 360 - 180
    assert error.abs().median() < 5 and decoded[:, 1].median() == pytest.approx(20, rel=0.2)
    size = ((decoded[:, 0] - target + 180) % 360 - 180).abs()
    assert (size <= decoded[:, 1]).float().mean() == pytest.approx(0.68, abs=0.04)


def ids(n: int) -> SampleIds:
    return SampleIds.of_events([f"e{i}" for i in range(n)])


def test_they_are_measured_like_numbers_and_by_bins() -> None:
    output = BinnedOutput("depth", "x", "km", edges=[0, 10, 20, 30], tolerance_relative=0.0, tolerance_absolute=5.0)
    probability = one_hot(0, 0, 2, n_bins=3).double() * 0.98 + 0.02 / 3
    decoded = torch.cat([output.bins.decode(probability), probability], dim=1).numpy()
    said = BinnedPredictions.from_decoded(output.describe(), ids(3), np.array([4.0, 12, 8]), decoded)
    measures = said.measures(train_target=np.array([1.0, 2.0, 3.0]))
    assert measures["exact_bin"].value == pytest.approx(1 / 3)
    assert measures["within_1_bin"].value == pytest.approx(2 / 3)
    assert measures["acc_tol_rel0.00_abs5km"].value == pytest.approx(1 / 3)
    assert {"coverage_68", "baseline_mae_km"} <= measures.keys()
    assert said.number_columns(said.about)[-1] == "bin_2" and said.columns()["bin_2"][2] > 0.9
    # A baseline that says a value alone has no probabilities, and is measured all the same.
    alone = np.full((3, 9), np.nan)
    alone[:, 0] = [5, 15, 25]
    other = BinnedPredictions.from_decoded(said.about, said.ids, said.target, alone)
    assert other.measures()["exact_bin"].value == pytest.approx(2 / 3) and "bin_0" not in other.columns()
    assert said.difference(other)["n"] == 3


def test_ensembles_average_probabilities_also_of_other_bins() -> None:
    first = BinnedOutput("depth", "x", "km", edges=[0, 10, 20])
    other = BinnedOutput("depth", "x", "km", edges=[0, 4, 10, 30])
    target = np.array([5.0, 6.0])

    def said(output: BinnedOutput, probability: list, names: int) -> BinnedPredictions:
        probability = torch.tensor(probability)
        decoded = torch.cat([output.bins.decode(probability), probability], dim=1).double().numpy()
        return BinnedPredictions.from_decoded(output.describe(), ids(names), target[:names], decoded)

    a, b = said(first, [[1.0, 0.0], [0.5, 0.5]], 2), said(first, [[0.0, 1.0]], 1)
    together = average_predictions([a, b])
    np.testing.assert_allclose(together.probability, 0.5)
    assert together.value[0] == pytest.approx(10) and together.decoded[0, 4] == pytest.approx(0.5)
    np.testing.assert_allclose(together.decoded[1], a.decoded[1], rtol=1e-6)
    c = said(other, [[0.2, 0.3, 0.5], [0.0, 1.0, 0.0]], 2)
    moved = c.in_terms_of(a.about)
    np.testing.assert_allclose(moved.probability, [[0.5, 0.5], [1.0, 0.0]], atol=1e-6)
    np.testing.assert_array_equal(moved.decoded[:, :6], c.decoded[:, :6])
    np.testing.assert_allclose(average_predictions([a, c]).probability[0], [0.75, 0.25], atol=1e-6)
    fine = regrouped(torch.tensor([[0.5, 0.5]]), torch.tensor([0.0, 10, 20]), torch.tensor([0.0, 5, 10, 15, 20]))
    np.testing.assert_allclose(fine, 0.25)


def test_angles_of_bins_are_averaged_on_the_circle() -> None:
    output = BinnedAngleOutput("azimuth", "x", n_bins=36)
    about = output.describe()
    members = []
    for number in (35, 1):
        probability = one_hot(number, n_bins=36)
        decoded = torch.cat([output.bins.decode(probability), probability], dim=1).double().numpy()
        members.append(BinnedAnglePredictions.from_decoded(about, ids(1), np.array([2.0]), decoded))
    together = average_predictions(members)
    assert min(together.value[0], 360 - together.value[0]) < 1e-3
    assert together.decoded[0, 1] == pytest.approx(10.4, abs=0.3)
    assert together.measures()["within_1_bin"].value in (0.0, 1.0)


@pytest.mark.parametrize(
    ("build", "problem"),
    [
        (lambda: BinnedOutput("o", "x", "km"), "has 0 bins"),
        (lambda: BinnedOutput("o", "x", "km", edges=[0, 2, 1]), "must rise"),
        (lambda: BinnedOutput("o", "x", "km", n_bins=5, rule="equal"), "rule='equal'"),
        (lambda: BinnedOutput("o", "x", "km", n_bins=5, limits=[3, 1]), "limits"),
        (lambda: BinnedOutput("o", "x", "km", n_bins=5, class_weights=[1.0]), "5 numbers"),
        (lambda: BinnedOutput("o", "x", "km", n_bins=5, label_smoothing=1.0), "label_smoothing"),
        (lambda: BinnedOutput("o", "x", "km", n_bins=5, value="middle"), "value='middle'"),
        (lambda: BinnedOutput("o", "x", "km", n_bins=5, tolerance_absolute=-1), "tolerances"),
        (lambda: BinnedAngleOutput("o", "x", period_deg=90), "period_deg"),
        (lambda: BinnedAngleOutput("o", "x", legacy=True, centred=False), "legacy"),
        (lambda: BinnedAngleOutput("o", "x", value="median"), "value='median'"),
    ],
)
def test_settings_that_are_not_allowed(build, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        build()


def test_values_too_alike_for_the_bins_are_refused() -> None:
    output = BinnedOutput("depth", "source_depth_km", "km", n_bins=5, rule="equal_counts")
    with pytest.raises(DataError, match=r"5 bins of 'source_depth_km' by rule=equal_counts"):
        output.fit_statistics(torch.tensor([10.0, 10.0, 10.0, 33.0]))
    with pytest.raises(DataError, match="no training sample has a value"):
        output.fit_statistics(torch.tensor([NAN]))


@pytest.mark.parametrize(
    "edges", [None, [1.0], [0.0, 2.0, 1.0], [0.0, 1.0, "2"], [0.0, 1.0, float("nan")], [0, 1, float("inf")]]
)
def test_descriptions_of_strangers_are_looked_at(edges: object) -> None:
    assert BinnedPredictions.problem_of({"edges": edges})
    assert not BinnedPredictions.problem_of({"edges": [0.0, 1.0, 2.0]})
    assert BinnedPredictions.problem_of({}) and BinnedAnglePredictions.problem_of({})
    assert BinnedAnglePredictions.problem_of({"n_bins": 10**9})
    assert not BinnedAnglePredictions.problem_of({"n_bins": 36})
