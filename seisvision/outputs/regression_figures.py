"""Figures of predicted numbers and angles: where they lie, how far they are off and how honest their uncertainty is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seisvision.angles import wrapped_difference_deg
from seisvision.base.figure_files import save_figure
from seisvision.evaluation.figure_style import COLOURS, panel_grid, plain_text
from seisvision.outputs.angles.measures import angle_curve
from seisvision.outputs.numbers.measures import Tolerance, tolerance_curve
from seisvision.outputs.plain import figure_path

if TYPE_CHECKING:
    from seisvision.outputs.angles.predictions import AnglePredictions
    from seisvision.outputs.numbers.predictions import ScalarPredictions

N_HISTOGRAM = 40
OUTLIER_SHARE = 0.01
"""Share of residuals at either end that a histogram puts into its last bins."""
N_RUNNING = 12
"""Bins of running medians."""


def draw_scalar(predictions: ScalarPredictions, stem: Path, offset_km: np.ndarray | None = None) -> list[Path]:
    """Write ``<stem>_scatter``, ``_tolerance``, ``_residuals`` and, where intervals are predicted, ``_coverage``.

    Args:
        predictions: N predictions; samples without target or value are left out.
        stem: path whose name is completed.
        offset_km: (N,) adds a panel of residuals against the offset.

    Returns:
        The files written; none where no sample has both target and value.
    """
    known = np.flatnonzero(np.isfinite(predictions.error))
    if not len(known):
        return []
    said = predictions.take(known)
    offsets = None if offset_km is None else np.asarray(offset_km, float)[known]
    log_scale = str(said.about["transform"]).startswith("log") and bool((said.target > 0).all())
    name = _quantity(str(said.about.get("name", "value")), said.unit)
    curve = tolerance_curve(said.target, said.value, said.tolerance)
    against = {f"true {name}": said.target}
    against |= {} if offsets is None else {"offset (km)": offsets}
    files = [
        scatter_figure(
            figure_path(stem, "scatter"), said.target, said.value, said.tolerance, name, log_scale=log_scale
        ),
        curve_figure(figure_path(stem, "tolerance"), [100 * x for x in curve[0]], curve[1], "relative tolerance (%)"),
        residual_figure(figure_path(stem, "residuals"), said.error, against, _quantity("error", said.unit)),
    ]
    predicted = np.isfinite(said.decoded[:, 1 : len(said.parts)]).all(1)
    if predicted.any():
        shares = _shares_inside(said.take(predicted.nonzero()[0]))
        size, sigma = np.abs(said.error)[predicted], said.decoded[predicted, 1]
        files.append(coverage_figure(figure_path(stem, "coverage"), shares, sigma, size, said.unit))
    return files


def draw_angle(predictions: AnglePredictions, stem: Path, offset_km: np.ndarray | None = None) -> list[Path]:
    """Write ``<stem>_scatter``, ``_tolerance``, ``_rose``, ``_residuals`` and, with sigmas, ``_coverage``.

    Arguments and result as in `draw_scalar`.
    """
    known = np.flatnonzero(np.isfinite(predictions.error))
    if not len(known):
        return []
    said = predictions.take(known)
    name = _quantity(str(said.about.get("name", "angle")), "deg")
    target = said.target % said.period_deg
    curve = angle_curve(target, said.value, said.period_deg)
    against = {f"true {name}": target}
    against |= {} if offset_km is None else {"offset (km)": np.asarray(offset_km, float)[known]}
    # Next to its target, so that the diagonal is not torn at north.
    near_target = target + wrapped_difference_deg(said.value, target, said.period_deg)
    tolerance = Tolerance(0.0, float(said.about["tolerance_deg"]), "deg")
    files = [
        scatter_figure(figure_path(stem, "scatter"), target, near_target, tolerance, name),
        curve_figure(figure_path(stem, "tolerance"), list(curve[0]), curve[1], "tolerance (deg)"),
        rose_figure(figure_path(stem, "rose"), said.error, said.period_deg),
        residual_figure(figure_path(stem, "residuals"), said.error, against, "error (deg)"),
    ]
    sigma = said.decoded[:, 1]
    predicted = np.isfinite(sigma)
    if predicted.any():
        shares = _shares_inside(said.take(predicted.nonzero()[0]))
        size, sigma = np.abs(said.error)[predicted], sigma[predicted]
        files.append(coverage_figure(figure_path(stem, "coverage"), shares, sigma, size, "deg"))
    return files


def _shares_inside(said: ScalarPredictions | AnglePredictions) -> dict[float, float]:
    """Share of the true values inside, by what is stated of the interval."""
    return {float(level) / 100: share for level, share in said.stated().shares().items()}


def scatter_figure(
    path: Path,
    target: np.ndarray,
    prediction: np.ndarray,
    tolerance: Tolerance,
    name: str,
    *,
    log_scale: bool = False,
) -> Path:
    """Prediction against target (N,) with the lines of the tolerance; ``log_scale`` needs positive targets."""
    figure, (axes,) = panel_grid(1, 1, 4.4, 4.2)
    shown = np.maximum(prediction, target.min() / 10) if log_scale else prediction
    low, high = float(min(target.min(), shown.min())), float(max(target.max(), shown.max()))
    ends = float(target.min()), float(target.max())
    line = np.geomspace(*ends, 100) if log_scale else np.linspace(*ends, 100)
    width = tolerance.width(line)
    axes.plot(line, line, color="0.3", linewidth=1)
    for sign in (-1, 1):
        end = line + sign * width
        visible = end > 0 if log_scale else np.ones(len(line), bool)
        label = tolerance.heading if sign > 0 else None
        axes.plot(line[visible], end[visible], color=COLOURS[1], linewidth=1, linestyle="--", label=label)
    axes.scatter(target, shown, s=6, alpha=_alpha(len(target)), color=COLOURS[0], linewidths=0)
    if log_scale:
        axes.set(xscale="log", yscale="log", ylim=(low / 1.2, 1.2 * high))
    axes.set(xlabel=f"true {name}", ylabel=f"predicted {name}")
    axes.legend(frameon=False, loc="upper left")
    return save_figure(figure, path)


def curve_figure(path: Path, tolerances: list[float], shares: list[float], label: str) -> Path:
    """Share of samples within every tolerance."""
    figure, (axes,) = panel_grid(1, 1, 4.2, 3.2)
    axes.plot(tolerances, shares, "o-", color=COLOURS[0])
    for x, y in zip(tolerances, shares, strict=True):
        axes.annotate(f"{y:.0%}", (x, y), xytext=(0, 6), textcoords="offset points", ha="center", fontsize=8)
    axes.set(xlim=(0, None), ylim=(0, 1.1), xlabel=label, ylabel="share within")
    return save_figure(figure, path)


def residual_figure(path: Path, error: np.ndarray, against: dict[str, np.ndarray], label: str) -> Path:
    """Histogram of errors (N,), then errors against every quantity (N,) of ``against`` with running medians."""
    figure, panels = panel_grid(1, 1 + len(against), 3.8, 3.2)
    low, high = np.quantile(error, [OUTLIER_SHARE, 1 - OUTLIER_SHARE])
    span = (low, high) if high > low else (low - 1, high + 1)
    panels[0].hist(np.clip(error, *span), N_HISTOGRAM, range=span, color=COLOURS[0])
    panels[0].axvline(0, color="0.3", linewidth=1)
    panels[0].axvline(np.median(error), color=COLOURS[1], linestyle="--", label=f"median {np.median(error):.3g}")
    panels[0].set(xlabel=label, ylabel="samples")
    panels[0].legend(frameon=False)
    for axes, (name, values) in zip(panels[1:], against.items(), strict=True):
        axes.scatter(values, error, s=6, alpha=_alpha(len(error)), color=COLOURS[0], linewidths=0)
        axes.plot(*running_medians(values, error), "o-", color=COLOURS[1], markersize=4, label="median")
        axes.axhline(0, color="0.3", linewidth=1)
        axes.set(xlabel=name, ylabel=label, ylim=_padded(span))
        axes.legend(frameon=False)
    return save_figure(figure, path)


def rose_figure(path: Path, error_deg: np.ndarray, period_deg: float = 360.0) -> Path:
    """Rose of angle errors (N,): north is no error, and the whole circle is one period."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2, 4.2), layout="constrained")
    axes: Any = figure.add_subplot(projection="polar")
    counts, edges = np.histogram(error_deg, 36, (-period_deg / 2, period_deg / 2))
    centre = np.radians((edges[:-1] + edges[1:]) / 2 * 360 / period_deg)
    # Areas are what the eye compares, hence the root.
    axes.bar(centre, np.sqrt(counts), width=2 * np.pi / 36, color=COLOURS[0], edgecolor="white", linewidth=0.5)
    axes.set_theta_zero_location("N")
    axes.set_theta_direction(-1)
    places = np.arange(0, 360, 45)
    signed = wrapped_difference_deg(places * period_deg / 360, 0.0, period_deg)
    axes.set_xticks(np.radians(places), [f"{angle:g}°" for angle in signed])
    axes.set_yticks([])
    axes.set_title(f"error, n = {len(error_deg)}", fontsize=10)
    return save_figure(figure, path)


