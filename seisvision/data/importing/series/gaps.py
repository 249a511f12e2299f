"""Samples that are none: not a number, the values that software writes where nothing was recorded, runs of zeros."""

from __future__ import annotations

import numpy as np

from seisvision.data.importing.rejections import Refusal

BEYOND = 1e19
"""No recorder and no unit of ground motion reaches values of that size: 1e20, 1e30 and the like stand for gaps."""
FULL_SCALES = (-(2.0**31), 2.0**31 - 1, 1 - 2.0**31, 2.0**31, -(2.0**15), 2.0**15 - 1)
"""Ends of 32 and 16 bits, which fill gaps, but at which a recorder clips too."""
FILLERS = (0.0, -12345.0, *(sign * (10.0**digits - 1) for digits in range(3, 9) for sign in (-1, 1)))
"""Nothing; undefined in SAC; 999, 9999 and so on of either sign."""
KNOWN = (*FULL_SCALES, *FILLERS)
LONG_RUN = 5
"""So many fillers in a row, with a jump on either side, are a gap whatever the size of the motion."""
JUMP = 5.0
"""Height of that jump, in usual steps from one sample to the next."""
FAR = 3.0
"""A shorter run is a gap if it lies that many times further out than all else."""
FAR_UNKNOWN = 30.0
"""So is a long run of any other value: motion does not leap that far, and stand still there."""
ZEROS, ZEROS_S = 10, 5.0
"""Zeros in a row that may fill a gap. Longer ones than ``ZEROS_S`` are left to ``quality.max_flat_s``."""
CHANCE = 1e-6
"""Runs of zeros are a gap where the recording would hold one by chance less often than that."""


def gap_mask(samples: np.ndarray, rate_hz: float) -> tuple[np.ndarray | None, list[float]]:
    """Find the samples that stand for a gap.

    NaN, infinite values and those beyond ``BEYOND`` always do. The ends of 16 and 32 bits do where all else stays
    below half of them; a recorder that clips comes close to them first. ``FILLERS`` do in a long run with a jump on
    either side, or where they lie far outside all else: one sample of -9999 amid motion of that size is a sample.
    Zeros do in a run that the recording cannot hold by chance.

    Args:
        samples: (T,) as recorded.

    Returns:
        (T,) bool, None where no sample stands for a gap; and the values found that do.
    """
    mask = _no_numbers(samples)
    values = sorted({float(value) for value in np.unique(samples[mask])[:3]}) if mask.any() else []
    known = samples[~mask] if values else samples
    if not len(known):
        return mask, values
    low, high = float(known.min()), float(known.max())
    # Fillers that are not the outermost samples come in runs, so most recordings need no closer look.
    candidates = _fillers(samples, low, high) if low in KNOWN or high in KNOWN or _has_run(samples) else {}
    if candidates:
        _mark_fillers(samples, mask, candidates, values)
    _mark_zeros(samples, mask, rate_hz, values)
    return (mask if mask.any() else None), values


def needs_closer_look(rows: np.ndarray) -> np.ndarray:
    """Whether (R,) :func:`gap_mask` could find anything in rows (R, T): most recordings hold nothing of the kind."""
    low, high = rows.min(axis=1), rows.max(axis=1)
    with np.errstate(invalid="ignore"):
        is_sound = (low == low) if rows.dtype.kind in "iu" else (np.abs(low) < BEYOND) & (np.abs(high) < BEYOND)
    is_known = (np.stack([low, high], axis=1)[:, :, None] == np.array(KNOWN)).any(axis=(1, 2))
    # Zeros that stand for a gap are such a run, too.
    return ~is_sound | is_known | _has_run(rows)


def _has_run(samples: np.ndarray) -> np.ndarray:
    """Whether any value of (..., T) stands ``LONG_RUN`` times in a row."""
    same = samples[..., 1:] == samples[..., :-1]
    for _ in range(LONG_RUN - 2):
        same = same[..., 1:] & same[..., :-1]
    return same.any(axis=-1)


def _fillers(samples: np.ndarray, low: float, high: float) -> dict[float, np.ndarray]:
    """Values that may stand for gaps, and where (T,) they are."""
    number = int if samples.dtype.kind in "iu" else float  # whole numbers are compared many times faster as such
    candidates = {value: samples == number(value) for value in {low, high} - set(KNOWN)}
    candidates = {
        value: at for value, at in candidates.items() if np.count_nonzero(at) >= LONG_RUN and runs_of(at, LONG_RUN)
    }
    for value in KNOWN:
        # Zero lies outside all else only where all else has one sign.
        if not low <= value <= high or (value == 0 and low * high != 0):
            continue
        at = samples == number(value)
        n = np.count_nonzero(at)
        outermost = value in (low, high) or (low if value < 0 else high) in KNOWN
        if n and (outermost or (n >= LONG_RUN and runs_of(at, LONG_RUN))):
            candidates[value] = at
    return candidates


