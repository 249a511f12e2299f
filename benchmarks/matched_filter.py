"""Matched filter: an hour of 18 channels with 20 templates, beside ObsPy's own correlation on the same machine.

python benchmarks/matched_filter.py [--device cuda]

Both take turns in one process and are timed by the time of this process (on a GPU by the clock). Memory is what the
process holds at most beyond what it held with the recordings in place, as a multiple of the recordings. EQcorrscan,
which cannot be installed by pip, took 3.08 s where ObsPy took 13.1 s: 4.3 times as fast.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from measuring import spread, tell_machine
from obspy.signal.cross_correlation import correlate_template

from seisvision.cataloguing.matching.correlation import Templates, network_correlation

RATE_HZ, HOUR_S, TEMPLATE_S = 100, 3600, 6
N_CHANNELS, N_TEMPLATES = 18, 20
PUBLISHED_RATIO = 13.1 / 3.08


def ours(samples: torch.Tensor, templates: Templates) -> np.ndarray:
    """Highest stacked correlation of each template."""
    best = [stack.amax(1) for _, stack, _ in network_correlation(samples, None, templates)]
    return torch.cat(best).cpu().numpy() / N_CHANNELS


def obspy_way(samples: np.ndarray, templates: np.ndarray, delay: np.ndarray) -> np.ndarray:
    """The same with ObsPy, channel by channel."""
    best = []
    for template, shifts in zip(templates, delay, strict=True):
        stack = np.zeros(samples.shape[1] - template.shape[1] + 1)
        for line, piece, shift in zip(samples, template, shifts, strict=True):
            found = correlate_template(line, piece, mode="valid", normalize="full", method="fft")
            stack[: len(stack) - shift] += found[shift:]
        best.append(stack.max())
    return np.array(best) / N_CHANNELS


def peak_mib() -> float:
    """Most memory that this process ever held."""
    with Path("/proc/self/status").open() as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    tell_machine()
    rng = np.random.default_rng(0)
    data = rng.standard_normal((N_CHANNELS, HOUR_S * RATE_HZ), dtype=np.float32)
    length = TEMPLATE_S * RATE_HZ
    delay = rng.integers(0, 10 * RATE_HZ, (N_TEMPLATES, N_CHANNELS))
    places = rng.integers(0, data.shape[1] - 20 * RATE_HZ, N_TEMPLATES)
    cut = [
        [line[at + late : at + late + length] for line, late in zip(data, some, strict=True)]
        for at, some in zip(places, delay, strict=True)
    ]
    pieces = np.array(cut, np.float32)
    samples = torch.from_numpy(data).to(args.device)
    templates = Templates(
        torch.from_numpy(pieces), torch.from_numpy(delay), torch.ones(N_TEMPLATES, N_CHANNELS, dtype=torch.bool)
    ).to(args.device)
    ours(samples[:, : 30 * RATE_HZ * 10], templates)
    before = peak_mib()
    clock = time.process_time if args.device == "cpu" else time.perf_counter
    times: dict[str, list[float]] = {"ours": [], "obspy": []}
    for number in range(args.rounds):
        begin = clock()
        mine = ours(samples, templates)
        times["ours"].append(clock() - begin)
        if number == 0:
            more = peak_mib() - before
        begin = time.process_time()
        theirs = obspy_way(data, pieces, delay)
        times["obspy"].append(time.process_time() - begin)
    np.testing.assert_allclose(mine, theirs, atol=2e-4)
    size = data.nbytes / 2**20
    print(f"{HOUR_S} s x {N_CHANNELS} channels x {N_TEMPLATES} templates at {RATE_HZ} Hz, {TEMPLATE_S} s templates")
    print(f"seisvision ({args.device})  {spread(times['ours'], ' s')}")
    print(f"ObsPy correlate_template  {spread(times['obspy'], ' s')}")
    ratios = [theirs / ours for ours, theirs in zip(times["ours"], times["obspy"], strict=True)]
    print(f"ratio  {spread(ratios, digits=1)} (EQcorrscan: {PUBLISHED_RATIO:.1f})")
    print(f"memory with the recordings  {(size + more) / size:.2f} times theirs ({size:.0f} MiB)")


if __name__ == "__main__":
    main()
