"""The report on the whole Seismic Atlas, made of stored runs alone."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seisvision import spreadsheets
from seisvision.atlas.lines import Line
from seisvision.atlas.presets import Preset, Stage
from seisvision.atlas.stages import Done
from seisvision.atlas.statements import FOOTNOTES, lines_of
from seisvision.evaluation.tables import format_measure, format_seconds, is_share, markdown_text, render_table
from seisvision.files import write_text
from seisvision.records.folder import write_json

HEAD = [
    "statement",
    "what",
    "mode",
    "published",
    "ours [95 %]",
    "n",
    "metric",
    "",
    "protocol",
    "split",
    "data",
    "run",
    "notes",
]
PAIR_HEAD = ["a", "b", "a minus b", "p (adjusted)", "verdict"]


def write_report(preset: Preset, done: Mapping[str, Done], folder: Path, runs_dir: Path) -> Path:
    """Write ``report.md``, ``report.csv`` and ``report.json`` and return the first.

    Args:
        preset: the stages.
        done: what became of them.
        folder: where to write.
        runs_dir: run folders are named relative to it.
    """
    lines = lines_of(preset, done)
    tests = {
        stage.name: compare_runs(role, done[stage.name].runs[role])
        for stage in preset.stages
        if stage.kind in ("runs", "protocol") and stage.name in done
        for role in ("compare", "runs")
        if len(done[stage.name].runs.get(role, ())) > 1
    }
    table = [line.to_dict() for line in lines]
    write_text(folder / "report.csv", _csv(table))
    stages = {stage.name: _stage_dict(stage, done.get(stage.name)) for stage in preset.stages}
    write_json(folder / "report.json", {"preset": preset.name, "lines": table, "tests": tests, "stages": stages})
    path = folder / "report.md"
    write_text(path, _markdown(preset, done, lines, tests, runs_dir))
    return path


def compare_runs(role: str, folders: Sequence[str]) -> list[dict[str, Any]]:
    """Differences of all pairs of configurations on the same samples, with intervals that hold together."""
    from seisvision.reports.comparing.collect import collect
    from seisvision.reports.comparing.groups import compare
    from seisvision.reports.comparing.pairs import Said, compare_pairs

    runs = collect(folders).runs
    comparison = compare(runs)
    if len(comparison.groups) < 2:
        return []
    output = comparison.outputs[0]
    share = is_share(comparison.headline(output["name"]))
    return [
        {
            "a": comparison.groups[pair.a].name,
            "b": comparison.groups[pair.b].name,
            "measure": f"{comparison.part} {comparison.headline(output['name'])}",
            "difference": pair.difference.to_dict(),
            "text": format_measure(pair.difference, percent=share),
            "p_adjusted": None if pair.p_adjusted != pair.p_adjusted else pair.p_adjusted,
            "runs": list(pair.n_runs),
            "is_of_models": pair.is_of_models,
            "is_different": pair.is_different,
            "verdict": pair.verdict,
        }
        for pair in compare_pairs(comparison.groups, Said(output, comparison.part))
    ]


def _stage_dict(stage: Stage, done: Done | None) -> dict[str, Any]:
    state = "not done" if done is None else done.state
    return {"title": stage.title, "mode": stage.mode, "state": state, "error": done.error if done else None}


def _markdown(
    preset: Preset,
    done: Mapping[str, Done],
    lines: Sequence[Line],
    tests: Mapping[str, Sequence[Mapping[str, Any]]],
    top: Path,
) -> str:
    used = [name for name in FOOTNOTES if any(name in line.notes for line in lines)]
    number = {name: str(i) for i, name in enumerate(used, start=1)}
    blocks = [
        f"# The Seismic Atlas, preset {markdown_text(preset.name)}",
        markdown_text(preset.note),
        "Published values were found on events that are not public, ours on synthetic ones. Intervals are 95 %, over "
        "events.",
    ]
    for mode, heading in (("paper", "As published"), ("careful", "As it should be done")):
        shown = [line for line in lines if line.mode == mode]
        rows = [_row(line, number, top, before) for line, before in zip(shown, [None, *shown], strict=False)]
        blocks += [f"## {heading} ({mode} mode)", render_table(HEAD, rows, "markdown")]
    blocks.append("## Differences")
    blocks.append(
        "On the samples that both predicted. The intervals of a table hold together (Bonferroni), and a verdict is "
        "given where one excludes zero. Where a side was trained once they are over events only and speak of these "
        "trained networks: another seed may turn the order round."
    )
    for stage in preset.stages:
        if tests.get(stage.name):
            measure = tests[stage.name][0]["measure"]
            heading = f"{stage.title} ({stage.mode}; {', '.join(stage.statements)}): {measure}"
            blocks += [markdown_text(heading), _pairs(tests[stage.name])]
    blocks += ["## Notes", "\n".join(f"{number[name]}. {FOOTNOTES[name]}" for name in used)]
    blocks += [
        "## Stages",
        render_table(["stage", "mode", "state", "time of the last call", "error"], _states(preset, done), "markdown"),
    ]
    return "\n\n".join(blocks) + "\n"


def _row(line: Line, number: Mapping[str, str], top: Path, before: Line | None) -> list[str]:
    """Cells of a line; what it was found on is not repeated where the line before was found on the same."""
    n = str(line.measure.n) if line.measure else ""
    run = Path(line.run)
    where = str(run.relative_to(top)) if line.run and run.is_relative_to(top) else line.run
    notes = " ".join(number[name] for name in line.notes)
    values = [line.statement, line.about, line.mode, line.published, line.ours, n, line.metric, line.verdict]
    if before is not None and line.run and line.run == before.run:
        return [*values, "same run", "", "", "", notes]
    return [*values, line.protocol, line.split_hash, line.fingerprint, where, notes]


def _pairs(pairs: Sequence[Mapping[str, Any]]) -> str:
    rows = [[pair["a"], pair["b"], pair["text"], _p_text(pair["p_adjusted"]), pair["verdict"]] for pair in pairs]
    return render_table(PAIR_HEAD, rows, "markdown")


def _p_text(value: float | None) -> str:
    return "" if value is None else f"{value:.2g}"


def _states(preset: Preset, done: Mapping[str, Done]) -> list[list[str]]:
    rows = []
    for stage in preset.stages:
        result = done.get(stage.name)
        seconds = format_seconds(result.seconds) if result else ""
        rows.append(
            [stage.name, stage.mode, result.state if result else "not done", seconds, (result and result.error) or ""]
        )
    return rows


def _csv(table: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    if table:
        writer = spreadsheets.DictWriter(text, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
    return text.getvalue()
