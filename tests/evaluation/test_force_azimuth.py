"""The linear estimator finds the direction a force was given, with its sign, from records it was not made with."""

import pytest
import torch

from seisvision import keys
from seisvision.angles import wrapped_difference_deg
from seisvision.data.synthesis.generator import EventGenerator
from seisvision.data.synthesis.parameters import SynthesisParameters
from seisvision.evaluation.force_azimuth import ForceAzimuthEstimator

EVENTS = 30


def batch_from(generator: EventGenerator, events: int = EVENTS) -> tuple[dict, torch.Tensor]:
    """Batch of the generator's first events, padded, and their force azimuths."""
    made = [generator.event(index) for index in range(events)]
    stations = max(len(event.geometry.offset_km) for event in made)

    def padded(values: list, fill: float) -> torch.Tensor:
        tensors = [torch.as_tensor(value) for value in values]
        result = tensors[0].new_full((events, stations, *tensors[0].shape[1:]), fill)
        for slot, tensor in zip(result, tensors, strict=True):
            slot[: len(tensor)] = tensor
        return result

    mask = padded([torch.ones(len(event.geometry.offset_km), dtype=torch.bool) for event in made], False)
    batch = {
        keys.WAVEFORM: padded([event.waveforms for event in made], 0.0),
        keys.STATION_MASK: mask,
        keys.COMPONENT_MASK: mask[..., None].expand(-1, -1, 3),
        keys.OFFSET_KM: padded([event.geometry.offset_km for event in made], torch.nan).float(),
        keys.AZIMUTH_DEG: padded([event.geometry.azimuth_deg for event in made], torch.nan).float(),
        keys.BACK_AZIMUTH_DEG: padded([event.geometry.back_azimuth_deg for event in made], torch.nan).float(),
        keys.START_S: torch.zeros(mask.shape),
        keys.SAMPLING_RATE_HZ: generator.parameters.sampling_rate_hz,
    }
    return batch, torch.tensor([event.source.force_azimuth_deg for event in made])


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("earth")


@pytest.fixture(scope="module")
def real(cache) -> tuple[dict, torch.Tensor]:
    """Noise, coda, faults and paths as in the default set, at the physical noise level."""
    return batch_from(EventGenerator(SynthesisParameters(classes=("glacial",), noise_db=0), cache))


def test_a_radial_earth_without_noise_gives_the_direction(cache) -> None:
    quiet = {"heterogeneity": 0, "coda": 0, "fault": 0, "noise_db": -300}
    batch, truth = batch_from(EventGenerator(SynthesisParameters(classes=("glacial",), **quiet), cache))
    estimate = ForceAzimuthEstimator(alignments=0)(batch)
    error = wrapped_difference_deg(estimate.azimuth_deg, truth)
    assert error.abs().max() < 3 and error.abs().median() < 0.5
    assert estimate.explained.min() > 0.8


def test_noise_faults_and_crooked_paths_leave_a_few_degrees(real: tuple[dict, torch.Tensor]) -> None:
    batch, truth = real
    straight, aligned = (
        wrapped_difference_deg(ForceAzimuthEstimator(alignments=n)(batch).azimuth_deg, truth).abs() for n in (0, 2)
    )
    assert straight.median() < 9 and aligned.median() < 4
    assert (aligned > 150).sum() <= 1 and (aligned < 30).float().mean() > 0.9


def test_the_estimate_turns_with_the_stations_and_with_the_sign(real: tuple[dict, torch.Tensor]) -> None:
    batch, _ = real
    estimator = ForceAzimuthEstimator()
    estimate = estimator(batch).azimuth_deg
    turned = estimator(batch | {keys.AZIMUTH_DEG: (batch[keys.AZIMUTH_DEG] + 77) % 360}).azimuth_deg
    assert wrapped_difference_deg(turned, estimate + 77).abs().max() < 0.1
    opposite = estimator(batch | {keys.WAVEFORM: -batch[keys.WAVEFORM]}).azimuth_deg
    # The second lobe may come to lie where the first was, so the odd event keeps its direction.
    assert (wrapped_difference_deg(opposite, estimate).abs() > 150).float().mean() > 0.9


def test_scale_and_neighbours_do_not_matter(real: tuple[dict, torch.Tensor]) -> None:
    batch, _ = real
    estimate = ForceAzimuthEstimator()(batch)
    part = {key: value[3:7] if torch.is_tensor(value) else value for key, value in batch.items()}
    part[keys.WAVEFORM] = part[keys.WAVEFORM] * 1e9
    alone = ForceAzimuthEstimator()(part)
    assert wrapped_difference_deg(alone.azimuth_deg, estimate.azimuth_deg[3:7]).abs().max() < 0.1
    assert torch.equal(alone.n_stations, estimate.n_stations[3:7])


def test_too_few_stations_give_no_answer(real: tuple[dict, torch.Tensor]) -> None:
    batch, _ = real
    mask = batch[keys.STATION_MASK].clone()
    mask[0, 2:], mask[1] = False, False
    estimate = ForceAzimuthEstimator()(batch | {keys.STATION_MASK: mask})
    assert estimate.azimuth_deg[:2].isnan().all() and estimate.azimuth_deg[2:].isfinite().all()
    assert estimate.n_stations[:2].tolist() == [2, 0] or estimate.n_stations[0] < 2