def coverage_figure(path: Path, shares: dict[float, float], sigma: np.ndarray, size: np.ndarray, unit: str) -> Path:
    """Share of targets inside the intervals against what was stated, and absolute errors against sigmas (N,)."""
    figure, (left, right) = panel_grid(1, 2, 3.8, 3.4)
    left.plot([0, 1], [0, 1], color="0.6", linewidth=1, label="perfectly calibrated")
    left.plot(list(shares), list(shares.values()), "o", color=COLOURS[0], label="network")
    for stated, found in shares.items():
        left.annotate(f"{found:.0%}", (stated, found), xytext=(-8, 6), textcoords="offset points", ha="right")
    left.set(xlim=(0, 1.02), ylim=(0, 1.05), xlabel="stated probability of the interval", ylabel="share inside")
    left.legend(frameon=False, loc="upper left")
    right.scatter(sigma, size, s=6, alpha=_alpha(len(size)), color=COLOURS[0], linewidths=0)
    centre, median = running_medians(sigma, size)
    right.plot(centre, median, "o-", color=COLOURS[1], markersize=4, label="median error")
    right.plot(centre, 0.6745 * centre, color="0.3", linewidth=1, linestyle="--", label="expected (normal)")
    right.set(xlabel=_quantity("sigma", unit), ylabel=_quantity("absolute error", unit))
    right.set(
        xlim=(0, float(np.quantile(sigma, 0.99)) * 1.05 or 1), ylim=(0, float(np.quantile(size, 0.98)) * 1.05 or 1)
    )
    right.legend(frameon=False)
    return save_figure(figure, path)


def running_medians(values: np.ndarray, quantity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Medians of ``values`` and ``quantity`` (N,) in up to `N_RUNNING` bins of equal count; NaN values are left out."""
    known = np.flatnonzero(np.isfinite(values))
    ordered = known[np.argsort(values[known], kind="stable")]
    parts = [part for part in np.array_split(ordered, min(N_RUNNING, max(1, len(ordered) // 5))) if len(part)]
    medians = np.array([[np.median(values[part]), np.median(quantity[part])] for part in parts])
    return medians.reshape(-1, 2)[:, 0], medians.reshape(-1, 2)[:, 1]


def _quantity(name: str, unit: str) -> str:
    text = plain_text(name.replace("_", " "))
    return f"{text} ({plain_text(unit)})" if unit else text


def _alpha(n: int) -> float:
    """Opacity of points: the more there are, the fainter."""
    return float(np.clip(300 / max(n, 1), 0.1, 0.8))


def _padded(span: tuple[float, float]) -> tuple[float, float]:
    spare = 0.1 * (span[1] - span[0])
    return span[0] - spare, span[1] + spare
