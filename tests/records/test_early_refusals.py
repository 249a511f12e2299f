"""Settings that nothing could be done with are refused before data are made, read, or anything heavy is imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from seisvision.data.sources.folder import FolderSource
from seisvision.data.splitting.words import check_by, of_events
from seisvision.data.synthesis.source import SyntheticSource
from seisvision.errors import ConfigurationError, DataError
from seisvision.records.trust.allowed import LIMITS, SECTIONS, check_numbers, check_sections, check_words
from seisvision.records.trust.stated import check_stated, stated_words
from seisvision.runs.ensure import identify

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "obspy", "pandas", "matplotlib", "scipy")


def nested(key: str, value: Any) -> dict[str, Any]:
    for name in reversed(key.split(".")):
        value = {name: value}
    return value


@pytest.mark.parametrize("key", [key for key in LIMITS if key.partition(".")[0] in ("split", "dataset", "fine_tune")])
def test_numbers_of_samples_and_parts_that_are_none(key: str) -> None:
    for wrong in ("planet", True, float("nan"), -1e20):
        with pytest.raises(ConfigurationError, match=f"{key}=.* is not allowed; give a"):
            check_numbers(nested(key, wrong))
    check_numbers(nested(key, None))


@pytest.mark.parametrize("key", SECTIONS)
def test_words_in_the_place_of_sections(key: str) -> None:
    for wrong in ("planet", 3, True, [1]):
        with pytest.raises(ConfigurationError, match=f"{key}=.* is not allowed; give settings by name"):
            check_sections(nested(key, wrong))
    for right in (None, {}, {"a": 1}):
        check_sections(nested(key, right))


def test_a_trainer_may_warn_of_what_is_not_deterministic() -> None:
    for word in (True, False, "warn"):
        check_words({"trainer": {"deterministic": word}})
    with pytest.raises(ConfigurationError, match=r"trainer\.deterministic=planet is not allowed.*warn"):
        check_words({"trainer": {"deterministic": "planet"}})


def test_words_of_views_are_read_from_their_source() -> None:
    from seisvision.views.sections.record_section import ORIENTATIONS, STYLES

    found = stated_words("seisvision.views.RecordSection")
    assert (found["style"], found["orientation"]) == (list(STYLES), list(ORIENTATIONS))
    view = {"_target_": "seisvision.views.RecordSection", "style": "densty"}
    with pytest.raises(ConfigurationError, match=r"view\.style='densty' is not allowed. Did you mean 'density'"):
        check_stated([("view", view)])
    check_stated([("view", view | {"style": "wiggle"})])
    check_stated([("view", {"_target_": "mypackage.View", "style": "mine"})])


def config_with(folder: Path, source: dict[str, Any], **split: Any) -> dict[str, Any]:
    dataset = {"source": source, "derive": {"source_place": {}}}
    system = {"data_dir": str(folder / "data"), "runs_dir": str(folder / "runs")}
    return {"name": "default", "system": system, "dataset": dataset, "split": {"column": None} | split}


def test_a_column_that_the_set_will_not_have_makes_no_set(tmp_path: Path) -> None:
    source = {"_target_": "seisvision.data.SyntheticSource", "n_events": 8}
    for wrong in ("planet", "station_code"):
        with pytest.raises(DataError, match=rf"no column '{wrong}'.*set split\.by=event"):
            identify(config_with(tmp_path, source, by=wrong))
    assert not (tmp_path / "data").exists()


def test_a_column_that_a_set_on_the_disk_has_not(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "own"
    folder.mkdir(parents=True)
    (folder / "metadata.csv").write_text("trace_name,source_id,source_region\n", encoding="utf-8-sig")
    (folder / "metadata1.csv").write_text("trace_name,source_id,split\n")
    assert FolderSource("own").event_columns(tmp_path / "data") == [
        "trace_name", "source_id", "source_region", "split",
    ]  # fmt: skip
    with pytest.raises(DataError, match=r"no column 'source_regio'. Did you mean 'source_region'"):
        identify(config_with(tmp_path, {"_target_": "seisvision.data.FolderSource", "path": "own"}, by="source_regio"))


def test_words_and_columns_by_which_sets_are_split() -> None:
    columns = of_events([*SyntheticSource.event_columns_made, "station_code"])
    for by in ("event", "time", "trace", "station", "source_cell", "source_magnitude", "n_traces"):
        check_by(by, columns)
    check_by("source_cell", ["source_latitude_deg", "source_longitude_deg"])
    with pytest.raises(DataError, match="no column 'station_code'"):
        check_by("station_code", columns)


PROBE = """
import sys
from seisvision.cli import main
code = main(sys.argv[1:])
print(code, [name for name in {heavy} if name in sys.modules])
"""


@pytest.mark.parametrize(
    "words", [["compare", "nowhere"], ["data", "audit", "nowhere"], ["predict", "nowhere", "x.mseed"]]
)
def test_commands_refuse_what_is_not_there_without_libraries(words: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROBE.format(heavy=HEAVY), *words]
    done = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1:] in (["1 []"], ["2 []"]), (done.stdout, done.stderr)
