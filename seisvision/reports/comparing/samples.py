"""Sections of the report that come from single predictions: errors by group, and samples on which groups disagree."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np

from seisvision.errors import SeisvisionError
from seisvision.evaluation.tables import UNDEFINED
from seisvision.outputs.kinds import predictions_class
from seisvision.outputs.predictions import Predictions
from seisvision.pages.charts import colour, esc, histogram_chart, number_text, scatter_chart, spread
from seisvision.reports.comparing.gallery import SamplePictures
from seisvision.reports.comparing.groups import Comparison, Group
from seisvision.reports.comparing.pairs import Said, common_samples
from seisvision.reports.comparing.sections import tag

MOST_DOTS = 250
"""Points of a scatter plot."""
BINS = 31
MOST_SAMPLES = 40
"""Samples that the gallery lists."""
SHOWN_AT_ONCE = 8
PICTURES = ("*_seen.png", "*_wrong.png", "*_confusion.png")
LOOKED = ("*_gradcam.png",)
MOST_PICTURE_BYTES = 700_000
ALL_PICTURE_BYTES = 2_500_000
LOOKED_BYTES = 2_500_000


def errors_section(groups: Sequence[Group], said: Said, part: str) -> str:
    """Confusion matrices of classes; predictions against targets and residuals of numbers and angles."""
    chart = predictions_class(said.output["kind"]).error_chart
    if chart == "confusion":
        names = [str(name) for name in said.output["class_names"]]
        cards = [_confusion_card(group, i, str(said.output["name"]), part, names) for i, group in enumerate(groups)]
        note = '<p class="soft">Rows are true classes; all runs of a group added.</p>'
        return f'{note}<div class="cards{" broad" if len(names) > 3 else ""}">{"".join(cards)}</div>'
    if chart != "residuals":
        return ""
    known = []
    for number, group in enumerate(groups):
        try:
            known.append((number, group, said.of(group.first)))
        except SeisvisionError:
            continue
    if not known:
        return '<p class="soft">No table of predictions can be read.</p>'
    edges = _bin_edges([one for _, _, one in known])
    shares = [_error_shares(_errors(one), edges) for _, _, one in known]
    limits = _limits([one for _, _, one in known])
    most = max(max(some) for some in shares)
    cards = [_residual_card(item, edges.tolist(), some, most, limits)
             for item, some in zip(known, shares, strict=True)]  # fmt: skip
    return (
        f'<p class="soft">The first run of every group on the {part} samples; the outermost bars hold what lies '
        f'beyond. All charts have the same scales.</p><div class="cards">{"".join(cards)}</div>'
    )


def _confusion_card(group: Group, number: int, output: str, part: str, names: Sequence[str]) -> str:
    total = np.zeros((len(names), len(names)), dtype=int)
    for run in group.runs:
        stored = run.metrics.get(part, {}).get(output, {}).get("confusion")
        if stored is not None and np.shape(stored) == total.shape:
            total += np.asarray(stored, dtype=int)
    share = total / np.maximum(total.sum(1, keepdims=True), 1)

    def cell(i: int, j: int) -> str:
        tip = esc(f"{names[i]} called {names[j]}: {share[i, j]:.1%}")
        return f'<td style="--share:{share[i, j]:.2f}" data-tip="{tip}">{total[i, j]}</td>'

    head = "".join(f'<th scope="col">{esc(name)}</th>' for name in names)
    rows = "".join(
        f'<tr><th scope="row">{esc(name)}</th>' + "".join(cell(i, j) for j in range(len(names))) + "</tr>"
        for i, name in enumerate(names)
    )
    return (
        f'<figure class="card {colour(number)}"><figcaption>{tag(group, number)}{esc(group.name)}</figcaption>'
        f'<div class="scroll"><table class="confusion{" many" if len(names) > 3 else ""}">'
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{rows}</tbody></table></div></figure>"
    )


def _errors(one: Predictions) -> np.ndarray:
    error: np.ndarray = one.error  # type: ignore[attr-defined]
    return error[np.isfinite(error)]


def _error_shares(errors: np.ndarray, edges: np.ndarray) -> list[float]:
    """Share of the errors in each bin; the outermost hold what lies beyond."""
    counts = np.histogram(np.clip(errors, edges[0], edges[-1]), edges)[0]
    return (counts / max(1, len(errors))).tolist()


def _bin_edges(several: Sequence[Predictions]) -> np.ndarray:
    """Bins symmetric about zero that hold 98 % of all errors."""
    size = np.abs(np.concatenate([_errors(one) for one in several]))
    reach = float(np.quantile(size, 0.98)) if len(size) else 1.0
    return np.linspace(-(reach or 1.0), reach or 1.0, BINS + 1)


def _limits(several: Sequence[Any]) -> tuple[float, float]:
    return several[0].axis_limits or spread(
        np.concatenate([one.target[np.isfinite(one.target)] for one in several]).tolist()
    )


def _residual_card(
    item: tuple[int, Group, Any],
    edges: list[float],
    shares: list[float],
    most: float,
    limits: tuple[float, float],
) -> str:
    number, group, one = item
    unit = one.unit
    rows = np.flatnonzero(np.isfinite(one.target) & np.isfinite(one.value))
    if len(rows) > MOST_DOTS:
        rows = rows[np.linspace(0, len(rows) - 1, MOST_DOTS).astype(int)]
    points = [
        (x, y, f"{_sample_name(one, row)}\ntarget {number_text(x)} {unit}, prediction {number_text(y)} {unit}")
        for row in rows.tolist()
        for x, y in [(float(one.target[row]), float(one.value[row]))]
    ]
    style = colour(number)
    scatter = scatter_chart(f"{group.name}: predictions against targets", points, limits, style, unit)
    bars = histogram_chart(f"{group.name}: residuals", edges, shares, most, style, f"prediction minus target {unit}")
    return (
        f'<figure class="card"><figcaption>{tag(group, number)}{esc(group.name)}</figcaption>{scatter}{bars}</figure>'
    )


def _sample_name(one: Predictions, row: int) -> str:
    """Event id, and the trace where samples are traces."""
    source, sample = one.source_ids[row], one.sample_ids[row]
    return source if source == sample else f"{source}, trace {sample}"


def disagreements_section(groups: Sequence[Group], said: Said) -> str:
    """Samples on which the groups disagree most; empty where fewer than two have the same samples."""
    same = [(i, group) for i, group in enumerate(groups)
            if (group.first.fingerprint, group.first.split_hash)
            == (groups[0].first.fingerprint, groups[0].first.split_hash)]  # fmt: skip
    shown: list[tuple[int, Group, Predictions]] = []
    for number, group in same:
        try:
            shown.append((number, group, said.of(group.first)))
        except SeisvisionError:
            continue
    if len(shown) < 2:
        return ""
    ids = common_samples([one for _, _, one in shown])
    if not ids:
        return ""
    aligned = [one.select(ids) for _, _, one in shown]
    score, n_split = type(aligned[0]).disagreement(aligned)
    order = [int(row) for row in np.argsort(-score, kind="stable")[:MOST_SAMPLES] if score[row] > 0]
    if not order:
        return '<p class="soft">The groups say the same on every sample.</p>'
    pictures = SamplePictures([(number, group) for number, group, _ in shown], str(said.output["name"]), said.part)
    tags = [tag(group, number) for number, group, _ in shown]
    cards = [_sample_card(aligned, row, tags, pictures) for row in order]
    galleries = [f'<div class="cards samples">{"".join(some)}</div>'
                 for some in (cards[:SHOWN_AT_ONCE], cards[SHOWN_AT_ONCE:])]  # fmt: skip
    more = f"<details><summary>{len(cards) - SHOWN_AT_ONCE} more</summary>{galleries[1]}</details>"
    what = f"on {n_split} of {len(ids)} samples not all say the same class" if n_split is not None else (
        f"of {len(ids)} samples, those with the widest range of predictions"
    )  # fmt: skip
    return (
        f'<p class="soft">The first run of every group: {what}. ✓ right (within the tolerance), ✗ wrong. Runs keep '
        f"pictures of some test samples, the worst first.</p>{galleries[0]}"
        f"{more if len(cards) > SHOWN_AT_ONCE else ''}"
    )


def _sample_card(aligned: Sequence[Predictions], row: int, tags: Sequence[str], pictures: SamplePictures) -> str:
    """Picture of a sample, where a run has one, above its target and what every group says."""
    first = aligned[0]
    name, target = _sample_name(first, row), first.target_text(row)
    picture = pictures.of(first.sample_ids[row])
    image = '<p class="soft small none">no picture stored</p>'
    if picture is not None:
        title = esc(f"{name}, target {target}, as {picture.group.label} saw it")
        image = (
            f'<button type="button" class="thumb"><img loading="lazy" alt="{title}" src="{picture.source}"></button>'
        )
    answers = "".join(
        f'<tr><th scope="row">{text}</th><td>{_answer(one, row)}</td></tr>'
        for text, one in zip(tags, aligned, strict=True)
    )
    return (
        f'<figure class="card sample">{image}<table><tbody><tr><td class="id" colspan="2"><code>{esc(name)}</code></td>'
        f'</tr><tr><th scope="row">target</th><td>{esc(target)}</td></tr>{answers}</tbody></table></figure>'
    )


def _answer(one: Predictions, row: int) -> str:
    text = one.answer_text(row)
    if not text:
        return UNDEFINED
    right = one.is_right(row)
    return f'{esc(text)} <span class="{"yes" if right else "no"}">{"✓" if right else "✗"}</span>'


def pictures_section(groups: Sequence[Group]) -> str:
    """Figures of the first run of every group, as many as fit."""
    cards = _picture_cards(groups, PICTURES, ALL_PICTURE_BYTES)
    if not cards:
        return ""
    return f'<details><summary>{len(cards)} pictures</summary><div class="cards">{"".join(cards)}</div></details>'


def looked_section(groups: Sequence[Group]) -> str:
    """Grad-CAM of the same samples, group by group; empty where no run has it."""
    cards = _picture_cards(groups, LOOKED, LOOKED_BYTES)
    if not cards:
        return ""
    return (
        '<p class="soft">Grad-CAM on samples of the first run of every configuration: what counted for the class that '
        "was predicted, or raised (red) and lowered (blue) a number. Where the rank correlation with a network of "
        "random weights, written above each, is far from zero, the maps tell of the architecture and not of what was "
        "learnt.</p>"
        f'<div class="cards looked">{"".join(cards)}</div>'
    )


def _picture_cards(groups: Sequence[Group], patterns: Sequence[str], most_bytes: int) -> list[str]:
    """Figures that match, inside the page, until they are too many bytes."""
    cards, left = [], most_bytes
    for pattern in patterns:
        for number, group in enumerate(groups):
            for path in sorted(group.first.folder.figures.glob(pattern))[:2]:
                size = path.stat().st_size
                if size > min(left, MOST_PICTURE_BYTES):
                    continue
                left -= size
                content = base64.b64encode(path.read_bytes()).decode()
                what = path.stem.replace("_", " ")
                title = esc(f"{group.label} {group.name}: {what}")
                cards.append(
                    f'<figure class="card"><figcaption>{tag(group, number)}{esc(what)}</figcaption>'
                    f'<button type="button" class="thumb"><img loading="lazy" alt="{title}" '
                    f'src="data:image/png;base64,{content}"></button></figure>'
                )
    return cards


def summary_line(comparison: Comparison, pairs: Sequence[Any]) -> str:
    """The outcome in one or two sentences."""
    if len(comparison.groups) < 2:
        return "One configuration was run, so there is nothing to compare it with yet."
    best, second = comparison.groups[:2]
    first = next((pair for pair in pairs if (pair.a, pair.b) == (0, 1)), None)
    verdict = f"against {second.label} ({second.name}): {first.verdict_of(best.label)}" if first is not None else ""
    where = {"val": "on validation", "test": "on test, by which it was chosen"}[comparison.ordered_by]
    return f"Best {where}: {best.label} ({best.name}). On {comparison.part} {verdict}."
