"""``seisvision compare`` on runs that were really trained."""

from pathlib import Path

from tiny_runs import tiny_config

from seisvision.cli import main
from seisvision.reports.comparing.collect import collect
from seisvision.reports.comparing.groups import compare
from seisvision.runs.ensure import ensure_run


def test_a_sweep_of_two_runs_becomes_a_report(data_dir: Path, tmp_path: Path) -> None:
    for lr in ("0.001", "0.0001"):
        overrides = ["trainer.max_epochs=1", f"optimizer.lr={lr}"]
        ensure_run(tiny_config(data_dir, tmp_path / "runs", *overrides), overrides)
    out = tmp_path / "report.html"
    assert main(["compare", str(tmp_path / "runs"), "--out", str(out)]) == 0
    comparison = compare(*collect([str(tmp_path / "runs")]))
    assert comparison.differing == ["optimizer.lr"]
    assert {group.name for group in comparison.groups} == {"resnet18 lr=0.001", "resnet18 lr=0.0001"}
    assert not comparison.left_out
    page = out.read_text()
    events = comparison.runs[0].metrics["data"]["events"][comparison.part]
    assert f"{events} events" in page and "interval" in page
    assert "val/loss" in page and "data:image/png;base64," in page
    assert "python train.py trainer.max_epochs=1 optimizer.lr=0.001" in page
