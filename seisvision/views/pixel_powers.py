"""Power of a bank's rows in every pixel, with kernels of NumPy on a processor and few kernels on an accelerator.

NumPy copies, squares and adds numbers that do not lie side by side, such as real parts, with vector instructions, torch
one after the other: on a processor that was half of the time of a spectrogram.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from seisvision.views.filter_bank import RowsAlike

CPU_BLOCK_BYTES = 2**19
"""Memory of the bands that a processor transforms at a time: they then stay in its cache."""
MOST_ADDED = 6
"""Squares that are added one after the other; of more a product with ones makes the sum quicker."""


def write_powers(bank: Sequence[RowsAlike], spectrum: torch.Tensor, power: torch.Tensor) -> None:
    """Write the mean power of every row in every pixel.

    Args:
        bank: the rows.
        spectrum: complex64 (traces, frequencies).
        power: float32 (traces, rows, W): where it is written.
    """
    if spectrum.device.type == "cpu":
        _write_on_processor(bank, spectrum, power.numpy())
        return
    for rows in bank:
        _write_on_accelerator(rows, spectrum, power[:, rows.first_row : rows.first_row + len(rows.begins)])


def _write_on_accelerator(rows: RowsAlike, spectrum: torch.Tensor, power: torch.Tensor) -> None:
    """All traces at once."""
    pixels = power.shape[-1]
    taken = spectrum.gather(1, rows.bins.flatten().expand(len(spectrum), -1)).unflatten(1, rows.bins.shape)
    analytic = torch.fft.ifft(taken * rows.gain, n=rows.samples, norm="forward")
    parts = torch.view_as_real(analytic[..., : pixels * rows.per_pixel]).square_()
    torch.sum(parts.unflatten(-2, (pixels, rows.per_pixel)), (-1, -2), out=power)


def _write_on_processor(bank: Sequence[RowsAlike], spectrum: torch.Tensor, power: np.ndarray) -> None:
    """As many traces at a time as stay in the cache, all in the same memory."""
    traces, pixels = len(spectrum), power.shape[-1]
    sizes = [len(rows.begins) * rows.samples for rows in bank]
    blocks = [max(1, min(traces, CPU_BLOCK_BYTES // (8 * size))) for size in sizes]
    most = max(block * size for block, size in zip(blocks, sizes, strict=True))
    memory, memory_for_squares = torch.empty(most, dtype=torch.complex64), np.empty(2 * most, np.float32)
    for rows, block, size in zip(bank, blocks, sizes, strict=True):
        n_rows, n_bins = rows.gain.shape
        begins, gain = np.array(rows.begins), rows.gain.numpy()
        # All that a row could take, without a copy: (traces, first frequency, bins).
        windows = spectrum.unfold(1, n_bins, 1).numpy()
        bands = memory[: block * size].view(block, n_rows, rows.samples)
        bands[..., n_bins:] = 0
        filled = bands[..., :n_bins].numpy()
        found = power[:, rows.first_row : rows.first_row + n_rows]
        for start in range(0, traces, block):
            some = windows[start : start + block, begins]
            np.multiply(some, gain, out=filled[: len(some)])
            # Into new memory: into given memory torch copies what it has transformed.
            analytic = torch.fft.ifft(bands[: len(some)], norm="forward").numpy()
            parts = analytic.view(np.float32).reshape(-1, 2 * rows.per_pixel)
            total = _sum_of_squares(parts, memory_for_squares)
            found[start : start + block] = total.reshape(len(some), n_rows, -1)[..., :pixels]


def _sum_of_squares(parts: np.ndarray, memory: np.ndarray) -> np.ndarray:
    """Squares of real and imaginary parts (N, parts) added up: (N,), in ``memory`` for as many numbers as the parts."""
    if parts.shape[1] > MOST_ADDED:
        squares = np.square(parts, out=memory[: parts.size].reshape(parts.shape))
        return (torch.from_numpy(squares) @ torch.ones(parts.shape[1])).numpy()
    total, square = memory[: 2 * len(parts)].reshape(2, -1)
    np.square(parts[:, 0], out=total)
    for number in range(1, parts.shape[1]):
        total += np.square(parts[:, number], out=square)
    return total
