"""Damaged, unstarted and hostile runs: each is listed with its reason and the others are compared."""

import copy
import json
import time

import pytest
from fake_runs import fake_clustering, fake_run

import seisvision.reports.comparing.report as report
from seisvision.cli import main
from seisvision.reports.comparing.collect import collect
from seisvision.reports.comparing.groups import compare
from seisvision.reports.comparing.page import render_page
from seisvision.reports.comparing.tables import comparison_csv, comparison_markdown


def edit(folder, *keys, value):
    """Put a value into ``metrics.json``."""
    metrics = json.loads((folder / "metrics.json").read_text())
    node = metrics
    for key in keys[:-1]:
        node = node[key]
    node[keys[-1]] = value
    (folder / "metrics.json").write_text(json.dumps(metrics))


def reasons(comparison):
    return {one.path.name: one.reason for one in comparison.left_out}


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("val",), None),
        (("test",), []),
        (("training", "monitor"), None),
        (("training", "monitor"), []),
        (("training", "seed"), "x"),
        (("outputs",), "x"),
        (("outputs",), ["x"]),
        (("outputs", 0, "kind"), "shape"),
        (("data", "events"), 60),
        (("data", "name"), None),
        (("baselines",), None),
        (("location", "network", "by_gap", 0), {"low": 3, "high": 5, "n": 20, "median_error_km": 3.0}),
        (("location", "network", "measures", "median_error_km"), "far"),
        (("test", "source_type", "confusion"), [[1, 2], [3]]),
        (("test", "source_type", "table_columns"), {"accuracy": None}),
        (("test", "source_type", "roc_auc"), {"value": 0.5, "n": "x"}),
    ],
    ids=str,
)
def test_damaged_metrics_are_listed_and_the_rest_is_compared(tmp_path, keys, value):
    fake_run(tmp_path / "good", n=10, parts=("test",))
    bad = fake_run(tmp_path / "bad", {"optimizer.lr": 2}, n=10, parts=("test",), located_km=30.0)
    edit(bad, *keys, value=value)
    comparison = compare(*collect([str(tmp_path)]))
    assert [run.path.name for run in comparison.runs] == ["good"]
    assert keys[0] in reasons(comparison)["bad"] or "is 'shape'" in reasons(comparison)["bad"]
    assert "broken" in reasons(comparison)["bad"] or "version" in reasons(comparison)["bad"]


@pytest.mark.parametrize("file", ["environment.json", "config.yaml", "overrides.yaml", "status.json"])
@pytest.mark.parametrize("content", ["[]", '{"git": "abc", "split": {"fold": "one"}, "state": 3}', "3", '"x"'])
def test_damaged_files_are_listed_and_the_rest_is_compared(tmp_path, file, content):
    fake_run(tmp_path / "good", n=10, parts=("test",))
    bad = fake_run(tmp_path / "bad", {"optimizer.lr": 2}, n=10, parts=("test",))
    (bad / file).write_text(content)
    comparison = compare(*collect([str(tmp_path)]))
    if (file, content) == ("overrides.yaml", "[]"):
        assert len(comparison.runs) == 2, "nothing was typed"
    else:
        assert [run.path.name for run in comparison.runs] == ["good"]
        assert "broken" in reasons(comparison)["bad"]


@pytest.mark.parametrize(
    ("key", "value"),
    [("nmi_history", [None]), ("n_clusters", "<script>alert(1)</script>"), ("sizes", [1, None]), ("kmeans_loss", []),
     ("agreement", {"source_type": "x"})],
)  # fmt: skip
def test_damaged_clusterings_are_listed(tmp_path, key, value):
    fake_clustering(tmp_path / "good")
    edit(fake_clustering(tmp_path / "bad"), "clustering", key, value=value)
    comparison = compare(*collect([str(tmp_path)]))
    assert [run.path.name for run in comparison.others] == ["good"]
    assert f"clustering.{key}" in reasons(comparison)["bad"]
    page = render_page(comparison)
    assert "<script>alert" not in page


def test_no_damage_of_one_value_stops_the_others(tmp_path):
    fake_run(tmp_path / "good", {"optimizer.lr": 1}, n=6, parts=("test",), located_km=30.0)
    bad = fake_run(tmp_path / "bad", {"optimizer.lr": 2}, n=6, parts=("test",), located_km=40.0)
    metrics = json.loads((bad / "metrics.json").read_text())
    metrics["location"]["network"].pop("by_stations")
    (tmp_path / "good" / "predictions.csv").unlink()
    for path in places(metrics):
        for value in (None, "x"):
            changed = copy.deepcopy(metrics)
            node = changed
            for key in path[:-1]:
                node = node[key]
            node[path[-1]] = value
            (bad / "metrics.json").write_text(json.dumps(changed))
            comparison = compare(*collect([str(tmp_path)]))
            assert "good" in {run.path.name for run in comparison.runs} | set(reasons(comparison)), (path, value)
            render_page(comparison), list(comparison_csv(comparison)), comparison_markdown(comparison)


