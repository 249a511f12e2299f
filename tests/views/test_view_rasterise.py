"""Drawing kernels against slow, plain drawings of the same thing."""

import numpy as np
import pytest
import torch

from seisvision.views.rasterise import draw_density, draw_wiggles, nearest_trace, pixel_extremes, shift_rows


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("samples", "rows"), [(3600, 225), (3600, 224), (3584, 224), (1800, 224), (3001, 64)])
def test_extremes_are_those_of_every_pixel(samples: int, rows: int) -> None:
    series = torch.randn(2, 3, samples, generator=generator())
    lowest, highest = pixel_extremes(series, rows)
    slack = max(1, samples // rows // 8)
    for row in range(rows):
        first, last = row * samples // rows, -(-(row + 1) * samples // rows)
        inner, outer = series[..., first + slack : last - slack], series[..., max(first - slack, 0) : last + slack]
        assert (outer.amin(-1) <= lowest[..., row]).all() and (lowest[..., row] <= inner.amin(-1)).all()
        assert (inner.amax(-1) <= highest[..., row]).all() and (highest[..., row] <= outer.amax(-1)).all()
    assert torch.equal(lowest.amin(-1), series.amin(-1)) and torch.equal(highest.amax(-1), series.amax(-1))


def test_rows_repeat_samples_where_there_are_fewer_of_them() -> None:
    lowest, highest = pixel_extremes(torch.tensor([[1.0, -2.0]]), 4)
    assert torch.equal(lowest, highest) and lowest.tolist() == [[1, 1, -2, -2]]


def test_rows_are_exact_where_samples_divide_evenly() -> None:
    series = torch.randn(4, 896, generator=generator())
    lowest, highest = pixel_extremes(series, 56)
    assert torch.equal(lowest, series.view(4, 56, 16).amin(-1))
    assert torch.equal(highest, series.view(4, 56, 16).amax(-1))


def test_extremes_of_nan_are_nan() -> None:
    series = torch.zeros(1, 320)
    series[0, 100] = torch.nan
    lowest, highest = pixel_extremes(series, 32)
    assert lowest.isnan().nonzero().tolist() == [[0, 10]] and highest.isnan().nonzero().tolist() == [[0, 10]]


def test_density_equals_naive_loops() -> None:
    values = torch.randn(2, 5, 12, generator=generator())
    position_px = torch.rand(2, 5, generator=generator(1)) * 40
    position_px[1, 2] = torch.nan
    gap_px = torch.tensor([[3.0], [1.0]])
    for gap in (None, gap_px):
        picture = draw_density(values, position_px, 40, gap)
        for event in range(2):
            for column in range(40):
                distance = (position_px[event] - (column + 0.5)).abs().nan_to_num(nan=1e9)
                trace = int(distance.argmin())
                near = gap is None or distance[trace] <= gap[event, 0]
                expected = values[event, trace] if near else torch.zeros(12)
                assert torch.equal(picture[event, :, column], expected)


def test_a_gap_of_zero_colours_the_own_column_only() -> None:
    index, near = nearest_trace(torch.tensor([[3.2, 7.9, 20.0]]), 20, torch.zeros(1, 1))
    assert near is not None
    assert near.nonzero()[:, 1].tolist() == [3, 7, 19]
    assert index[0, [3, 7, 19]].tolist() == [0, 1, 2]


def interval_ink(
    lowest: np.ndarray, highest: np.ndarray, base: float, width: int, line: float, fill: bool
) -> np.ndarray:
    """Ink of one wiggle by sampling each pixel at 1000 places."""
    places = (np.arange(width * 1000) + 0.5) / 1000
    picture = np.zeros((len(lowest), width))
    for row in range(len(lowest)):
        low, high = lowest[row], highest[row]
        if row:
            low, high = min(low, highest[row - 1]), max(high, lowest[row - 1])
        left = min(low - line / 2, 0.0) if fill else low - line / 2
        inked = (places >= base + left) & (places < base + high + line / 2)
        picture[row] = inked.reshape(width, 1000).mean(1)
    return picture


@pytest.mark.parametrize("fill", [True, False])
def test_wiggle_ink_is_the_covered_share_of_each_pixel(fill: bool) -> None:
    lowest = torch.randn(1, 3, 30, generator=generator()) * 4
    highest = lowest + torch.rand(1, 3, 30, generator=generator(1)) * 3
    position_px = torch.tensor([[5.3, 17.8, 39.0]])
    picture = draw_wiggles(lowest, highest, position_px, 40, line_px=0.8, fill=fill)[0]
    expected = np.zeros((30, 40))
    for trace in range(3):
        low, high = lowest[0, trace].numpy(), highest[0, trace].numpy()
        expected += interval_ink(low, high, float(position_px[0, trace]), 40, 0.8, fill)
    np.testing.assert_allclose(picture.numpy(), expected.clip(0, 1), atol=3e-3)


def supersampled_wiggle(trace: np.ndarray, base: float, rows: int, width: int, line: float) -> np.ndarray:
    """Draw the polyline with its width, and its positive fill, as points on a grid of 16 x 16 per pixel."""
    fine = 16
    down = (np.arange(rows * fine) + 0.5) / fine
    across = (np.arange(width * fine) + 0.5) / fine
    time = np.arange(len(trace)) * rows / len(trace)
    value = np.interp(down, time, trace)
    slope = np.gradient(value, down)
    half = line / 2 * np.sqrt(1 + slope**2)
    left, right = base + np.where(value > 0, np.minimum(value - half, 0), value - half), base + value + half
    inked = (across >= left[:, None]) & (across < right[:, None])
    return inked.reshape(rows, fine, width, fine).mean((1, 3))


def test_filled_wiggle_looks_like_a_supersampled_drawing() -> None:
    rows, width = 96, 48
    time = np.arange(rows * 8) / 8
    trace = 9 * np.exp(-(((time - 45) / 15) ** 2)) * np.cos(2 * np.pi * time / 14)
    series = torch.tensor(trace, dtype=torch.float32)[None, None]
    ours = draw_wiggles(*pixel_extremes(series, rows), torch.tensor([[24.0]]), width, line_px=1.0)[0].numpy()
    reference = supersampled_wiggle(trace, 24.0, rows, width, 1.0)
    assert np.corrcoef(ours.ravel(), reference.ravel())[0, 1] > 0.97
    assert np.abs(ours - reference).mean() < 0.02


def test_ink_does_not_depend_on_the_order_of_traces() -> None:
    lowest = torch.randn(1, 20, 30, generator=generator()) * 4
    highest = lowest + 1
    position_px = torch.rand(1, 20, generator=generator(1)) * 40
    order = torch.randperm(20, generator=generator(2))
    picture = draw_wiggles(lowest, highest, position_px, 40)
    assert torch.equal(picture, draw_wiggles(lowest[:, order], highest[:, order], position_px[:, order], 40))


def test_undrawn_traces_leave_paper_exactly_white() -> None:
    lowest = torch.randn(1, 2, 30, generator=generator())
    picture = draw_wiggles(lowest, lowest + 1, torch.full((1, 2), torch.nan), 40)
    assert torch.equal(picture, torch.zeros(1, 30, 40))


def test_shifted_rows_do_not_wrap() -> None:
    values = torch.arange(1.0, 6.0).view(1, 1, 5).repeat(1, 2, 1)
    shifted = shift_rows(values, torch.tensor([[2, -1]]))
    assert shifted[0].tolist() == [[3, 4, 5, 0, 0], [0, 1, 2, 3, 4]]
