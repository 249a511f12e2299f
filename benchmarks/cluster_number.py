"""How often is the number of groups right, and how often are groups seen where there are none?

``python benchmarks/cluster_number.py --draws 20 --seconds 250`` prints rates over random sets of points.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict

import numpy as np
from measuring import tell_machine

from seisvision.clustering.choose import choose_k

SIZES = (300, 600, 1000)
NOISE = (
    "gaussian",
    "steep spectrum",
    "box",
    "ball",
    "long",
    "long box",
    "heavy tails",
    "heavy tailed axes",
    "skewed",
    "lognormal",
    "rectified",
    "arc",
    "ring",
)


def noise(rng: np.random.Generator, kind: str, n: int, dims: int) -> np.ndarray:
    """Points (n, dims or more) without groups."""
    normal = rng.normal(size=(n, dims))
    turned, _ = np.linalg.qr(rng.normal(size=(dims, dims)))
    if kind == "rectified":
        return np.maximum(rng.normal(size=(n, 5)) @ rng.normal(size=(5, 4 * dims)) + 0.3, 0)
    if kind in ("arc", "ring"):
        angle = rng.uniform(size=n) * np.pi * (1 if kind == "arc" else 2)
        plane = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return np.hstack([plane, np.zeros((n, 3))]) + 0.1 * rng.normal(size=(n, 5))
    stretch = np.r_[8.0, np.ones(dims - 1)]
    points = {
        "gaussian": normal,
        "steep spectrum": normal / np.arange(1, dims + 1),
        "box": rng.uniform(size=(n, dims)),
        "ball": normal / np.linalg.norm(normal, axis=1, keepdims=True) * rng.uniform(size=(n, 1)) ** (1 / dims),
        "long": normal * stretch,
        "long box": rng.uniform(size=(n, dims)) * stretch,
        "heavy tails": normal / np.sqrt(rng.chisquare(3, size=(n, 1)) / 3),
        "heavy tailed axes": rng.standard_t(3, size=(n, dims)),
        "skewed": rng.exponential(size=(n, dims)),
        "lognormal": np.exp(0.7 * normal),
    }[kind]
    return points @ turned


def groups(rng: np.random.Generator, k: int, n: int, separation: float) -> np.ndarray:
    """Points of ``k`` Gaussian groups of unequal sizes and shapes, centres at least ``separation`` sigma apart."""
    dims, extra = int(rng.choice([2, 5, 10])), int(rng.choice([0, 5, 20]))
    shares = rng.dirichlet(np.full(k, 4.0))
    while shares.min() < 0.25 / k:
        shares = rng.dirichlet(np.full(k, 4.0))
    spread, centres = 0.6 * separation, np.zeros((k, dims))
    while k > 1 and _closest(centres) < separation:
        centres = rng.normal(size=(k, dims)) * spread
        spread *= 1.005
    label = rng.choice(k, size=n, p=shares)
    points = np.empty((n, dims))
    for group in range(k):
        variance = np.exp(rng.uniform(-np.log(2), np.log(2), dims))
        turned, _ = np.linalg.qr(rng.normal(size=(dims, dims)))
        members = rng.normal(size=((label == group).sum(), dims)) * np.sqrt(variance / variance.mean())
        points[label == group] = centres[group] + members @ turned
    return np.hstack([points, rng.normal(size=(n, extra))])


def _closest(centres: np.ndarray) -> float:
    distance = np.linalg.norm(centres[:, None] - centres, axis=2)
    return float(distance[np.triu_indices(len(centres), 1)].min())


def main() -> None:
    """Draw, count, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=250, help="stop after the draw that takes longer")
    parser.add_argument("--first", type=int, default=0, help="number of the first draw")
    parser.add_argument("--repeats", type=int, default=8)
    parser.add_argument("--groups", type=int, nargs="*", default=list(range(2, 9)), help="numbers of groups")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="numbers of points to draw from")
    args = parser.parse_args()
    tell_machine()
    start, false, errors = time.time(), defaultdict(list), defaultdict(list)
    for draw in range(args.first, args.first + args.draws):
        rng = np.random.default_rng(draw)
        n, dims = int(rng.choice(args.sizes)), int(rng.choice([2, 5, 10, 30]))
        for kind in NOISE:
            false[kind].append(choose_k([noise(rng, kind, n, dims)], draw, args.repeats).k is not None)
        for k in args.groups:
            separation = float(rng.choice([4, 5, 6]))
            found = choose_k([groups(rng, k, n, separation)], draw, args.repeats).k or 1
            errors[n, separation].append(found - k)
        if time.time() - start > args.seconds:
            break
    print(f"{draw - args.first + 1} draws, {time.time() - start:.0f} s")
    for kind, seen in false.items():
        print(f"noise, {kind}: groups seen in {sum(seen)} of {len(seen)}")
    print(f"noise, all: {sum(map(sum, false.values()))} of {sum(map(len, false.values()))}")
    for (n, separation), off in sorted(errors.items()):
        share = [np.mean(np.abs(off) <= most) for most in (0, 1)]
        print(f"groups, n={n}, {separation:g} sigma: exact {share[0]:.0%}, within 1 {share[1]:.0%} of {len(off)}")
    if not errors:
        return
    all_off = np.concatenate(list(errors.values()))
    share = [np.mean(np.abs(all_off) <= most) for most in (0, 1)]
    print(f"groups, all: exact {share[0]:.0%}, within 1 {share[1]:.0%} of {len(all_off)}")


if __name__ == "__main__":
    main()
