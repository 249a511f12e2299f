"""What a sweep says of numbers that it chooses by."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from fake_runs import CLASS, SCALAR, fake_run

from seisvision.cli import main
from seisvision.records.folder import RunFolder
from seisvision.records.sweeps.folder import StoredPoint, SweepFolder
from seisvision.records.telling import describe_result, sweep_table
from seisvision.records.winner import is_selection, winner
from seisvision.sweeps.report import SweepReport, _is_current, status_table

MONITORED = {"class": ["val/source_type_accuracy", "max"], "scalar": ["val/offset_median_ae_km", "min"]}


def points(top, n, about=CLASS, differs="optimizer.lr", monitor=None, **more):
    """Run folders of a sweep whose objective is the validation value of the monitored measure."""
    folders, (name, mode) = [], monitor or MONITORED[about["kind"]]
    for number in range(n):
        settings = {differs: number} if differs != "seed" else {}
        seed = number if differs == "seed" else 1
        path = fake_run(top / str(number), settings, about=about, skill=0.6 + 0.001 * number, seed=seed, n=100, **more)
        metrics = json.loads((path / "metrics.json").read_text())
        found = metrics["val"][about["name"]].get(name.removeprefix(f"val/{about['name']}_"), {"value": 0.5})
        metrics["training"] |= {"monitor": [name, mode], "best_value": found["value"]}
        (path / "metrics.json").write_text(json.dumps(metrics))
        folders.append(RunFolder(path))
    return folders


def as_sweep(path, folders, monitor):
    path.mkdir(parents=True)
    sweep = SweepFolder(path)
    sweep.describe({}, [StoredPoint(i, [f"optimizer.lr={i}"], sweep.relative(one), None, monitor, 3)
                        for i, one in enumerate(folders, start=1)])  # fmt: skip
    return sweep


@pytest.mark.parametrize("about", [CLASS, SCALAR], ids=["class", "scalar"])
def test_the_best_point_is_marked_and_corrected(tmp_path, about, caplog, capsys):
    monitor = MONITORED[about["kind"]]
    sweep = as_sweep(tmp_path / "sweep", points(tmp_path / "runs", 6, about), monitor)
    states = SweepReport(sweep).update(at_once=True)
    best = yaml.safe_load(sweep.best_file.read_text())
    value, expected = best["objective"]["value"], best["expected_on_other_events"]
    assert expected < value if monitor[1] == "max" else expected > value
    assert best["objective"]["note"] == "chosen on these events"
    assert "chosen on these events" in status_table(states)
    caplog.set_level("INFO")
    assert main(["sweep", "best", str(sweep.path)]) == 0
    said = capsys.readouterr()
    assert "chosen on these events: the best of 6 points; about" in said.err + caplog.text
    assert said.out.strip() == " ".join(best["overrides"]), "the settings alone, for the shell"


def test_points_over_settings_show_no_test_numbers_and_seeds_do(tmp_path):
    tables = {name: sweep_table(points(tmp_path / name, 3, differs=name)) for name in ("optimizer.lr", "seed")}
    assert "test accuracy" not in tables["optimizer.lr"] and "--show-test" in tables["optimizer.lr"]
    assert "val: accuracy minus that of" in tables["optimizer.lr"] and "the best of 3 runs" in tables["optimizer.lr"]
    assert "test accuracy" in tables["seed"] and "--show-test" not in tables["seed"]
    assert "test: accuracy minus that of" in tables["seed"]
    assert all("of these trained networks" in table for table in tables.values())


def test_what_differs_in_seed_or_fold_alone_is_no_choice(tmp_path):
    assert not is_selection(points(tmp_path / "a", 2, differs="seed"))
    assert not is_selection(points(tmp_path / "b", 2, differs="split.fold"))
    assert is_selection(points(tmp_path / "c", 2))


def test_where_no_correction_can_be_given_there_is_none(tmp_path):
    assert winner(points(tmp_path / "loss", 3, monitor=["val/source_type_loss", "min"])) is None
    folders = points(tmp_path / "lost", 3)
    folders[1].predictions("val").unlink()
    assert winner(folders) is None and "worth about" not in sweep_table(points(tmp_path / "one", 1))


def test_the_result_of_a_run_says_of_what_its_numbers_are(tmp_path):
    folder = points(tmp_path, 1, parts=("val",))[0]
    assert "the epoch was chosen on these events" in describe_result(json.loads(folder.metrics_file.read_text()))
    tested = points(tmp_path / "tested", 1)[0]
    assert "chosen" not in describe_result(json.loads(tested.metrics_file.read_text()))


def test_a_table_written_before_a_run_ended_is_not_current(tmp_path: Path) -> None:
    """Its metrics are there earlier: a table that another run's end brought about may lie in between."""
    (folder,) = points(tmp_path / "runs", 1)
    sweep = SweepFolder(tmp_path / "sweep")
    sweep.path.mkdir()
    sweep.comparison_file.write_text("a table without this run")
    states = [SimpleNamespace(state="finished", folder=folder)]
    for path, time_s in ((folder.metrics_file, 1.0), (sweep.comparison_file, 2.0), (folder.status_file, 3.0)):
        os.utime(path, (time_s, time_s))
    assert not _is_current(sweep, states)  # type: ignore[arg-type]
    os.utime(sweep.comparison_file, (4.0, 4.0))
    assert _is_current(sweep, states)  # type: ignore[arg-type]
