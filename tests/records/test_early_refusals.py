"""Settings that nothing could be done with are refused before data are made, read, or anything heavy is imported."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from seisvision.data.sources.folder import FolderSource
from seisvision.data.splitting.words import check_by, of_events
from seisvision.data.synthesis.source import SyntheticSource
from seisvision.errors import ConfigurationError, DataError
from seisvision.outputs.numbers import output as numbers
from seisvision.outputs.picks.curves import SHAPES
from seisvision.outputs.reconstruction import output as reconstruction
from seisvision.public import NAMES, OUTPUT, VIEW, find_public
from seisvision.records.configuration import instantiate
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


NAMED = {"name": "x", "target": "source_magnitude", "unit": "km", "n_bins": 4, "period_deg": 360.0}


@pytest.mark.parametrize("target", NAMES[OUTPUT])
def test_words_of_outputs_are_those_that_their_classes_take(target: str) -> None:
    """Every argument of an output that is a word has its words in the table of the kind, and its class reads it."""
    words, build = stated_words(target), find_public(target)
    arguments = inspect.signature(build).parameters
    given = {key: value for key, value in NAMED.items() if key in arguments}
    given |= {"class_names": ["a", "b"]} if "class_names" in arguments else {}
    assert set(words) == {name for name, one in arguments.items() if type(one.default) is str}
    for setting, allowed in words.items():
        assert arguments[setting].default in allowed
        message = rf"{setting}='planet'.* is not allowed. .*{allowed[0]}"
        with pytest.raises(ConfigurationError, match=message):
            build(**given, **{setting: "planet"})
        with pytest.raises(ConfigurationError, match=rf"task\.outputs\.x\.{message}"):
            check_stated([("task.outputs[0]", {"_target_": target, "name": "x", setting: "planet"})])
        for word in allowed:
            check_stated([("task.outputs[0]", {"_target_": target, "name": "x", setting: word})])


def test_words_of_outputs_are_those_that_their_functions_have() -> None:
    assert set(numbers.TRANSFORMS) == set(stated_words("seisvision.outputs.ScalarOutput")["transform"])
    losses = (*numbers.POINT_LOSSES, *numbers.SPREAD_LOSSES, numbers.EVIDENTIAL)
    assert set(losses) == set(stated_words("seisvision.outputs.ScalarOutput")["loss"])
    assert set(numbers.TRANSFORMS) == set(stated_words("seisvision.outputs.BinnedOutput")["transform"])
    assert set(SHAPES) == set(stated_words("seisvision.outputs.PickOutput")["label"])
    assert set(reconstruction.LOSSES) == set(stated_words("seisvision.outputs.ReconstructionOutput")["loss"])


@pytest.mark.parametrize("name", ["RecordSection", "TraceView"])
def test_channels_show_components_that_the_waveforms_have(name: str) -> None:
    view = {"_target_": f"seisvision.views.{name}", "height": 8, "width": 8, "components": "ZN"}
    for channel, message in (
        ({"component": "Q"}, r"component='Q' is not allowed. .*Z"),
        ({"component": "E"}, r"component='E' is not allowed. .*Z"),
        ({"component": "Z", "style": "densty"}, "style='densty' is not allowed"),
        ({"componet": "Z"}, "componet.*Did you mean 'component'"),
    ):
        described = view | {"channels": [channel]}
        with pytest.raises(ConfigurationError, match=message):
            check_stated([("view", described)])
        with pytest.raises(ConfigurationError, match=message):
            instantiate(described, VIEW)
    check_stated([("view", view | {"channels": [{"component": "N", "band_hz": None}]})])


def test_channels_of_a_stack_show_directions() -> None:
    view = {"_target_": "seisvision.views.StackedSpectrogram"}
    check_stated([("view", view | {"channels": [{"component": "R", "align": 3.5, "start_s": 0.0}]})])
    with pytest.raises(ConfigurationError, match=r"view\.channels\[0\]\.component='N' is not allowed"):
        check_stated([("view", view | {"channels": [{"component": "N"}]})])


def test_a_target_that_no_set_has(tmp_path: Path) -> None:
    config = config_with(tmp_path, {"_target_": "seisvision.data.SyntheticSource", "n_events": 8}, by="event")
    for target, is_known in (
        ("source_magnitude", True), ("source_place", True), ("path_azimuth_deg", True), ("trace_snr_db", True),
        ("source_magnitud", False), ("planet", False),
    ):  # fmt: skip
        asked = config | {
            "task": {"outputs": [{"_target_": "seisvision.outputs.ScalarOutput", "name": "x", "target": target}]},
            "run": {"fresh": False, "test": True},
            "trainer": {},
        }
        if is_known:
            assert identify(asked)
        else:
            with pytest.raises(DataError, match=rf"task\.outputs\.x\.target={target}: the set has no such column"):
                identify(asked)
            # What it means is known to an output of one's own alone.
            asked["task"]["outputs"][0]["_target_"] = "ones_own.Output"
            assert identify(asked)
    own = tmp_path / "data" / "own"
    own.mkdir(parents=True)
    (own / "metadata.csv").write_text("trace_name,source_id,trace_snr_db\n")
    source = {"_target_": "seisvision.data.FolderSource", "path": "own"}
    with pytest.raises(DataError, match="Did you mean 'trace_snr_db'"):
        asked = config_with(tmp_path, source, by="event")
        output = {"_target_": "seisvision.outputs.ScalarOutput", "name": "x", "target": "trace_snr"}
        identify(asked | {"task": {"outputs": [output]}})


def test_a_number_is_a_name(tmp_path: Path) -> None:
    source = {"_target_": "seisvision.data.SyntheticSource", "n_events": 8}
    config = config_with(tmp_path, source, by="event") | {"run": {"fresh": False, "test": True}, "trainer": {}}
    assert identify(config | {"name": 2024}).path.parent.name == "2024"


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