def _no_numbers(samples: np.ndarray) -> np.ndarray:
    if samples.dtype.kind in "iub":
        return np.zeros(len(samples), dtype=bool)
    with np.errstate(invalid="ignore"):
        return ~(np.abs(samples) < BEYOND)


def _mark_fillers(
    samples: np.ndarray, mask: np.ndarray, candidates: dict[float, np.ndarray], values: list[float]
) -> None:
    rest = samples[~(mask | np.any(list(candidates.values()), axis=0))].astype(np.float64)
    if len(rest) < 2:
        return
    middle, largest = float(np.median(rest)), float(np.abs(rest).max())
    spread, step = float(np.abs(rest - middle).max()), float(np.median(np.abs(np.diff(rest))))
    step = max(step, 1.0) if samples.dtype.kind in "iu" else step or np.inf
    for value, at in candidates.items():
        # Both signs of one value are the two ends of a clipped recording.
        if value and any(abs(value + other) <= 1 for other in candidates):
            continue
        if value not in KNOWN:
            found = at if abs(value - middle) > FAR_UNKNOWN * spread else np.zeros_like(at)
        elif value in FULL_SCALES:
            found = at if largest < abs(value) / 2 else np.zeros_like(at)
        elif abs(value - middle) > FAR * spread:
            found = at
        else:
            found = np.zeros_like(at) if value == 0 else _long_runs(samples, at, JUMP * step)
        if found.any():
            mask |= found
            values.append(value)


def runs_of(at: np.ndarray, shortest: int = 1) -> list[tuple[int, int]]:
    """First index and the one after the last of each run of True, without runs that are too short."""
    where = np.flatnonzero(at)
    if not len(where):
        return []
    breaks = np.flatnonzero(np.diff(where) > 1)
    begins, ends = where[np.concatenate([[0], breaks + 1])], where[np.append(breaks, len(where) - 1)] + 1
    long_enough = ends - begins >= shortest
    return list(zip(begins[long_enough].tolist(), ends[long_enough].tolist(), strict=True))


def _long_runs(samples: np.ndarray, at: np.ndarray, jump: float) -> np.ndarray:
    found = np.zeros(len(at), dtype=bool)
    for begin, end in runs_of(at, LONG_RUN):
        sides = [float(samples[i]) for i in (begin - 1, end) if 0 <= i < len(samples)]
        if sides and all(abs(side - float(samples[begin])) > jump for side in sides):
            found[begin:end] = True
    return found


def _mark_zeros(samples: np.ndarray, mask: np.ndarray, rate_hz: float, values: list[float]) -> None:
    """Runs at the very ends are left: there they pad a recording, or a computed one is not yet in motion."""
    zero = samples == 0
    if np.count_nonzero(zero) < ZEROS:
        return
    inner = [(begin, end) for begin, end in runs_of(zero, ZEROS) if begin > 0 and end < len(samples)]
    runs = [(begin, end) for begin, end in inner if end - begin <= max(ZEROS, ZEROS_S * rate_hz)]
    if not runs:
        return
    steps = np.abs(np.diff(np.where(mask, np.nan, samples)))
    steps = steps[np.isfinite(steps)]
    # Counted with the runs themselves, so that a recording which is zero most of the time keeps its zeros.
    repeats, step = float((steps == 0).mean()), float(np.median(steps[steps > 0])) if steps.any() else np.inf
    for begin, end in runs:
        # Motion that dies away into zeros, as computed, makes no jump.
        broken = max(abs(float(samples[begin - 1])), abs(float(samples[end]))) > step / 4
        if broken and len(samples) * repeats ** (end - begin - 1) < CHANCE:
            mask[begin:end] = True
            if 0.0 not in values:
                values.append(0.0)


def fill(samples: np.ndarray, rate_hz: float, max_gap_s: float, values: list[float]) -> list[tuple[int, int]]:
    """Interpolate the gaps (NaN) of a series that begins and ends with a sample, in place.

    Returns:
        First index and the one after the last of each gap.

    Raises:
        Refusal: a gap is longer than ``max_gap_s``.
    """
    missing = np.isnan(samples)
    gaps = runs_of(missing) if missing.any() else []
    if gaps:
        check_gap(max(end - begin for begin, end in gaps) / rate_hz, max_gap_s, values)
        at = np.arange(len(samples))
        samples[missing] = np.interp(at[missing], at[~missing], samples[~missing])
    return gaps


def check_gap(length_s: float, max_gap_s: float, values: list[float] | None = None) -> None:
    """Raise a Refusal for a gap that is too long; ``values`` are those that count as gaps in this recording."""
    if length_s > max_gap_s:
        shown = ", ".join(f"{value:g}" for value in values or [])
        note = f" (samples of {shown} count as gaps)" if shown else ""
        raise Refusal("merge", "gap", f"gap {length_s:.3g} s > {max_gap_s:g} s{note}", length_s)
