"""Stored results in words, of whichever kind of experiment they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seisvision.records.folder import RunFolder, read_json
from seisvision.records.integrity.attempts import tell_code
from seisvision.records.kinds import kind_of_metrics, result_of, result_reader
from seisvision.yaml_files import read_yaml


def describe_result(metrics: Mapping[str, Any]) -> str:
    """The result of a run as its kind tells it, and what is to be known of the code that made it."""
    return "\n\n".join([result_of(metrics).text(metrics), *tell_code(metrics)])


def sweep_table(folders: Sequence[RunFolder]) -> str:
    """One row a run, by what sets it apart; runs of different kinds in tables of their own."""
    names = run_names(folders)
    by_kind: dict[str, list[int]] = {}
    for number, folder in enumerate(folders):
        by_kind.setdefault(kind_of_metrics(read_json(folder.metrics_file)), []).append(number)
    tables = [
        result_reader(kind).table([names[number] for number in numbers], [folders[number] for number in numbers])
        for kind, numbers in by_kind.items()
    ]
    return "\n\n".join(tables)


def run_names(folders: Sequence[RunFolder]) -> list[str]:
    """Model, seed, and those of the typed settings that not all runs share."""
    typed = [[str(setting) for setting in read_yaml(folder.overrides_file)] for folder in folders]
    names = []
    for folder, settings in zip(folders, typed, strict=True):
        training = read_json(folder.metrics_file)["training"]
        apart = [setting for setting in settings if not all(setting in other for other in typed)]
        apart = [setting for setting in apart if not setting.startswith(("model=", "seed="))]
        names.append(" ".join([f"{training['model']} (seed {training['seed']})", *apart]))
    return names
