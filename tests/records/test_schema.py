"""Versions of run folders: written into each, older ones read, newer refused; the page tells files and columns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from seisvision.api.runs import open_run
from seisvision.errors import SeisvisionError
from seisvision.outputs.kinds import predictions_class
from seisvision.outputs.places.predictions import NUMBERS
from seisvision.records.folder import RunFolder, write_metrics
from seisvision.records.trust.schema import SCHEMA, check_schema

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "run_folder.md").read_text(encoding="utf-8")


def finished(path: Path) -> RunFolder:
    folder = RunFolder(path)
    path.mkdir()
    folder.mark_running()
    write_metrics(folder.metrics_file, {"val": {}})
    folder.mark_finished()
    return folder


def test_each_folder_states_its_version(tmp_path: Path) -> None:
    folder = finished(tmp_path / "run")
    for path in (folder.status_file, folder.metrics_file):
        assert json.loads(path.read_text())["schema"] == SCHEMA
    assert folder.is_finished() and open_run(folder.path).metrics["val"] == {}


def test_folders_from_before_versions_are_read(tmp_path: Path) -> None:
    folder = finished(tmp_path / "run")
    for path in (folder.status_file, folder.metrics_file):
        content = json.loads(path.read_text())
        del content["schema"]
        path.write_text(json.dumps(content))
    assert folder.is_finished() and open_run(folder.path).metrics == {"val": {}}


def test_a_newer_folder_is_refused_and_left_alone(tmp_path: Path) -> None:
    folder = finished(tmp_path / "run")
    for path, read in (
        (folder.status_file, folder.status),
        (folder.metrics_file, lambda: open_run(folder.path).metrics),
        (folder.status_file, folder.mark_running),
    ):
        before = path.read_text()
        path.write_text(json.dumps({**json.loads(before), "schema": SCHEMA + 1}))
        newer = path.read_text()
        with pytest.raises(SeisvisionError, match=f"newer seisvision.*schema {SCHEMA + 1}"):
            read()
        assert path.read_text() == newer
        path.write_text(before)


@pytest.mark.parametrize("stated", ["1", 1.5, True, -1, None, [1]])
def test_a_version_that_is_no_number_is_refused(stated: object) -> None:
    with pytest.raises(SeisvisionError, match="whole number"):
        check_schema({"schema": stated}, Path("status.json"))


def test_the_page_tells_every_file(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    paths = [one for one in vars(folder).values() if isinstance(one, Path) and one != folder.path]
    missing = [path.name for path in paths if path.name != "progress.json" and path.name not in PAGE]
    assert not missing


def test_the_page_tells_every_column() -> None:
    columns = {*NUMBERS, "predictive_entropy"}
    for kind in ("class", "scalar", "angle"):
        found = predictions_class(kind)
        columns |= {*found.apart_names, *getattr(found, "parts", ())[1:]}
    assert not [column for column in columns if f"`{column}`" not in PAGE]
    assert f"`schema`, now {SCHEMA}." in PAGE
