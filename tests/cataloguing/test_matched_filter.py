"""Stacked correlations are those that the definition gives, also across gaps and with channels that are missing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from seisvision.cataloguing.matching.correlation import Templates, network_correlation
from seisvision.cataloguing.matching.detection import Detection, merged
from seisvision.cataloguing.relocation.differential import lags_of

N_CHANNELS, LENGTH = 4, 40


def _made(n_samples: int = 3000, n_templates: int = 3, offset: float = 0.0) -> tuple[torch.Tensor, Templates]:
    rng = np.random.default_rng(0)
    data = torch.from_numpy(rng.standard_normal((N_CHANNELS, n_samples)).astype(np.float32) + offset)
    delay = torch.from_numpy(rng.integers(-30, 60, (n_templates, N_CHANNELS)))
    used = torch.from_numpy(rng.uniform(size=(n_templates, N_CHANNELS)) < 0.8)
    used[:, 0] = True
    samples = torch.from_numpy(rng.standard_normal((n_templates, N_CHANNELS, LENGTH)).astype(np.float32))
    return data, Templates(samples, delay, used)


def _by_definition(data: torch.Tensor, known: torch.Tensor | None, templates: Templates) -> tuple[np.ndarray, ...]:
    n = data.shape[1] - LENGTH + 1
    stack, counts = np.zeros((len(templates), n)), np.zeros((len(templates), n), int)
    for k in range(len(templates)):
        for channel in range(N_CHANNELS):
            if not templates.used[k, channel]:
                continue
            a = templates.samples[k, channel].double().numpy()
            for place in range(n):
                at = place + int(templates.delay[k, channel])
                if not 0 <= at < n or (known is not None and not known[channel, at : at + LENGTH].all()):
                    continue
                b = data[channel, at : at + LENGTH].double().numpy()
                stack[k, place] += np.corrcoef(a, b)[0, 1]
                counts[k, place] += 1
    return stack, counts


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_correlations_are_those_of_the_definition(offset: float) -> None:
    data, templates = _made(700, 2, offset)
    expected, _ = _by_definition(data, None, templates)
    for some, stack, counts in network_correlation(data, None, templates, at_once=1):
        assert counts is None
        np.testing.assert_allclose(stack.numpy(), expected[some], atol=2e-3 if offset else 2e-5)


def test_windows_that_touch_gaps_have_no_say() -> None:
    data, templates = _made(700, 2)
    known = torch.ones_like(data, dtype=torch.bool)
    known[1, 300:340] = False
    known[2] = False
    expected, numbers = _by_definition(data, known, templates)
    for some, stack, counts in network_correlation(data, known, templates):
        assert counts is not None
        np.testing.assert_array_equal(counts.numpy(), numbers[some])
        np.testing.assert_allclose(stack.numpy(), expected[some], atol=2e-5)


def test_a_strong_event_before_leaves_the_weak_one_as_it_is() -> None:
    """Running sums of single precision would drown it."""
    data, templates = _made(20_000, 1)
    at = 15_000
    for channel in range(N_CHANNELS):
        begin = at + int(templates.delay[0, channel])
        data[channel, begin : begin + LENGTH] = 2.0 * templates.samples[0, channel]
    data[:, :2000] *= 1e4
    (_, stack, _) = next(network_correlation(data, None, templates))
    n_used = int(templates.used.sum())
    assert float(stack[0, at]) == pytest.approx(n_used, rel=1e-3)


def test_dead_channels_and_flat_templates_correlate_with_nothing() -> None:
    data, templates = _made(700, 1)
    data[0] = 5.0
    samples = templates.samples.clone()
    samples[0, 1] = 1.0
    flat = Templates(samples, templates.delay, torch.tensor([[True, True, False, False]]))
    (_, stack, _) = next(network_correlation(data, None, flat))
    assert not bool(stack.any()) and bool(stack.isfinite().all())


def test_of_detections_close_in_time_the_clearest_stays() -> None:
    second = 1_000_000_000
    many = [Detection(at * second, 0, clarity, 0.5, 9) for at, clarity in ((0, 9.0), (2, 12.0), (4, 11.0), (9, 10.0))]
    assert [one.origin_ns // second for one in merged(many, 3.0)] == [2, 9]


def test_lags_are_found_to_a_tenth_of_a_sample() -> None:
    rng = np.random.default_rng(1)
    spectrum = np.fft.rfft(rng.standard_normal((20, 2, 256))) * np.exp(-((np.arange(129) / 30.0) ** 2))
    true = rng.uniform(-8, 8, 20)
    turn = np.exp(-2j * np.pi * np.arange(129) * true[:, None, None] / 256)
    first, second = np.fft.irfft(spectrum), np.fft.irfft(3 * spectrum * turn)
    found = lags_of(first[..., 80:160], second[..., 60:180])
    np.testing.assert_allclose(found.lag, true, atol=0.1)
    assert (found.correlation > 0.95).all()
    np.testing.assert_allclose(found.ratio, 3, rtol=0.2)
