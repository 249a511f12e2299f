"""What whoever gets a network must know of it: what it says, of what, how well, and what it was not tried on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import seisvision
from seisvision.evaluation.tables import format_named
from seisvision.experiments.waveforms.settings import cut_section
from seisvision.experiments.waveforms.trained import TrainedNetwork
from seisvision.records.folder import RunFolder, read_json
from seisvision.records.known_events import learnt_from_synthetic
from seisvision.records.measures import stored_measures

NOT_STATED = "not stated"
SYNTHETIC_EVENTS = "- training events: all synthetic; no recorded event was learnt from or validated with"


def model_card(
    trained: TrainedNetwork,
    path: Path,
    about: Mapping[str, Any],
    to: str,
    difference: float,
    licence: str | None = None,
) -> str:
    """The card as Markdown.

    Args:
        trained: the network.
        path: run folder or checkpoint that it is from.
        about: input, outputs and view as they are exported.
        to: format.
        difference: largest one between the exported file and the original.
        licence: licence and citation, as whoever trained it states them.
    """
    takes, cut = about["input"], trained.config.dataset.section(cut_section(trained.task.view)) or {}
    made = trained.content.get("recordings") or {}
    window = cut.get("window", {})
    lines = [
        f"# Network of run {about['run_id']}",
        "",
        f"Exported to {to} by seisvision {seisvision.__version__}; differs from the original by at most "
        f"{difference:.1g} on random input.",
        "",
        "## Input",
        "",
        f"- `{takes['name']}`, float32 {takes['shape']}"
        + (f", components {takes['components']} at {takes['sampling_rate_hz']:g} Hz" if "components" in takes else ""),
        f"- window of {window.get('length_s')} s, from {window.get('start_s', 0)} s after the "
        f"{window.get('reference', 'start')}",
        f"- recordings learnt from: unit {made.get('unit') or NOT_STATED}, "
        f"response {made.get('response') or NOT_STATED}",
        *(f"- picture, {name}: {meaning}" for name, meaning in about["view"].items()),
        "",
        "## Output",
        "",
        *_outputs(about),
        "",
        "## Learnt from",
        "",
        f"- data set `{trained.config.dataset.name}`, fingerprint {trained.content['data_fingerprint']}",
        f"- split {trained.content['split_hash']}: "
        + ", ".join(f"{len(ids)} {part}" for part, ids in trained.content["split"].items()),
        *([SYNTHETIC_EVENTS] if learnt_from_synthetic(trained.content) else []),
        f"- model `{trained.config.model.get('_target_')}`, seed {trained.config.seed}",
        "",
        "## Measured",
        "",
        *_measured(path),
        "",
        "## Limits",
        "",
        "- Measured on the test samples above and on nothing else: other regions, networks of stations, instruments "
        "and noise may give other errors. Measure it on recordings of your own before you trust it.",
        "- What it says of recordings that are none of its classes is meaningless, however sure it is.",
        "",
        "## Licence and citation",
        "",
        licence
        or f"{NOT_STATED}: whoever trained it says under which licence it goes, and the card of its data set what "
        "those allow (`seisvision data card`).",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _outputs(about: Mapping[str, Any]) -> Iterator[str]:
    for output in about["outputs"]:
        facts = [f"{key} {output[key]}" for key in ("target", "unit", "class_names", "phases") if output.get(key)]
        yield f"- `{output['name']}` ({output['kind']}), {output['shape']}: {', '.join(map(str, facts))}"


def _measured(path: Path) -> Iterator[str]:
    """Measures of the test part of the run, with intervals, beside the strongest baseline."""
    folder = RunFolder(path if path.is_dir() else path.parent.parent)
    if not folder.metrics_file.is_file():
        yield "Nothing: the run folder was not given."
        return
    metrics = read_json(folder.metrics_file)
    for part in ("test", "val"):
        for output, said in (metrics.get(part) or {}).items():
            for name, measure in stored_measures(said).items():
                if name in said.get("table_columns", {}):
                    yield f"- {part}, {output}: {name} {format_named(name, measure)} (n {measure.n})"
            best = ((metrics.get("strongest_baseline") or {}).get(output) or {}).get("name")
            beside = ((metrics.get("baselines") or {}).get(output) or {}).get(best) or {}
            found = stored_measures(beside.get(part) or {}).get(said["headline"])
            if found is not None:
                shown = format_named(said["headline"], found)
                yield f"- {part}, {output}: the strongest baseline, {best}, has {said['headline']} {shown}"
