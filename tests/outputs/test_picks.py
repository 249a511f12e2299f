"""Picks: labels, losses of what is known, maxima of curves, matching, measures, tables and rules."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from seisvision import keys
from seisvision.base.sample_ids import SampleIds, noise_id
from seisvision.errors import ConfigurationError, DataError
from seisvision.models.waveforms.resnet1d import ResNet1d
from seisvision.models.waveforms.unet1d import UNet1d
from seisvision.outputs.averaging import average_predictions
from seisvision.outputs.picks.curves import ABSENT_S, label_curves, peaks
from seisvision.outputs.picks.matching import match
from seisvision.outputs.picks.output import PickOutput
from seisvision.outputs.picks.predictions import PickPredictions
from seisvision.picking.by_rule import RULES, picks_by_rule
from seisvision.records.prediction_table import read_predictions, write_predictions
from seisvision.views.waveforms.waveform import WaveformView

RATE_HZ, T = 100.0, 1000
NAN = math.nan


def output(**settings: object) -> PickOutput:
    made = PickOutput("picks", **settings)  # type: ignore[arg-type]
    made.build_for(UNet1d(3, T), WaveformView(T))
    made.meet(RATE_HZ)
    return made


def batch(arrivals_s: list[list[float]], ids: list[str] | None = None, more: torch.Tensor | None = None) -> dict:
    n = len(arrivals_s)
    found = {
        keys.ARRIVALS_S: torch.tensor(arrivals_s)[:, None],
        keys.SAMPLING_RATE_HZ: RATE_HZ,
        keys.TRACE_ID: ids or [str(number) for number in range(n)],
    }
    return found if more is None else found | {keys.MORE_ARRIVALS_S: more}


def test_arrivals_too_many_are_not_learnt_as_noise() -> None:
    said = output(max_events=2)
    more = torch.tensor([[[[4.0, NAN], [7.0, NAN]]]])
    crowded = batch([[1.0, 2.0]], more=more)
    assert said.train().truth(crowded)[0].isnan().tolist() == [True, True, False, True]
    assert said.eval().truth(crowded)[0, :2].tolist() == [1.0, 4.0]


@pytest.mark.parametrize("shape", ["gaussian", "triangle", "box"])
def test_labels_peak_at_the_arrival_and_have_the_standard_deviation_asked_for(shape: str) -> None:
    curve = label_curves(torch.tensor([[[5.0, NAN]]]), T, RATE_HZ, 0.2, shape)[0, 0].double()
    time_s = torch.arange(T) / RATE_HZ
    mean = (curve * time_s).sum() / curve.sum()
    deviation = ((curve * (time_s - mean) ** 2).sum() / curve.sum()).sqrt()
    assert curve.max() == 1
    assert mean == pytest.approx(5.0, abs=0.01)
    assert deviation == pytest.approx(0.2, abs=0.01)


def test_an_arrival_just_outside_shows_its_flank() -> None:
    said = output(sigma_s=0.1)
    target = said.truth(batch([[-0.1, 10.05], [-5.0, 20.0]]))
    curves = label_curves(said.by_phase(target), T, RATE_HZ, 0.1)
    assert curves[0, 0, 0] == pytest.approx(math.exp(-0.5), abs=1e-4)
    assert curves[0, 1, -1] > 0.8
    assert curves[1].max() == 0


def test_maxima_are_found_between_samples_and_neighbours_that_are_too_near_do_not_count() -> None:
    arrivals = torch.tensor([[[2.004, 6.0]]])
    curve = label_curves(arrivals, T, RATE_HZ, 0.1) * torch.tensor([0.9])
    curve = torch.maximum(curve, 0.5 * label_curves(torch.tensor([[[2.3, NAN]]]), T, RATE_HZ, 0.05))
    place, height = peaks(curve, 4, 50, 0.05)
    assert sorted(place[0, 0, :2].tolist()) == pytest.approx([200.4, 600.0], abs=0.05)
    assert height[0, 0, :2].tolist() == pytest.approx([0.9, 0.9], abs=0.01)
    assert place[0, 0, 2:].isnan().all()


def test_a_flat_curve_has_one_pick_that_counts_for_nothing() -> None:
    place, height = peaks(torch.zeros(1, 1, T), 3, 50, 0.05)
    assert place.isfinite().sum() == 1
    assert height[0, 0, 0] == 0


@pytest.mark.parametrize("loss", ["cross_entropy", "bce", "focal"])
def test_a_trace_on_which_only_p_is_labelled_teaches_nothing_about_s(loss: str) -> None:
    said = output(loss=loss)
    raw = torch.randn(2, len(said.curve_names), T, requires_grad=True)
    both, p_only = said.truth(batch([[3.0, 5.0]] * 2)), said.truth(batch([[3.0, NAN]] * 2))
    (gradient,) = torch.autograd.grad(said.loss(raw, p_only), raw)
    (full,) = torch.autograd.grad(said.loss(raw, both), raw)
    wrong_s = gradient[:, 1]
    if loss == "cross_entropy":
        # S and noise are one: what moves between them changes nothing, and P is still learnt against both.
        moved = raw.detach().clone()
        moved[:, 1:] = moved[:, [2, 1]]
        assert said.loss(moved, p_only) == pytest.approx(float(said.loss(raw.detach(), p_only)), rel=1e-5)
        assert (gradient[:, 0, 300] < 0).all()
    else:
        assert (wrong_s == 0).all()
    assert (full[:, 1, 500] < 0).all()


def test_unlabelled_traces_do_not_count_and_windows_of_noise_teach_that_there_is_nothing() -> None:
    said = output()
    target = said.truth(batch([[NAN, NAN], [NAN, NAN]], ["7", noise_id(7)]))
    assert target[0].isnan().all()
    assert target[1, 0] == target[1, 2] == ABSENT_S
    assert said.known_weight(target) == 1
    raw = torch.zeros(2, 3, T)
    quiet = raw.clone()
    quiet[:, 2] = 5
    assert said.loss(quiet, target) < said.loss(raw, target)
    assert said.loss(raw, target[:1].repeat(2, 1)) == 0
    assert (output(unlabelled="noise").truth(batch([[NAN, NAN]]))[0, [0, 2]] == ABSENT_S).all()


def test_further_events_of_a_window_are_true_as_well() -> None:
    more = torch.tensor([[[[6.0, 8.0], [30.0, 31.0]]]])
    target = output().truth(batch([[2.0, 3.0]], more=more))
    assert target[0].tolist() == [2.0, 6.0, 3.0, 8.0]


def test_decoding_gives_times_probabilities_and_no_curve() -> None:
    said = output(loss="bce", detection=True, max_picks=3)
    raw = torch.full((2, 3, T), -9.0)
    raw[0, 0, 250], raw[0, 1, 400], raw[0, 1, 700], raw[0, 2, 260:500] = 3, 1, 2, 4
    decoded = said.decode(raw)
    assert decoded.shape == (2, 2 * 2 * 3 + 1)
    assert decoded[0, 0] == pytest.approx(2.5, abs=0.006)
    assert decoded[0, 6:8].tolist() == pytest.approx([7.0, 4.0], abs=0.006)
    assert decoded[0, -1] == pytest.approx(torch.tensor(4.0).sigmoid())
    assert decoded[1, 3] < 0.01


def test_probabilities_of_phases_and_noise_add_to_one() -> None:
    assert torch.allclose(output().probabilities(torch.randn(2, 3, T)).sum(1), torch.ones(2, T))


def test_other_rates_networks_without_maps_and_odd_settings_are_refused() -> None:
    with pytest.raises(DataError, match="sampling_rate_hz=100"):
        output().meet(50.0)
    with pytest.raises(ConfigurationError, match="model=unet1d"):
        PickOutput("picks").build_for(ResNet1d(3, T), WaveformView(T))
    for wrong in ({"phases": ["Q"]}, {"label": "spike"}, {"sigma_s": 0}, {"loss": "mse"}, {"threshold": 1.0}):
        with pytest.raises(ConfigurationError, match=next(iter(wrong))):
            PickOutput("picks", **wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="detection"):
        PickOutput("picks", phases=["P"], detection=True)


def test_pairs_are_nearest_first_and_one_to_one() -> None:
    true_s = np.array([[2.0, 2.3], [5.0, NAN], [ABSENT_S, NAN], [NAN, NAN], [-0.05, NAN]])
    picked_s = np.array([[2.25, 2.0], [5.4, NAN], [1.0, NAN], [1.0, 2.0], [0.0, NAN]])
    found = match(true_s, picked_s, 10.0, 0.3)
    assert found.n_true.tolist() == [2, 1, 0, 0, 0]
    assert found.n_hit.tolist() == [2, 0, 0, 0, 0]
    # Nothing is known of the fourth window, and the pick of the fifth is of an arrival just outside.
    assert found.n_picked.tolist() == [2, 1, 1, 0, 0]
    assert found.residual_s[0].tolist() == pytest.approx([0.0, -0.05])


def predictions(n: int = 40, late_s: float = 0.0, seed: int = 0) -> PickPredictions:
    """Windows with P and S, of which the last quarter are noise; picks late by ``late_s``."""
    said, rng = output(), np.random.default_rng(seed)
    p = rng.uniform(1, 5, n)
    target = np.stack([p, np.full(n, NAN), p + 2, np.full(n, NAN)], 1)
    decoded = np.full((n, 16), NAN)
    decoded[:, 0], decoded[:, 8] = p + late_s, p + 2 + late_s
    decoded[:, 4], decoded[:, 12] = rng.uniform(0.6, 1, (2, n))
    noise = np.arange(n) >= 3 * n // 4
    target[noise] = [ABSENT_S, NAN, ABSENT_S, NAN]
    decoded[noise, 4] = decoded[noise, 12] = 0.1
    ids = SampleIds("trace", [str(i) for i in range(n)], [f"event{i // 2}" for i in range(n)])
    return PickPredictions.from_decoded(said.describe(), ids, target, decoded)


def test_perfect_picks_have_perfect_measures() -> None:
    measures = predictions().measures()
    for name in ("f1_0.1s", "P_precision_0.1s", "S_recall_0.5s", "event_auc", "phase_mcc"):
        assert measures[name].value == pytest.approx(1.0)
    assert measures["S_residual_median_s"].value == pytest.approx(0.0, abs=1e-9)
    assert measures["P_called_S"].value == 0
    assert measures["f1_0.1s"].n == 40


def test_late_picks_are_found_by_wider_tolerances_only_and_their_bias_is_told() -> None:
    measures = predictions(late_s=0.15).measures()
    assert measures["P_recall_0.1s"].value == 0
    assert measures["P_recall_0.2s"].value == 1
    assert measures["P_residual_median_s"].value == pytest.approx(0.15)


def test_paired_difference_tells_the_better_picks() -> None:
    good, bad = predictions(), predictions(late_s=0.15)
    found = good.difference(bad)
    assert (found["of"], found["value"]) == ("f1_0.1s", pytest.approx(1.0))
    assert found["p_value"] < 0.001
    assert good.difference(good)["value"] == 0


def test_influence_of_f1_is_what_leaving_an_event_out_changes() -> None:
    said = predictions()
    decoded = said.decoded.copy()
    decoded[::3, 0] += 1.0
    said = PickPredictions(said.about, said.ids, said.target, decoded)
    found = said.influence("P_f1_0.1s")
    names = np.asarray(said.source_ids)
    for number, name in enumerate(found.events[:5]):
        left = said.take(np.flatnonzero(names != name)).measures()["P_f1_0.1s"].value
        assert found.value - left == pytest.approx(found.by_event[number], abs=0.006)


def test_a_table_gives_the_same_predictions_back(tmp_path: Path) -> None:
    said = predictions()
    write_predictions(tmp_path / "predictions.csv", {"picks": said}, rows(len(said.ids)))
    again = read_predictions(tmp_path / "predictions.csv", said.about)
    assert np.allclose(again.target, said.target, rtol=1e-5, equal_nan=True)
    assert np.allclose(again.decoded, said.decoded, rtol=1e-5, equal_nan=True)
    header = (tmp_path / "predictions.csv").read_text().splitlines()[0]
    assert "picks_P_s_1" in header
    assert "picks_P_s_2" not in header


def rows(n: int) -> pd.DataFrame:

    return pd.DataFrame({"source_id": [f"event{i // 2}" for i in range(n)], "station_code": "A"})


def test_networks_that_agree_are_surer_than_one_alone() -> None:
    one, other = predictions(), predictions(late_s=0.04)
    both = average_predictions([one, other])
    assert both.picked_s[0, 0, 0] == pytest.approx(one.picked_s[0, 0, 0] + 0.02, abs=1e-6)
    assert both.probability[0, 0, 0] == pytest.approx(one.probability[0, 0, 0])
    far = average_predictions([one, predictions(late_s=3.0)])
    assert far.probability[0, 0, 0] == pytest.approx(one.probability[0, 0, 0] / 2)
    alone = average_predictions([one])
    assert np.allclose(alone.decoded, one.decoded, equal_nan=True)


def test_rules_find_a_clear_arrival_and_say_nothing_of_a_dead_trace() -> None:
    rng = np.random.default_rng(1)
    lines = rng.normal(size=(2, 3, 3000)) * 0.05
    wave = np.exp(-np.arange(1500) / 200) * np.sin(2 * np.pi * 6 * np.arange(1500) / RATE_HZ)
    lines[:, 0, 1000:2500] += wave
    lines[:, 1:, 1300:2800] += 3 * wave
    lines[1] = 0
    found = picks_by_rule(lines[:, 0], lines[:, 1:], RATE_HZ)
    assert list(found) == list(RULES)
    for name, (times_s, clarity) in found.items():
        assert times_s[0] == pytest.approx([10.0, 13.0], abs=0.15), name
        assert (clarity[0] > 1).all()
        assert np.isnan(times_s[1]).all()
    assert found["akaike"][0][0, 0] == pytest.approx(10.0, abs=0.03)


@pytest.mark.parametrize("loss", ["cross_entropy", "focal"])
def test_losses_of_several_processes_make_that_of_one(loss: str) -> None:
    said = output(loss=loss, detection=True)
    raw = torch.randn(4, len(said.curve_names), T)
    target = said.truth(batch([[3.0, 5.0], [3.0, NAN], [NAN, NAN], [NAN, 4.0]]))
    shares = [(raw[rank::2], target[rank::2]) for rank in range(2)]
    total = sum(said.loss(some, truth) * said.known_weight(truth) for some, truth in shares)
    assert float(total / said.known_weight(target)) == pytest.approx(float(said.loss(raw, target)), rel=1e-5)
