"""Sections of the report that come from stored measures and settings: leaderboard, tests, settings, sources."""

from __future__ import annotations

import math
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seisvision.evaluation.intervals import Measure
from seisvision.evaluation.tables import format_measure, format_number, format_seconds, is_share
from seisvision.experiments.supervised.results import strongest_first
from seisvision.pages.charts import (
    COLOURS,
    Axis,
    Curve,
    colour,
    esc,
    is_number,
    line_chart,
    parallel_chart,
    spread,
    whisker,
)
from seisvision.records.history import read_history
from seisvision.records.measures import stored_measures
from seisvision.records.winner import CHOSEN
from seisvision.reports.comparing.groups import MISSING, Comparison, Group, Summary, badness
from seisvision.reports.comparing.pairs import Pair
from seisvision.reports.comparing.tables import spread_text

OF_THE_MACHINE = (
    "system.",
    "logger",
    "launcher",
    "hydra",
    "trainer.devices",
    "trainer.num_nodes",
    "trainer.accelerator",
)
MOST_CURVES = 60
"""Runs whose learning curves are drawn."""
SEEDS_DRAWN = 3
MOST_AXES = 8
FEWEST_AXES = 3
"""Settings that must vary before lines through them are worth drawing."""
MOST_LINES = 2000


def tag(group: Group, number: int) -> str:
    """The letter of a group in its colour."""
    return f'<span class="tag {colour(number)}">{esc(group.label)}</span>'


def leaderboard_section(comparison: Comparison, output: str, choice: str = "") -> str:
    """All groups with mean, spread and interval; every column can be sorted by; ``choice`` says what was chosen how."""
    part, columns = comparison.part, comparison.columns(output)
    headline = comparison.headline(output)
    found = [group.summary(part, output, headline) for group in comparison.groups]
    ends = [end for one in found if one for end in (one.low, one.mean, one.high)]
    limits = spread(ends)
    heads = [("", ""), ("configuration", ""), ("runs", "num")]
    heads += [(f"{part} {text}", "num") for text in columns.values()]
    chosen = f" ({CHOSEN})" if any(run.metrics.get("val") for run in comparison.runs) else ""
    heads += [(f"val {columns.get(headline, headline)}{chosen}", "num")] if part != "val" else []
    heads += [("parameters", "num"), ("GFLOP a picture", "num"), ("samples/s", "num"), ("training time", "num")]
    best_first = ["ascending", "ascending", "descending"]
    best_first += ["ascending" if badness(key, 1.0) > 0 else "descending" for key in columns]
    best_first += ["ascending" if badness(headline, 1.0) > 0 else "descending"] if part != "val" else []
    best_first += ["ascending", "ascending", "descending", "ascending"]
    head = "".join(
        f'<th scope="col" class="{style}" data-first="{first}">'
        f'<button type="button">{esc(text) or "rank"}</button></th>'
        for (text, style), first in zip(heads, best_first, strict=True)
    )
    table_id = f"leaderboard-{esc(output)}"
    rows = "".join(
        _leaderboard_row(comparison, group, number, output, limits) for number, group in enumerate(comparison.groups)
    )
    search = (
        f'<p><label class="small soft">Filter <input type="search" data-filter="{table_id}" '
        f'placeholder="words of a configuration"></label></p>'
        if len(comparison.groups) > 10
        else ""
    )
    order = {("val", "test"): "The best on validation is first, so the test numbers had no say in the order. ",
             ("test", "test"): "The order is by the test numbers, so those of the first are too good. "}.get(
        (comparison.ordered_by, part) if len(comparison.groups) > 1 else ("", ""), "")  # fmt: skip
    alone = " Of a single run it is over events: it speaks of that trained network." if any(
        len(group.runs) == 1 for group in comparison.groups
    ) else ""  # fmt: skip
    return (
        f'<p class="soft">{order}Mean over the runs of a configuration (its seeds and folds), with the '
        f"{comparison.level_text} interval over events and runs together, and the standard deviation (sd) "
        f"over runs.{alone} {esc(choice)}</p>{search}"
        f'<div class="{"tall" if len(comparison.groups) > 14 else "scroll"}"><table class="wide" id="{table_id}">'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>{_baselines(comparison, output)}"
    )


