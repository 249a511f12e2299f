"""Places as numbers and as volumes: losses, decoding, errors in kilometres, and regions that hold what they say."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from seisvision.base.sample_ids import SampleIds
from seisvision.earth.geodesics import geodesic
from seisvision.earth.projection import Projection
from seisvision.errors import ConfigurationError, DataError
from seisvision.outputs.averaging import average_predictions
from seisvision.outputs.places.columns import COLUMNS
from seisvision.outputs.places.output import PlaceOutput
from seisvision.outputs.places.plane import local_km
from seisvision.outputs.places.predictions import PlacePredictions
from seisvision.outputs.volumes.output import VolumeOutput
from seisvision.records.prediction_table import read_predictions, write_predictions

ORIGIN = (35.0, 179.9)
PLANE = Projection(*ORIGIN)


def _ids(n: int) -> SampleIds:
    return SampleIds.of_events([f"e{number:05d}" for number in range(n)])


def _degrees(place_km: np.ndarray) -> np.ndarray:
    """Latitudes, longitudes and depths (N, 3) of local places, across the date line."""
    latitude, longitude = PLANE.to_degrees(place_km[:, 0], place_km[:, 1])
    return np.stack([latitude, longitude, place_km[:, 2]], 1)


def _trained(output: Any, place_km: np.ndarray) -> Any:
    output.count_from(*ORIGIN)
    output.fit_statistics(torch.from_numpy(_degrees(place_km)).float())
    return output


def _said(decoded: np.ndarray, truth_km: np.ndarray, output: Any = None) -> PlacePredictions:
    about = (output or _trained(PlaceOutput("place"), truth_km)).describe()
    return PlacePredictions.from_decoded(about, _ids(len(decoded)), _degrees(truth_km), decoded)


def _places(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.stack([rng.uniform(-30, 30, n), rng.uniform(-20, 20, n), rng.uniform(2, 15, n)], 1)


def test_local_places_are_those_of_the_plane_across_the_date_line() -> None:
    places = _places(50)
    found = local_km(torch.from_numpy(_degrees(places)), torch.tensor(ORIGIN, dtype=torch.float64))
    assert np.allclose(found, places, atol=1e-6)
    single = local_km(torch.from_numpy(_degrees(places)).float(), torch.tensor(ORIGIN, dtype=torch.float64))
    assert np.allclose(single, places, atol=2e-3)


def test_numbers_learn_place_spread_and_correlation() -> None:
    """A head on a constant feature finds the moments of the places."""
    rng = np.random.default_rng(1)
    covariance = np.array([[16.0, 9.0, 0], [9.0, 9.0, 0], [0, 0, 4.0]])
    places = rng.multivariate_normal([5.0, -3.0, 8.0], covariance, 4000)
    output = _trained(PlaceOutput("place"), places)
    torch.manual_seed(0)
    output.build_head(1)
    target = torch.from_numpy(_degrees(places)).float()
    target[::7, 2] = torch.nan
    optimizer = torch.optim.LBFGS(output.parameters(), max_iter=60)
    feature = torch.ones(len(target), 1)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = output.loss(output(feature), target)
        loss.backward()
        return loss

    optimizer.step(closure)
    east, north, depth, *sigma, correlation, confidence = output.decode(output(feature[:1]))[0].tolist()
    assert (east, north, depth) == pytest.approx((5, -3, 8), abs=0.3)
    assert sigma == pytest.approx([4, 3, 2], rel=0.08) and correlation == pytest.approx(0.75, abs=0.05)
    assert math.isnan(confidence)


def test_squared_errors_guide_places_and_leave_spreads_to_the_likelihood() -> None:
    """Where a network believes that it errs far, likelihood alone hardly moves its places."""
    places = _places(8)
    target = torch.from_numpy(_degrees(places)).float()
    gradients = []
    for loss in ("gaussian", "guided_gaussian"):
        raw = torch.cat([torch.zeros(8, 3), torch.full((8, 3), 2.0), torch.zeros(8, 1)], 1).requires_grad_()
        output = _trained(PlaceOutput("place", loss=loss), places)
        gradients.append(torch.autograd.grad(output.loss(raw, target), raw)[0])
    alone, guided = gradients
    assert torch.equal(alone[:, 3:], guided[:, 3:])
    assert guided[:, :3].norm() > 10 * alone[:, :3].norm()


def test_unknown_epicentres_teach_nothing_and_unknown_depths_no_depth() -> None:
    places = _places(6)
    target = torch.from_numpy(_degrees(places)).float()
    for output in (PlaceOutput("place"), PlaceOutput("place", loss="mse")):
        _trained(output, places).build_head(4)
        raw = torch.randn(6, output.head.out_features, requires_grad=True)
        some = target.clone()
        some[0, :2] = torch.nan
        some[1, 2] = torch.nan
        assert output.known_weight(some) == 5
        (gradient,) = torch.autograd.grad(output.loss(raw, some), raw)
        assert not gradient[0].any() and gradient[1, 2] == 0 and gradient[1, 0] != 0 and gradient.isfinite().all()
    with pytest.raises(DataError, match="epicentre"):
        PlaceOutput("place").fit_statistics(torch.full((3, 3), torch.nan))


@pytest.mark.parametrize("is_volume", [False, True])
def test_no_depth_is_said_where_no_training_event_had_one(is_volume: bool, caplog: Any, tmp_path: Any) -> None:
    """Neither 0 km nor the middle of a volume that was asked for; epicentres are as they were with depths."""
    places = _places(12)
    untaught = places.copy()
    untaught[:, 2] = np.nan
    extent = [[-40.0, 40.0], [-30.0, 30.0], [0.0, 20.0]]
    raw = torch.randn((12, 4, 6, 8) if is_volume else (12, 7), generator=torch.Generator().manual_seed(0))
    said = []
    for known in (places, untaught):
        output = VolumeOutput("place", n_depths=4, extent_km=extent) if is_volume else PlaceOutput("place")
        decoded = _trained(output, known).decode(raw)
        assert output.loss(raw, torch.from_numpy(_degrees(known)).float()).isfinite()
        if is_volume and np.isnan(known).any():
            # Events whose depth is known are as far from what was never taught as others.
            losses = [output.loss(raw, torch.from_numpy(_degrees(one)).float()) for one in (places, untaught)]
            assert losses[0] == losses[1]
        said.append(_said(decoded.numpy(), places, output))
    assert "no training event has a depth" in caplog.text
    taught, said_nothing = said
    assert np.isfinite(taught.decoded[:, :7]).all()
    assert (
        np.isnan(said_nothing.decoded[:, [2, 5]]).all() and np.isfinite(said_nothing.decoded[:, [0, 1, 3, 4, 6]]).all()
    )
    assert not [name for name in said_nothing.measures() if "depth" in name or "hypocentre" in name]
    assert said_nothing.columns()["depth_km"] == pytest.approx([math.nan] * 12, nan_ok=True)
    assert "sigma_depth_km" not in said_nothing.columns() and " km" not in said_nothing.answer_text(0)
    # Other runs may stand in the same table.
    assert said_nothing.table_columns == taught.table_columns
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        said_nothing.draw(tmp_path / "place")


class _Maps(nn.Module):
    num_features = 4

    def maps(self, picture: torch.Tensor) -> torch.Tensor:
        return picture


class _View:
    image_shape = (4, 20, 24)


@pytest.mark.parametrize("loss", ["bce", "cross_entropy"])
def test_a_volume_begins_as_empty_as_what_is_wanted(loss: str) -> None:
    """Else the first hundreds of steps teach that most cells are far from the source, and no place."""
    places = _places(200, 5)
    output = VolumeOutput("place", n_depths=12, sigma_km=(4.0, 5.0, 2.0), loss=loss)
    output.build_for(_Maps(), _View())
    _trained(output, places)
    target = torch.from_numpy(_degrees(places)).float()
    raw = output.head(torch.zeros(200, 4, 20, 24))
    wanted = output.wanted(raw, target).mean((0, 2, 3))
    assert torch.allclose(raw[0, :, 0, 0].sigmoid(), wanted, rtol=0.1)
    assert output.loss(raw, target) < output.loss(torch.zeros_like(raw), target)
    learnt = torch.randn(12)
    output.head.bias.data.copy_(learnt)
    _trained(output, places)
    assert torch.equal(output.head.bias, learnt)


@pytest.mark.parametrize("loss", ["bce", "cross_entropy"])
def test_a_volume_of_what_was_wanted_is_decoded_to_the_source(loss: str) -> None:
    places = _places(40, 2)
    settings: dict[str, Any] = {"n_depths": 12, "sigma_km": (4.0, 5.0, 2.0), "loss": loss}
    output = _trained(VolumeOutput("place", **settings), places)
    target = torch.from_numpy(_degrees(places)).float()
    raw = torch.zeros(40, 12, 20, 24)
    wanted = output.wanted(raw, target)
    logits = wanted.clamp(1e-6, 1 - 1e-6).logit() if loss == "bce" else wanted.clamp_min(1e-30).log()
    step = np.diff(output.extent_km.numpy())[:, 0] / (24, 20, 12)
    inner = np.all(np.abs(places - output.extent_km.numpy().mean(1)) < 0.3 * np.diff(output.extent_km.numpy())[:, 0], 1)
    for decoding, allowed in (("argmax", 0.51), ("centroid", 0.45), ("mean", 0.3)):
        output.decoding = decoding
        error = np.abs(output.decode(logits).numpy()[:, :3] - places) / step
        assert error[inner].max() < allowed, decoding
    # Nothing but the curve that was wanted is in the spread, so it is that of a cell.
    sigma = output.decode(logits).numpy()[:, 3:6]
    assert (sigma[inner] < 0.35 * np.array([4.0, 5.0, 2.0])).all()
    flat = output.loss(torch.zeros(40, 12, 20, 24), target)
    assert output.loss(logits, target) < flat


def test_maps_become_volumes_and_other_networks_are_refused() -> None:
    output = VolumeOutput("place", n_depths=5)
    output.build_for(_Maps(), _View())
    assert output(torch.zeros(2, 4, 20, 24)).shape == (2, 5, 20, 24)
    with pytest.raises(ConfigurationError, match="task=place"):
        output.build_for(nn.Identity(), _View())
    refused: list[dict[str, Any]] = [
        {"sigma_km": (1, 1)}, {"loss": "mse"}, {"decode": "peak"}, {"extent_km": [[1, 0]] * 3}, {"n_depths": 0},
    ]  # fmt: skip
    for wrong in refused:
        with pytest.raises(ConfigurationError):
            VolumeOutput("place", **wrong)


def test_errors_are_distances_on_the_earth() -> None:
    truth = _places(30, 3)
    decoded = np.full((30, 8), np.nan)
    decoded[:, :3] = truth + np.array([3.0, -4.0, 1.5])
    said = _said(decoded, truth)
    target = _degrees(truth)
    wanted, _, _ = geodesic(target[:, 0], target[:, 1], said.latitude_deg, said.longitude_deg)
    assert np.allclose(said.epicentral_error_km, wanted) and np.allclose(wanted, 5.0, rtol=0.01)
    measures = {name: one.value for name, one in said.measures(train_target=target).items()}
    assert measures["bias_east_km"] == pytest.approx(3, rel=0.02) and measures["bias_depth_km"] == pytest.approx(1.5)
    assert measures["within_10_km"] == 1
    assert measures["baseline_median_ae_epicentre_km"] > 10
    assert "coverage_epicentre_95" not in measures
    assert measures["median_ae_hypocentre_km"] == pytest.approx(math.hypot(5, 1.5), rel=0.01)


def test_regions_of_right_distributions_hold_what_they_say() -> None:
    """3,000 events whose errors are drawn from what is stated: half a point is one standard error."""
    rng, n = np.random.default_rng(4), 3000
    truth = _places(n, 5)
    decoded = np.full((n, 8), np.nan)
    sigma, correlation = rng.uniform(0.5, 4, (n, 3)), rng.uniform(-0.9, 0.9, n)
    one, two, three = rng.standard_normal((3, n))
    decoded[:, 0] = truth[:, 0] + sigma[:, 0] * one
    decoded[:, 1] = truth[:, 1] + sigma[:, 1] * (correlation * one + np.sqrt(1 - correlation**2) * two)
    decoded[:, 2] = truth[:, 2] + sigma[:, 2] * three
    decoded[:, 3:6], decoded[:, 6] = sigma, correlation
    said = _said(decoded, truth)
    measures = {name: one.value for name, one in said.measures().items()}
    for level in (68, 95):
        for of in ("epicentre", "depth"):
            assert measures[f"coverage_{of}_{level}"] == pytest.approx(level / 100, abs=0.025)
    assert said.conformal(math.sqrt(5.991)).inside.mean() == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize("decode", ["argmax", "centroid", "mean"])
@pytest.mark.parametrize(("loss", "narrower"), [("bce", 1.0), ("bce", 2.5), ("cross_entropy", 1.0)])
def test_regions_of_volumes_that_are_right_hold_what_they_say(loss: str, narrower: float, decode: str) -> None:
    """Volumes that are the distribution of the source blurred by the wanted curve, as a trained network says them."""
    rng, n, each = np.random.default_rng(6), 10, 100
    middle = np.stack([rng.uniform(-8, 8, n), rng.uniform(-6, 6, n), rng.uniform(7, 10, n)], 1)
    spread, sigma_km = np.array([3.0, 2.5, 1.2]) / narrower, np.array([3.0, 3.0, 1.0])
    truth = np.repeat(middle, each, 0) + spread * rng.standard_normal((n * each, 3))
    extent = [[-24.0, 24.0], [-20.0, 20.0], [0.0, 17.0]]
    output = _trained(VolumeOutput("place", COLUMNS, 17, tuple(sigma_km), loss, decode, extent), truth)
    total = np.hypot(spread, sigma_km)
    blurred = _trained(VolumeOutput("place", COLUMNS, 17, tuple(total), loss, decode, extent), truth)
    heights = blurred.wanted(torch.zeros(n, 17, 20, 24), torch.from_numpy(_degrees(middle)).float())
    # The mean of curves that each peak at 1 in their own place.
    heights = heights.double() * float(np.prod(sigma_km / total))
    raw = heights.clamp_min(1e-30).log() if loss == "cross_entropy" else heights.clamp_min(1e-12).logit()
    decoded = np.repeat(output.decode(raw.float()).numpy(), each, 0)
    step = np.array([2.0, 2.0, 1.0]) if decode != "mean" else np.zeros(3)
    assert np.allclose(decoded[:, 3:6], np.hypot(spread, step / math.sqrt(12)), rtol=0.15)
    inside = _said(decoded, truth, output).measures()
    assert inside["coverage_epicentre_95"].value == pytest.approx(0.95, abs=0.03)
    assert inside["coverage_depth_68"].value == pytest.approx(0.68, abs=0.06)


def test_a_depth_that_a_volume_does_not_tell_is_as_wide_as_the_volume() -> None:
    output = VolumeOutput("place", COLUMNS, 17, (2.0, 2.0, 1.0), "bce", extent_km=[[-30, 30], [-24, 24], [0, 17]])
    truth = torch.from_numpy(_degrees(np.array([[0.0, 0.0, math.nan]]))).float()
    blurred = VolumeOutput("place", COLUMNS, 17, (math.sqrt(8), math.sqrt(8), 1.0), extent_km=output.extent_km.tolist())
    for one in (output, blurred):
        one.count_from(*ORIGIN)
    heights = 0.5 * blurred.wanted(torch.zeros(1, 17, 24, 30), truth)
    sigma = output.decode(heights.clamp(1e-12).logit()).numpy()[0, 3:6]
    assert sigma[2] == pytest.approx(17 / math.sqrt(12), rel=0.1)
    assert sigma[:2] == pytest.approx([2, 2], rel=0.15)


def test_places_pass_through_tables_and_averages(tmp_path: Any) -> None:
    truth = _places(5, 7)
    decoded = np.concatenate([truth + 1, np.full((5, 3), 2.0), np.full((5, 1), 0.5), np.full((5, 1), np.nan)], 1)
    said = _said(decoded, truth)
    write_predictions(tmp_path / "predictions.csv", {"place": said}, None)
    again = read_predictions(tmp_path / "predictions.csv", said.about)
    assert np.allclose(again.decoded[:, :7], decoded[:, :7], atol=1e-3)
    assert np.allclose(again.target, said.target, atol=1e-5)
    assert said.difference(again)["value"] == pytest.approx(0, abs=1e-3)
    moved = PLANE.to_degrees(np.array([20.0]), np.array([10.0]))
    about = {**said.about, "origin_deg": [float(moved[0][0]), float(moved[1][0])]}
    both = average_predictions([said, said.in_terms_of(about)])
    assert np.allclose(both.decoded[:, :7], decoded[:, :7], atol=0.02)
    apart = said.decoded.copy()
    apart[:, 0] += 4
    both = average_predictions([said, PlacePredictions.from_decoded(said.about, said.ids, said.target, apart)])
    assert np.allclose(both.decoded[:, 3], math.sqrt(4 + 4)) and np.allclose(both.decoded[:, 4], 2)
    said.draw(tmp_path / "place")
    assert (tmp_path / "place_map.png").is_file() and (tmp_path / "place_errors.png").is_file()
    assert list(COLUMNS) == said.about["columns"]