def places(node, path=()):
    """Where values stand in stored metrics; of lists only the first."""
    items = node.items() if isinstance(node, dict) else list(enumerate(node))[:1] if isinstance(node, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


def test_what_no_check_finds_still_stops_only_its_own_run(tmp_path, monkeypatch):
    fake_run(tmp_path / "runs" / "good", n=10)
    fake_run(tmp_path / "runs" / "bad", {"optimizer.lr": 2}, n=10)
    drawn = report.render_page

    def fails(comparison, *args):
        if any(run.path.name == "bad" for run in comparison.runs):
            raise TypeError("a value nobody thought of")
        return drawn(comparison, *args)

    monkeypatch.setattr(report, "render_page", fails)
    out = tmp_path / "report.html"
    assert main(["compare", str(tmp_path / "runs"), "--out", str(out)]) == 0
    assert "broken: TypeError: a value nobody thought of" in out.read_text()
    assert "1 runs" in (tmp_path / "comparison.md").read_text()


def write_sweep(folder, points):
    """A sweep whose points are (run, error)."""
    folder.mkdir(parents=True)
    stored = [{"number": i, "overrides": [f"optimizer.lr={i}"], "run": run, "error": error, "monitor": None,
               "max_epochs": 3} for i, (run, error) in enumerate(points, 1)]  # fmt: skip
    (folder / "sweep.json").write_text(json.dumps({"points": stored, "created": "x"}))


@pytest.mark.parametrize("asked", ["sweeps/s1", "."], ids=["the sweep", "the folder around it"])
def test_points_of_a_sweep_without_a_run_are_listed(tmp_path, asked):
    fake_run(tmp_path / "r1", n=10)
    write_sweep(tmp_path / "sweeps" / "s1", [("../../r1", None), ("../../r2", None), (None, "a contradicts b")])
    runs, left_out, _ = collect([str(tmp_path / asked)])
    assert [run.path.name for run in runs] == ["r1"]
    assert [(one.path.name, one.state) for one in left_out] == [("r2", "pending"), ("s1", "failed")]
    assert "optimizer.lr=2" in left_out[0].reason and "not started" in left_out[0].reason
    assert "a contradicts b" in left_out[1].reason
    write_sweep(tmp_path / "sweeps" / "s2", [("../../r2", None)])
    assert len(collect([str(tmp_path)]).left_out) == 2, "a point of two sweeps is one run"
    fake_run(tmp_path / "r2", {"optimizer.lr": 2}, n=10)
    assert len(collect([str(tmp_path / asked)]).runs) == 2


def test_a_damaged_sweep_is_listed(tmp_path):
    fake_run(tmp_path / "r1", n=10)
    write_sweep(tmp_path / "sweeps" / "s1", [])
    (tmp_path / "sweeps" / "s1" / "sweep.json").write_text('{"points": 3')
    runs, left_out, _ = collect([str(tmp_path)])
    assert len(runs) == 1 and "broken" in left_out[0].reason and left_out[0].path.name == "sweep.json"


def test_an_interrupted_watch_leaves_a_page_that_stays_still(tmp_path, monkeypatch):
    fake_run(tmp_path / "runs" / "a", n=10)
    out = tmp_path / "report.html"

    def sleep(seconds):
        assert 'http-equiv="refresh"' in out.read_text()
        fake_run(tmp_path / "runs" / "b", {"optimizer.lr": 2}, n=10)
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", sleep)
    assert main(["compare", str(tmp_path / "runs"), "--out", str(out), "--watch", "7"]) == 130
    assert 'http-equiv="refresh"' not in out.read_text()
    assert "2 runs" in (tmp_path / "comparison.md").read_text(), "what finished meanwhile is in it"


def test_a_watch_survives_a_run_that_is_damaged_while_it_waits(tmp_path, monkeypatch):
    fake_run(tmp_path / "runs" / "a", n=10)
    bad = fake_run(tmp_path / "runs" / "b", {"optimizer.lr": 2}, n=10)
    out, rounds = tmp_path / "report.html", []

    def sleep(seconds):
        rounds.append(out.read_text())
        if len(rounds) == 1:
            (bad / "environment.json").write_text("[]")
            edit(bad, "val", value=None)
        elif len(rounds) == 2:
            (tmp_path / "runs").rename(tmp_path / "moved")
        else:
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", sleep)
    assert main(["compare", str(tmp_path / "runs"), "--out", str(out), "--watch", "7"]) == 130
    assert len(rounds) == 3 and "broken: metrics.json" in rounds[1]