def _leaderboard_row(
    comparison: Comparison, group: Group, number: int, output: str, limits: tuple[float, float]
) -> str:
    part, style = comparison.part, colour(number)
    cells = [f'<td data-v="{number + 1}">{tag(group, number)}</td>', _name_cell(group)]
    cells.append(_sortable(len(group.runs), str(len(group.runs))))
    for key in comparison.columns(output):
        found = group.summary(part, output, key)
        is_first = key == comparison.headline(output)
        cells.append(_measure_cell(found, key, limits if is_first else None, style))
    if part != "val":
        headline = comparison.headline(output)
        cells.append(_measure_cell(group.summary("val", output, headline), headline, None, style))
    cells.append(_sortable(group.parameters, f"{group.parameters:,}"))
    cells.append(_sortable(group.flops, format_number(group.flops / 1e9)))
    cells.append(_sortable(group.samples_per_s, format_number(group.samples_per_s)))
    cells.append(_sortable(group.seconds, format_seconds(group.seconds)))
    return f"<tr>{''.join(cells)}</tr>"


def _name_cell(group: Group) -> str:
    """The name; everything that was typed as a tip."""
    typed = esc("\n".join(scientific(group.first.overrides)))
    tip = f' data-tip="{typed}"' if typed else ""
    return f'<th scope="row" class="name"{tip}>{esc(group.name)}</th>'


def _sortable(value: float, text: str) -> str:
    sort = "" if math.isnan(value) else repr(value)
    return f'<td class="num" data-v="{sort}">{text}</td>'


def _measure_cell(found: Summary | None, name: str, limits: tuple[float, float] | None, style: str) -> str:
    """Mean; for the headline also interval, spread, n and the interval drawn to a common scale."""
    if found is None:
        return '<td class="num" data-v="">-</td>'
    share = is_share(name)
    text = format_measure(Measure(found.mean), percent=share)
    below = f"sd {spread_text(found, name)}" if math.isfinite(found.sd) else ""
    if limits is None:
        sub = f'<span class="sub">{below}</span>' if below else ""
        return f'<td class="num" data-v="{found.mean!r}">{text}{sub}</td>'
    interval = format_measure(found.measure, percent=share).partition("[")[2]
    said = [f"[{interval}" if interval else "", below, f"n {found.n_samples:,}"]
    drawn = whisker(found.low, found.mean, found.high, limits, style)
    return (
        f'<td class="num" data-v="{found.mean!r}"><b>{text}</b>'
        f'<span class="sub">{", ".join(filter(None, said))}</span>{drawn}</td>'
    )


