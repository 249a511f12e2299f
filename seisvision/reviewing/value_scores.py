"""How far numbers, angles and arrival times are from what networks say that were not trained on them, in sigmas."""

from __future__ import annotations

import math

import numpy as np

from seisvision.outputs.angles.predictions import AnglePredictions
from seisvision.outputs.numbers.predictions import ScalarPredictions
from seisvision.outputs.picks.predictions import PickPredictions
from seisvision.outputs.predictions import Predictions

MAD_TO_SIGMA = 1.4826
"""Of a normal distribution."""
SUSPECT_SIGMAS = 4.0
"""From here on a value is likely wrong: of 10,000 normal residuals one in two sets has one beyond."""
LEAST_SIGMA_S = 0.02
"""Of picks: nobody reads an onset better."""
CLASSES_OF_PROBABILITY = 3
"""Sigmas of picks are measured among picks of like probability, in so many classes."""
FEWEST_FOR_SIGMA = 20
MISSED_SIGMAS = 3.0
"""What an arrival counts where the network sees none: it asks for a look, but behind those that were moved."""


def robust_sigma(residuals: np.ndarray) -> float:
    """Standard deviation of the middle of some residuals (N,), which outliers do not move; NaN without any."""
    known = residuals[np.isfinite(residuals)]
    if not len(known):
        return math.nan
    return float(MAD_TO_SIGMA * np.median(np.abs(known - np.median(known))))


def residual_sigmas(said: Predictions) -> np.ndarray:
    """Label less prediction, in sigmas (N,); NaN where one of them is not known.

    Sigma is that which the network states of the sample, for numbers the half of its 68 % interval on the side of the
    label. Where it states none, it is that of all residuals. Stated sigmas are stretched by what the middle of all
    residuals asks for, so that too bold a network does not make every label suspect.
    """
    if isinstance(said, ScalarPredictions):
        scaled = _of_numbers(said)
    elif isinstance(said, AnglePredictions):
        scaled = -said.error / _sigma(said.decoded[:, 1], said.error)
    else:
        raise TypeError(f"{type(said).__name__} has no residuals of one value")
    stretch = robust_sigma(scaled)
    return scaled / max(stretch, 1.0) if math.isfinite(stretch) else scaled


def _of_numbers(said: ScalarPredictions) -> np.ndarray:
    residual = said.target - said.value
    low, high = said.decoded[:, 2], said.decoded[:, 3]
    half = np.where(residual > 0, high - said.value, said.value - low)
    if np.isfinite(half).any():
        return residual / _sigma(half, residual)
    if said.about["transform"] != "none" and (said.value > 0).all() and np.nanmin(said.target) > 0:
        # Errors of what is learnt as a logarithm grow with the value.
        residual = np.log(said.target) - np.log(said.value)
    return residual / _sigma(np.full(len(residual), np.nan), residual)


def _sigma(stated: np.ndarray, residuals: np.ndarray) -> np.ndarray:
    """Stated sigmas (N,), and that of all residuals where there is none."""
    common = robust_sigma(residuals)
    usable = np.isfinite(stated) & (stated > 0)
    return np.where(usable, stated, common if common > 0 else np.nan)


def pick_sigmas(said: PickPredictions, phase: str) -> tuple[np.ndarray, np.ndarray]:
    """Label less nearest pick of a phase in sigmas (N,), and the time of that pick (N,) in the window.

    Both are NaN where no arrival of the phase is labelled inside the window. Sigmas are those of the middle of the
    residuals of picks of like probability. Where nothing is picked, the label counts :data:`MISSED_SIGMAS`.
    """
    number = said.phases.index(phase)
    true_s = np.where(said.true_s[:, number] >= 0, said.true_s[:, number], np.nan)
    true_s = np.where(true_s < float(said.about["window_s"]), true_s, np.nan)[:, 0]
    picked = np.where(said.counts[:, number], said.picked_s[:, number], np.inf)
    nearest = np.abs(picked - np.nan_to_num(true_s)[:, None]).argmin(axis=1)
    rows = np.arange(len(true_s))
    picked_s = np.where(np.isfinite(picked[rows, nearest]), picked[rows, nearest], np.nan)
    residual_s = true_s - picked_s
    sigma_s = _sigma_by_probability(residual_s, said.probability[rows, number, nearest])
    scaled = residual_s / sigma_s
    is_missed = np.isfinite(true_s) & np.isnan(picked_s)
    return np.where(is_missed, MISSED_SIGMAS, scaled), np.where(np.isfinite(true_s), picked_s, np.nan)


def _sigma_by_probability(residual_s: np.ndarray, probability: np.ndarray) -> np.ndarray:
    sigma_s = np.full(len(residual_s), max(robust_sigma(residual_s), LEAST_SIGMA_S))
    known = np.flatnonzero(np.isfinite(residual_s))
    for some in np.array_split(known[np.argsort(probability[known], kind="stable")], CLASSES_OF_PROBABILITY):
        if len(some) >= FEWEST_FOR_SIGMA:
            sigma_s[some] = max(robust_sigma(residual_s[some]), LEAST_SIGMA_S)
    return sigma_s


def log_likelihood(sigmas: np.ndarray) -> np.ndarray:
    """Logarithm (N,) of how likely a residual is beside the likeliest one, of normal residuals in sigmas (N,)."""
    return -0.5 * sigmas**2
