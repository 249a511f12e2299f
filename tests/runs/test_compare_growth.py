"""Comparisons of thousands of runs: what is kept of each is little, and reads as what was stored."""

from __future__ import annotations

import copy
import json
import math
import shutil
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import yaml
from fake_runs import CONFIG, fake_run

from seisvision.errors import ConfigurationError
from seisvision.reports.comparing.collect import collect
from seisvision.reports.comparing.groups import compare
from seisvision.reports.comparing.kept import Measures, Row, Shared
from seisvision.reports.comparing.tables import comparison_csv
from seisvision.yaml_files import FAST_LOADER, read_sections, read_yaml

ROOT = Path(__file__).parents[2]
MOST_BYTES = 14_000
"""Of memory that a run may take, half of which are 200 measures of four numbers; as dictionaries these take 80,000."""
UNWANTED = ("torch", "matplotlib", "sklearn", "obspy", "h5py")
PROBE = """
import sys
from seisvision.cli import main
main(sys.argv[1:])
print([name for name in {unwanted} if name in sys.modules])
"""


def measure(value: Any, n: Any = 60, **further: Any) -> dict[str, Any]:
    return {"value": value, "low": None, "high": 0.5, "n": n, **further}


def test_measures_read_as_what_was_stored() -> None:
    stored = {
        "headline": "mae_km",
        "mae_km": measure(0.1 + 0.2, kind="BCa"),
        "whole": measure(3),
        "none": measure(None),
        "odd": measure(float("inf"), n=0),
        "n_is_no_number": measure(0.5, n=None),
        "said": measure(0.5, unit="km"),
        "table_columns": {"mae_km": "mean error"},
        "confusion": [[1, 2], [3, 4]],
    }
    kept = Measures(copy.deepcopy(stored) | {"reliability": [1.0, 2.0]}, Shared())
    assert list(kept) == list(stored) and len(kept) == len(stored)
    assert json.dumps(dict(kept)) == json.dumps(stored)
    assert {name: type(one["value"]) for name, one in kept.items() if name in ("whole", "mae_km")} == {
        "mae_km": float, "whole": int,
    }  # fmt: skip
    with pytest.raises(KeyError):
        kept["reliability"]


def test_a_stored_nan_is_not_taken_for_null() -> None:
    assert math.isnan(Measures({"a": measure(math.nan)}, Shared())["a"]["value"])


def test_rows_of_the_same_names_share_them() -> None:
    shared = Shared()
    rows = [Row({"optimizer.lr": 10.0**-power, "view.style": "density"}, shared) for power in range(3)]
    assert [dict(row)["optimizer.lr"] for row in rows] == [1.0, 0.1, 0.01] and "model" not in rows[0]
    assert rows[0]._places is rows[2]._places


def test_little_is_kept_of_every_run(tmp_path: Path) -> None:
    first = fake_run(tmp_path / "runs" / "run000", n=10)
    metrics = json.loads((first / "metrics.json").read_text())
    for part in ("val", "test"):
        metrics[part]["source_type"] |= {f"measure_{number}": measure(0.5, kind="BCa") for number in range(100)}
    metrics["conformal"] = {"rows": [[float(number)] * 10 for number in range(300)]}
    n_runs = 60
    for number in range(1, n_runs):
        run = tmp_path / "runs" / f"run{number:03d}"
        run.mkdir()
        for name in ("status.json", "environment.json", "overrides.yaml"):
            shutil.copy(first / name, run / name)
        (run / "config.yaml").write_text(yaml.safe_dump(CONFIG | {"optimizer": {"lr": 0.1 / number}, "seed": number}))
        metrics["training"]["seed"] = number
        for part in ("val", "test"):
            for name in (one for one in metrics[part]["source_type"] if one.startswith("measure")):
                metrics[part]["source_type"][name]["value"] = number / 7
        (run / "metrics.json").write_text(json.dumps(metrics))
    collect([str(first)])
    tracemalloc.start()
    collected = collect([str(tmp_path / "runs")])
    grown = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(collected.runs) == n_runs
    assert grown / n_runs < MOST_BYTES
    lines = list(comparison_csv(compare(*collected)))
    assert len(lines) == 1 + n_runs and all(line.count("\n") == 1 for line in lines)


def test_a_comparison_needs_no_torch(tmp_path: Path) -> None:
    runs = [str(fake_run(tmp_path / f"r{seed}", n=10, seed=seed)) for seed in (1, 2)]
    command = [sys.executable, "-c", PROBE.format(unwanted=UNWANTED), "compare", *runs]
    done = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", (done.stdout, done.stderr)


@pytest.mark.parametrize(
    "text",
    [
        yaml.safe_dump(CONFIG),
        "# a comment\na: 1\nb:\n- x\n- y\na: 2\n",
        "a: 'one\n\n  two: three'\nb: |\n  c: d\n  e\n",
        "a: &x {p: 1}\nb: *x\n",
        "---\na: 1e-3\nb: 2020-01-01\n",
        "- a\n- b\n",
        "",
        "a: 'one\nb: two'\n",
    ],
)
def test_sections_read_by_themselves_are_those_of_the_file(text: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    whole = read_yaml(path, FAST_LOADER)
    assert repr(read_sections(path)) == repr(whole)


def test_sections_that_cannot_be_read_are_told_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("a: 1\nb: [1\n")
    with pytest.raises(ConfigurationError, match=r"config\.yaml is not readable YAML"):
        read_sections(path)
