"""A catalogue against another: pairs, what is false, twice or missed."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seisvision.cataloguing import score_page
from seisvision.cataloguing.score_page import page
from seisvision.cataloguing.scoring import completeness_by_magnitude, read_catalogue, score_catalogue
from seisvision.errors import ConfigurationError, DataError


def _table(path: Path, rows: list[tuple[str, float, float, float, int]]) -> Path:
    """Id, seconds, km north, magnitude, stations."""
    zero = pd.Timestamp("2024-01-01T00:00:00Z")
    pd.DataFrame(
        {
            "event_id": [one[0] for one in rows],
            "time": [(zero + pd.Timedelta(seconds=one[1])).strftime("%Y-%m-%dT%H:%M:%S.%fZ") for one in rows],
            "latitude_deg": [38.0 + one[2] / 111.0 for one in rows],
            "longitude_deg": 20.0,
            "depth_km": 8.0,
            "magnitude": [one[3] for one in rows],
            "n_stations": [one[4] for one in rows],
        }
    ).to_csv(path, index=False)
    return path


@pytest.fixture
def both(tmp_path: Path) -> tuple[Path, Path]:
    truth = _table(
        tmp_path / "truth.csv",
        [("a", 0, 0, 2.0, 9), ("b", 100, 0, 1.5, 7), ("c", 200, 0, 1.0, 3), ("d", 300, 0, 1.2, 8)],
    )
    mine = _table(
        tmp_path / "mine.csv",
        [
            ("1", 0.5, 3, 2.1, 8),
            ("2", 1.5, 4, 1.9, 5),
            ("3", 100, 12, 1.5, 7),
            ("4", 201, 1, 1.0, 4),
            ("5", 500, 0, 1, 4),
        ],
    )
    return mine, truth


def test_events_are_paired_once_and_the_rest_is_told(both: tuple[Path, Path]) -> None:
    mine, truth = read_catalogue(both[0]), read_catalogue(both[1])
    score = score_catalogue(mine, truth)
    assert score.pairs.tolist() == [[0, 0], [3, 2]]
    assert score.duplicates.tolist() == [1]
    assert score.false.tolist() == [2, 4]
    assert score.missed.tolist() == [1, 3]
    assert score.shares["recall"][0] == 0.5 and score.shares["precision"][0] == 0.4
    np.testing.assert_allclose(score.apart["time_s"], [0.5, 1.0])
    np.testing.assert_allclose(score.apart["horizontal_km"], [3, 1], rtol=0.01)


def test_what_need_not_be_found_is_neither_missed_nor_false(both: tuple[Path, Path]) -> None:
    score = score_catalogue(read_catalogue(both[0]), read_catalogue(both[1], ["n_stations>=6"]))
    assert score.shares["recall"][3] == 3 and score.shares["recall"][0] == pytest.approx(1 / 3)
    assert 3 not in score.false.tolist()


def test_conditions_that_cannot_be_understood_are_refused(both: tuple[Path, Path]) -> None:
    with pytest.raises(ConfigurationError, match="n_stations six"):
        read_catalogue(both[0], ["n_stations six"])
    with pytest.raises(DataError, match="no column 'stations'"):
        read_catalogue(both[0], ["stations>=6"])


def test_the_page_shows_both_and_escapes_ids(both: tuple[Path, Path]) -> None:
    mine, truth = read_catalogue(both[0]), read_catalogue(both[1])
    score = score_catalogue(mine, truth)
    text = page("<b>", mine, truth, score)
    assert "<h1>&lt;b&gt;</h1>" in text and text.count("<svg") >= 5
    # Depths grow downwards, and only errors have a line where there is none.
    section = text[text.index('aria-label="Depth section"') :].split("</svg>")[0]
    heights = {
        float(value): float(y) for y, value in re.findall(r'y="([\d.]+)" text-anchor="end">(-?[\d.]+)<', section)
    }
    assert min(heights) > 0 and heights[max(heights)] > heights[min(heights)]
    magnitudes = text[text.index('aria-label="reference"') : text.index("Differences")]
    assert 'class="ideal"' not in magnitudes
    bins = completeness_by_magnitude(score, truth)
    assert sum(n for *_, n in bins) == 4


def test_the_map_is_whole_at_the_date_line(tmp_path: Path) -> None:
    path = _table(tmp_path / "truth.csv", [("a", 0, 0, 2.0, 9), ("b", 100, 0, 1.5, 7)])
    table = pd.read_csv(path).assign(longitude_deg=[179.95, -179.95])
    table.to_csv(path, index=False)
    both = read_catalogue(path)
    groups = score_page._groups(score_page._plane(both, both), both, both, score_catalogue(both, both))
    east_km = np.concatenate([where["east_km"] for _, where, _ in groups])
    np.testing.assert_allclose(np.sort(east_km), [-4.38, 4.38], atol=0.02)


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan"), float("inf")])
def test_tolerances_that_pair_nothing_are_refused(bad: float, both: tuple[Path, Path]) -> None:
    mine, truth = read_catalogue(both[0]), read_catalogue(both[1])
    with pytest.raises(ConfigurationError, match="within"):
        score_catalogue(mine, truth, within_km=bad)
    with pytest.raises(ConfigurationError, match="within"):
        score_catalogue(mine, truth, within_s=bad)


def test_conditions_compare_numbers_with_numbers_and_names_with_names(tmp_path: Path) -> None:
    path = _table(tmp_path / "truth.csv", [("NA", 0, 0, 2.0, 9), ("b", 100, 0, 1.5, 7)])
    pd.read_csv(path, keep_default_na=False).assign(kind=["NA", "event"], size=["nan", 2]).to_csv(path, index=False)
    assert read_catalogue(path, ["kind=NA"]).counts.tolist() == [True, False]
    assert read_catalogue(path, ["n_stations>=8"]).counts.tolist() == [True, False]
    assert read_catalogue(path, ["size>1"]).counts.tolist() == [False, True]
    with pytest.raises(ConfigurationError, match="n_stations>=six"):
        read_catalogue(path, ["n_stations>=six"])
