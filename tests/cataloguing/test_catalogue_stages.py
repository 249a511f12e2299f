"""A stage is done again where anything that it depends on has changed, and only there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from seisvision.cataloguing.job import CatalogueJob, StageRecord
from seisvision.cataloguing.settings import STAGES, CatalogueSettings

OF_WINDOWS = {"cut", "match", "relocate", "magnitude"}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    folder = tmp_path / "archive"
    folder.mkdir()
    (folder / "day1.mseed").write_bytes(b"first")
    (tmp_path / "stations.csv").write_text("network,station,latitude_deg,longitude_deg,elevation_m\n")
    return folder


def _identities(archive: Path, **sections: dict[str, Any]) -> dict[str, str]:
    settings = CatalogueSettings.of({"stages": list(STAGES), "pick": {"rule": "pal"}, **sections})
    stations = str(archive.parent / "stations.csv")
    job = CatalogueJob((str(archive),), stations, "6.0,3.5", archive / "made", settings)
    return {stage: StageRecord(job, stage, []).identity for stage in STAGES}


@pytest.mark.parametrize(
    ("section", "value", "again"),
    [
        ("cut", {"length_s": 60.0}, OF_WINDOWS),
        ("match", {"mad": 9.0}, {"match"}),
        ("relocate", {"window_s": [1.0, 2.0]}, {"match", "relocate"}),
        ("magnitude", {"least_snr": 2.0}, {"magnitude"}),
        ("associate", {"depth_km": [0.0, 30.0]}, {"associate", "locate", *OF_WINDOWS}),
    ],
    ids=["cut", "match", "relocate", "magnitude", "associate"],
)
def test_settings_concern_all_stages_that_read_them(
    section: str, value: dict[str, Any], again: set[str], archive: Path
) -> None:
    before, after = _identities(archive), _identities(archive, **{section: value})
    assert {stage for stage in STAGES if before[stage] != after[stage]} == again


def test_recordings_that_came_or_changed_concern_all_stages_that_read_them(archive: Path) -> None:
    before = _identities(archive)
    assert _identities(archive) == before
    (archive / "day2.mseed").write_bytes(b"second")
    grown = _identities(archive)
    assert {stage for stage in STAGES if before[stage] != grown[stage]} == OF_WINDOWS
    (archive / "day1.mseed").write_bytes(b"first, whole")
    changed = _identities(archive)
    assert {stage for stage in STAGES if changed[stage] != grown[stage]} == OF_WINDOWS


def test_a_catalogue_within_the_archive_is_no_recording(archive: Path) -> None:
    before = _identities(archive)
    part = archive / "made" / "work" / "cut" / "event.npz"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"windows")
    assert _identities(archive) == before