def _baselines(comparison: Comparison, output: str) -> str:
    """What simple methods reach on the samples of the best group."""
    part, columns = comparison.part, comparison.columns(output)
    run = next((run for run in comparison.runs if output in run.metrics["baselines"]), None)
    if run is None:
        return ""
    stored = run.baselines(output)
    strongest: dict[str, Any] = (run.metrics.get("strongest_baseline") or {}).get(output) or {}
    rows = []
    for name in strongest_first(stored, strongest):
        measures = stored_measures(stored[name].get(part) or {})
        cells = "".join(
            f'<td class="num">{format_measure(measures.get(key), percent=is_share(key))}</td>' for key in columns
        )
        rows.append(f'<tr class="baseline"><th scope="row">{esc(name)}</th>{cells}</tr>' if measures else "")
    if not any(rows):
        return ""
    head = "".join(f'<th scope="col" class="num">{esc(part)} {esc(text)}</th>' for text in columns.values())
    to_beat = ""
    if strongest:
        to_beat = f" The one to beat is {esc(strongest['name'])}, the strongest on {esc(strongest['chosen_on'])}."
    return (
        f"<h3>Without a network</h3><p class='soft'>Baselines fitted on the same training samples.{to_beat}</p>"
        f'<div class="scroll"><table><thead><tr><td></td>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def pairs_section(comparison: Comparison, groups: Sequence[Group], pairs: Sequence[Pair], name: str) -> str:
    """Which differences are real: the neighbours of the best in words, and all pairs as a matrix."""
    share = is_share(name)
    words = "".join(f"<li>{_in_words(pair, groups, share)}</li>" for pair in pairs if pair.a == 0)
    good = "negative" if badness(name, 1.0) > 0 else "positive"
    found = {(pair.a, pair.b): pair for pair in pairs}
    head = "".join(f'<th scope="col">{tag(group, i)}</th>' for i, group in enumerate(groups))
    rows = []
    for i, group in enumerate(groups):
        cells = "".join(_pair_cell(found, i, j, groups, share) for j in range(len(groups)))
        rows.append(f'<tr><th scope="row">{tag(group, i)}</th>{cells}</tr>')
    intervals = f"{comparison.level_text} interval"
    if len(pairs) > 1:
        intervals += f"s of all {len(pairs)} pairs, which hold together (Bonferroni)"
    together = f"A verdict is given where zero lies outside the {intervals}."
    return (
        f'<p class="soft">{esc(name.replace("_", " "))} on the same {comparison.part} samples. {esc(_about(pairs))} '
        f'{together}</p><ul class="words">{words}</ul><div class="scroll"><table class="matrix">'
        f'<caption class="small">Row minus column, {good} where the row is better; bold where the interval excludes '
        "zero; p adjusted for the number of pairs.</caption>"
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _about(pairs: Sequence[Pair]) -> str:
    """What the intervals of these pairs hold."""
    models = "They hold what other events and other training runs on the same training events would change."
    networks = (
        "Where a side was trained once, they hold other events only and speak of these trained networks: another seed "
        "may turn the order round."
    )
    tested = [pair.is_of_models for pair in pairs if math.isfinite(pair.p_value)]
    return " ".join(text for text, is_shown in ((models, any(tested)), (networks, not all(tested))) if is_shown)


def _in_words(pair: Pair, groups: Sequence[Group], share: bool) -> str:
    a, b = groups[pair.a], groups[pair.b]
    start = f"{tag(a, pair.a)} against {tag(b, pair.b)} "
    said = esc(pair.verdict_of(a.label))
    if not math.isfinite(pair.p_value):
        return f'{start}<span class="soft">{said}</span>'
    value = _signed(pair.difference.value, share) + (" points" if share else "")
    interval = f"[{_signed(pair.difference.low, share)}, {_signed(pair.difference.high, share)}]"
    verdict = f"<b>{said}</b>" if pair.is_different else said
    about = [f"p {pair.p_value:.2g}", f"adjusted {pair.p_adjusted:.2g}", f"{pair.n_samples:,} common samples"]
    about.append(pair.repeats)
    return f'{start}{value} {interval}: {verdict} <span class="soft">({", ".join(about)})</span>'


def _pair_cell(found: dict[tuple[int, int], Pair], i: int, j: int, groups: Sequence[Group], share: bool) -> str:
    pair = found.get((min(i, j), max(i, j)))
    if pair is None:
        return '<td class="open">·</td>'
    said = esc(pair.verdict_of(groups[pair.a].label))
    if not math.isfinite(pair.p_value):
        return f'<td class="open" data-tip="{said}">-</td>'
    value = pair.difference.value if i < j else -pair.difference.value
    style = "sure" if pair.is_different else "open"
    return (
        f'<td class="{style}" data-tip="{said}">{_signed(value, share)}'
        f'<span class="sub">p {pair.p_adjusted:.2g}</span></td>'
    )


def _signed(value: float, share: bool) -> str:
    if math.isnan(value):
        return "-"
    value += 0.0 if abs(value) > 5e-4 else -value
    return f"{value * 100:+.1f}" if share else f"{value:+.3g}" if abs(value) < 100 else f"{value:+.0f}"


def settings_section(comparison: Comparison, groups: Sequence[Group]) -> str:
    """The settings that differ, and only those."""
    if not comparison.differing:
        return '<p class="soft">All runs have the same scientific settings.</p>'
    head = "".join(f'<th scope="col">{tag(group, i)}</th>' for i, group in enumerate(groups))
    rows = []
    for key in comparison.differing:
        n = len({str(group.differing[key]) for group in comparison.groups})
        cells = "".join(f"<td>{esc(value_text(group.differing[key]))}</td>" for group in groups)
        rows.append(f'<tr><th scope="row" class="mono">{esc(key)}</th><td class="num">{n}</td>{cells}</tr>')
    note = f" The first {len(groups)} configurations are shown." if len(groups) < len(comparison.groups) else ""
    return (
        f'<p class="soft">Everything else is the same in all runs.{note}</p>'
        f'<div class="{"tall" if len(rows) > 25 else "scroll"}"><table><thead><tr><th scope="col">setting</th>'
        f'<th scope="col" class="num">values</th>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    )


def value_text(value: Any) -> str:
    """A setting's value in short: the class of a target, a number in few digits."""
    if isinstance(value, str) and value.startswith("seisvision.") and " " not in value:
        return value.rpartition(".")[2]
    return f"{value:g}" if isinstance(value, float) else str(value)


def curves_section(comparison: Comparison) -> str:
    """Learning curves of the monitored measure and the losses; the first groups in colour."""
    shown = [(number, group, run) for number, group in enumerate(comparison.groups)
             for run in group.runs[: SEEDS_DRAWN if number < COLOURS else 1]][:MOST_CURVES]  # fmt: skip
    histories = [(number, group, run, read_history(run.folder.history_file)) for number, group, run in shown]
    names = dict.fromkeys([run.training["monitor"][0] for run in comparison.runs] + ["val/loss", "train/loss"])
    panels = []
    for name in names:
        curves = []
        for number, group, run, history in histories:
            if history.get(name):
                title = f"{group.label} {group.name}, seed {run.seed}" + (
                    "" if run.fold is None else f", fold {run.fold}"
                )
                key = group.label if run is group.first and number < COLOURS else ""
                curves.append(Curve(title, history[name], colour(number), key, faint=number >= COLOURS))
        if curves:
            percent = is_share(name.rpartition("/")[2].removeprefix(f"{comparison.outputs[0]['name']}_"))
            chart = line_chart(f"{name} by epoch", curves, "epoch", percent=percent)
            panels.append(f'<figure class="card"><figcaption>{esc(name)}</figcaption>{chart}</figure>')
    if not panels:
        return '<p class="soft">No run stored what it logged in training (metrics.csv).</p>'
    less = f" {len(shown)} of {len(comparison.runs)} runs are drawn." if len(shown) < len(comparison.runs) else ""
    return (
        f'<p class="soft">Hover, or focus a chart and use the arrow keys, to read values.{less}</p>'
        f'<div class="cards broad">{"".join(panels)}</div>'
    )


def sweep_axes(comparison: Comparison) -> list[str]:
    """Settings that vary independently: of those that change together the one that was typed, else the first."""
    typed = {one.partition("=")[0].lstrip("+") for run in comparison.runs for one in run.overrides}
    ordered = sorted(comparison.differing, key=lambda key: key not in typed)
    partitions: dict[tuple[int, ...], str] = {}
    for key in ordered:
        names: dict[str, int] = {}
        pattern = tuple(names.setdefault(str(group.differing[key]), len(names)) for group in comparison.groups)
        partitions.setdefault(pattern, key)
    return list(partitions.values())[:MOST_AXES]


def sweep_section(comparison: Comparison) -> str:
    """Every configuration as a line through its settings to its measure; empty where too few settings vary."""
    keys, output = sweep_axes(comparison), comparison.outputs[0]["name"]
    if len(keys) < FEWEST_AXES or len(comparison.groups) < FEWEST_AXES:
        return ""
    headline = comparison.headline(output)
    groups = comparison.groups[:MOST_LINES]
    means = [found.mean if (found := group.summary(comparison.part, output, headline)) else None for group in groups]
    axes = [Axis(key, [_axis_value(group.differing[key]) for group in groups]) for key in keys]
    axes.append(Axis(f"{comparison.part} {comparison.columns(output).get(headline, headline)}", means))
    styles = [colour(i) if i < COLOURS else "cx rest" for i in range(len(groups))]
    tips = [
        "\n".join([f"{group.label} {group.name}", *[f"{key} = {value_text(group.differing[key])}" for key in keys],
                   f"{headline} {mean:.4g}" if mean is not None else ""])
        for group, mean in zip(groups, means, strict=True)
    ]  # fmt: skip
    chart = parallel_chart("Settings and measure of every configuration", axes, tips, styles)
    return (
        '<p class="soft">Each line is a configuration; those at the top of the leaderboard are in colour. '
        f'Settings that only change together are drawn once.</p><div class="card">{chart}</div>'
    )


def _axis_value(value: Any) -> Any:
    return value if is_number(value) else None if value == MISSING else value_text(value)


def sources_section(comparison: Comparison) -> str:
    """Where every number came from, and the command that makes it again."""
    heads = ["", "run", "seed", "fold", "git commit", "data", "split", "again with"]
    rows = "".join(_source_row(group, number) for number, group in enumerate(comparison.groups))
    head = "".join(f'<th scope="col">{text}</th>' for text in heads)
    return (
        '<p class="soft">A + behind a commit: the code had changes that were not committed. Commands leave out what '
        "belongs to the machine (system.* and the logger).</p>"
        f'<div class="tall"><table class="wide"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _source_row(group: Group, number: int) -> str:
    rows = []
    for run in group.runs:
        command = shlex.join(["python", "train.py", *scientific(run.overrides)])
        known = [run.commit or "unknown", run.fingerprint, run.split_hash]
        cells = f"<td>{run.seed}</td><td>{'-' if run.fold is None else esc(run.fold)}</td>"
        cells += "".join(f'<td class="id">{_code(text)}</td>' for text in known)
        rows.append(
            f'<tr><td>{tag(group, number)}</td><td class="folder">{_code(shown_path(run.path))}</td>{cells}'
            f'<td class="command">{_code(command)}</td></tr>'
        )
    return "".join(rows)


def scientific(overrides: Sequence[str]) -> list[str]:
    """Typed settings without those of the machine: folders and devices of another place would only mislead."""
    return [one for one in overrides if not one.lstrip("+~").startswith(OF_THE_MACHINE)]


def shown_path(path: Path) -> str:
    """A folder as it is seen from where the report is made, if it lies below."""
    here = Path.cwd()
    absolute = Path(os.path.realpath(path))
    return str(absolute.relative_to(here)) if absolute.is_relative_to(here) else str(path)


def _code(text: str) -> str:
    return f"<code>{esc(text)}</code>"


def left_out_section(comparison: Comparison) -> str:
    """Folders that are not compared, with the reason."""
    rows = "".join(
        f"<tr><td>{_code(shown_path(one.path))}</td><td>{esc(one.state)}</td><td>{esc(one.reason[:400])}</td></tr>"
        for one in comparison.left_out
    )
    return (
        f'<div class="{"tall" if len(comparison.left_out) > 15 else "scroll"}"><table class="wide"><thead><tr>'
        '<th scope="col">folder</th><th scope="col">state</th><th scope="col">why</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )
