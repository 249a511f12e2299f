"""From an archive to a catalogue: what happened is in it, and an interrupted command ends with the same bytes."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import obspy
import pandas as pd
import pytest
from opened_benchmarks import benchmark, run

from seisvision import cli
from seisvision.cataloguing.settings import CatalogueSettings, PickStage
from seisvision.commands.catalogues.run import catalogue_settings
from seisvision.data.synthesis_local.continuous import synthesise_continuous
from seisvision.data.synthesis_local.scene import ContinuousParameters
from seisvision.errors import ConfigurationError

__all__ = ["benchmark"]
CONF = Path(__file__).resolve().parents[2] / "conf"
SCENE = ContinuousParameters(
    n_earthquakes=5, n_repeats=2, n_families=1, network_size=6, hours=0.25, n_gaps=0, quiet_hours=(), n_bursts=0.0,
    magnitude=(2.0, 3.0), radius_km=15.0, clock_error_s=0.0,
)  # fmt: skip


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthesise_continuous(SCENE, tmp_path_factory.mktemp("catalogue") / "made")


def _run(archive: Path, out: Path, *more: str) -> int:
    where = {"--stations": archive / "stations.xml", "--velocity": archive / "velocity.csv", "--out": out}
    words = [text for option, path in where.items() for text in (option, str(path))]
    words += ["--preset", "match", "--device", "cpu", "--conf", str(CONF), *more]
    return cli.main(["catalogue", "run", str(archive / "SDS"), *words])


@pytest.fixture(scope="module")
def made(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "catalogue"
    assert _run(archive, out) == 0
    return out


def _tables(out: Path) -> dict[str, str]:
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted([*out.glob("*.csv"), *out.glob("*.xml"), *(out / "hypodd").glob("*")])
    }


def test_events_and_weak_repeats_are_in_the_catalogue(
    archive: Path, made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["catalogue", "score", str(made), "--against", str(archive / "events.csv")]) == 0
    said = capsys.readouterr().out
    assert "recall: 1.000" in said and "precision: 1.000" in said
    table = pd.read_csv(made / "catalogue.csv")
    assert set(table["kind"]) == {"associated", "matched"}
    assert table.loc[table["kind"] == "matched", "template_id"].notna().all()
    weak = table.loc[table["kind"] == "matched", "magnitude"].max()
    assert weak < table.loc[table["kind"] == "associated", "magnitude"].min()
    page = (made / "score.html").read_text()
    assert "Depth section" in page and "http" not in page.replace("http-equiv", "")


def test_the_benchmark_of_a_day_in_short(
    archive: Path, made: Path, benchmark: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(benchmark("catalogue_day"), [str(archive), str(made)], monkeypatch)
    said = capsys.readouterr().out
    assert "threads, load" in said and "weak repeats found: 2 of 2" in said
    assert "differential times from" in said


def test_the_same_catalogue_is_quakeml(made: Path) -> None:
    catalogue = obspy.read_events(str(made / "catalogue.xml"))
    table = pd.read_csv(made / "catalogue.csv")
    assert len(catalogue) == len(table)
    assert [event.magnitudes[0].mag for event in catalogue] == table["magnitude"].tolist()


def test_what_was_dropped_is_told(made: Path) -> None:
    dropped = pd.read_csv(made / "dropped.csv")
    assert {"stage", "what", "reason"} == set(dropped) and dropped["reason"].notna().all()
    picks, joined = pd.read_csv(made / "picks.csv"), pd.read_csv(made / "associated.csv")
    assert len(picks) == len(joined) + (dropped["stage"] == "associate").sum()


def test_a_killed_command_goes_on_to_the_same_bytes(archive: Path, made: Path, tmp_path: Path) -> None:
    """Parts and stages that a killed process had not written, or only begun, are made again, and no others."""
    before = _tables(made)
    again = tmp_path / "again"
    shutil.copytree(made, again)
    for name in ("cut", "match", "relocate", "magnitude", "finish"):
        (again / "work" / f"{name}.json").unlink()
    for part in [*sorted((again / "work" / "cut").glob("*"))[::2], *sorted((again / "work" / "match").glob("*"))[::2]]:
        part.unlink()
    (again / "catalogue.csv").write_text("half of")
    (again / "relocated.csv").unlink()
    kept = sorted((again / "work" / "cut").glob("*"))[0]
    state = kept.stat().st_mtime_ns
    assert _run(archive, again) == 0
    assert {name: value for name, value in _tables(again).items() if not name.startswith("score")} == {
        name: value for name, value in before.items() if not name.startswith("score")
    }
    assert kept.stat().st_mtime_ns == state


def test_another_setting_does_only_the_stages_it_concerns(archive: Path, made: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    shutil.copytree(made, again)
    stamps = {name: (again / "work" / f"{name}.json").stat().st_mtime_ns for name in ("locate", "match", "magnitude")}
    assert _run(archive, again, "--set", "magnitude.correction=pal") == 0
    now = {name: (again / "work" / f"{name}.json").stat().st_mtime_ns for name in stamps}
    assert now["locate"] == stamps["locate"] and now["match"] == stamps["match"]
    assert now["magnitude"] > stamps["magnitude"]


@pytest.mark.parametrize("preset", ["pal", "match"])
def test_presets_compose(preset: str) -> None:
    assert catalogue_settings(preset, [], CONF).pick.rule == "pal"


def test_presets_come_with_the_package_where_the_folder_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert catalogue_settings("match", []).pick.rule == "pal"
    (tmp_path / "conf").mkdir()
    assert catalogue_settings("match", []).pick.rule == "pal"


def test_presets_of_networks_ask_for_one() -> None:
    for preset in ("network", "full"):
        with pytest.raises(ConfigurationError, match=r"pick\.ckpt"):
            catalogue_settings(preset, [], CONF)
        settings = catalogue_settings(preset, ["pick.ckpt=here"], CONF)
        assert settings.pick == PickStage(ckpt="here")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"stages": ["pick", "fly"]}, "fly is unknown"),
        ({"stages": ["pick", "match"]}, "need cut"),
        ({"associator": "gamma"}, "vote"),
        ({"match": {"madd": 9}}, "match.madd is unknown"),
        ({"pick": {}}, "one of rule, ckpt and table"),
    ],
    ids=["stage", "needs", "associator", "name", "picks"],
)
def test_settings_that_make_no_sense_are_refused(given: dict, said: str) -> None:
    whole = {"stages": ["pick", "associate"], "pick": {"rule": "pal"}}
    with pytest.raises(ConfigurationError, match=said):
        CatalogueSettings.of({**whole, **given})
