"""Waveforms as people see them: lines with axes."""

from __future__ import annotations

import torch

from seisvision.views.rasterise import draw_wiggles, pixel_extremes

ROW_PX = 48
WIDTH_PX = 256
REACH = 0.9
"""Share of half a row that the largest motion of a record reaches."""
TICKS = 10
"""Parts into which the window is divided along its axis."""
TICK_PX = 3
PAPER, GRID, AXIS = 255.0, 232.0, 170.0
SHADE = (255.0, 226.0, 178.0)
"""Behind the lines between P and S."""


@torch.no_grad()
def draw_lines(lines: torch.Tensor, box: torch.Tensor | None = None) -> torch.Tensor:
    """Draw components below each other, time to the right, motion upward: uint8 (B, H, W, 3).

    All components of a record have one scale. Thin lines cut the window into tenths; each component has its zero line
    and ticks.

    Args:
        lines: (B, C, T).
        box: (B, T): what is not zero is shaded.
    """
    batch, rows, _ = lines.shape
    canvas = _axes(rows).to(lines.device).expand(batch, -1, -1, -1).clone()
    if box is not None:
        _, shaded = pixel_extremes(box.float()[:, None], WIDTH_PX)
        shade = torch.tensor(SHADE, device=lines.device)
        canvas = torch.where((shaded[:, 0] > 0)[:, None, :, None], torch.minimum(canvas, shade), canvas)
    ink = _ink(lines.float())[..., None]
    return (canvas * (1 - ink)).round().clamp(0, 255).to(torch.uint8)


def _axes(rows: int) -> torch.Tensor:
    """Paper (H, W, 3) with a grid and the axis of every row."""
    paper = torch.full((rows * ROW_PX, WIDTH_PX), PAPER)
    ticks = [round(tick * (WIDTH_PX - 1) / TICKS) for tick in range(TICKS + 1)]
    paper[:, ticks] = GRID
    for row in range(rows):
        middle = row * ROW_PX + ROW_PX // 2
        paper[middle] = AXIS
        paper[middle - TICK_PX : middle + TICK_PX + 1, ticks] = AXIS
        if row:
            paper[row * ROW_PX] = GRID
    return paper[..., None].expand(-1, -1, 3)


def _ink(lines: torch.Tensor) -> torch.Tensor:
    """Lines (B, C, T) as ink (B, H, W) in [0, 1]; components in which nothing moves have none."""
    _, rows, _ = lines.shape
    half_px = ROW_PX / 2
    lowest, highest = pixel_extremes(lines.nan_to_num(0.0, 0.0, 0.0), WIDTH_PX)
    peak = torch.maximum(highest, -lowest).amax((1, 2), keepdim=True)
    factor = REACH * half_px / torch.where(peak > 0, peak, 1.0)
    moves = highest.amax(-1) > lowest.amin(-1)
    middle = (torch.arange(rows, device=lines.device) + 0.5) * ROW_PX
    # The kernel counts from the top, and motion is drawn upward.
    position = torch.where(moves, middle, torch.nan)
    drawn = draw_wiggles(highest * -factor, lowest * -factor, position, rows * ROW_PX, line_px=1.0, fill=False)
    return drawn.transpose(1, 2)
