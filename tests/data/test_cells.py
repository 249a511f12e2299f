"""Sources close together stay together, whatever the map says, and dense catalogues can still be split."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from seisvision.data.splitting.cells import LINK_KM, cell_names, close_apart, coarser_groups, name_cells
from seisvision.data.splitting.split import check_leakage
from seisvision.data.splitting.splits import make_split
from seisvision.earth.geodesics import geodesic


def neighbours(n_pairs: int, apart_km: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of sources ``apart_km`` apart in any direction, anywhere on Earth; the second follows the first."""
    rng = np.random.default_rng(seed)
    latitude, longitude = np.degrees(np.arcsin(rng.uniform(-0.999, 0.999, n_pairs))), rng.uniform(-180, 180, n_pairs)
    turn, degree = rng.uniform(0, 2 * np.pi, n_pairs), apart_km / 111.2
    north = latitude + degree * np.cos(turn)
    east = longitude + degree * np.sin(turn) / np.cos(np.radians(latitude))
    return np.stack([latitude, north], 1).ravel(), np.stack([longitude, east], 1).ravel()


def test_neighbours_share_a_cell_wherever_the_borders_of_a_grid_run() -> None:
    names = np.array(cell_names(*neighbours(500, 1.0)))
    assert (names[::2] == names[1::2]).all()
    assert len(set(names)) > 490


def test_what_lies_apart_has_cells_of_its_own() -> None:
    names = np.array(cell_names(*neighbours(500, 3 * LINK_KM)))
    assert (names[::2] != names[1::2]).all()


@pytest.mark.parametrize(
    ("places", "n_cells"),
    [
        ([(10.0, 185.02), (10.0, -174.98)], 1),
        ([(-5.0, 180.0), (-5.0, -180.0), (-5.0, 179.999), (-5.0, -179.999)], 1),
        ([(0.0, 359.995), (0.0, 0.005)], 1),
        ([(90.0, 10.0), (90.0, -150.0), (89.995, 77.0)], 1),
        ([(-89.999, 0.0), (-89.999, 180.0)], 1),
        ([(-0.004, -0.004), (0.004, 0.004)], 1),
        ([(46.0, -122.0), (46.0, 122.0)], 2),
    ],
)
def test_date_line_poles_and_both_longitudes(places: list[tuple[float, float]], n_cells: int) -> None:
    names = cell_names(*np.array(places).T)
    assert len(set(names)) == n_cells
    assert all("-0.0" not in name.split(",") for name in names)


def test_sources_without_a_place_have_no_cell() -> None:
    assert cell_names(np.array([np.nan, 95.0, 1.0]), np.array([1.0, 1.0, np.nan])) == ["", "", ""]
    assert cell_names(np.array([]), np.array([])) == []


def test_cells_depend_neither_on_order_nor_on_how_longitude_is_counted() -> None:
    rng = np.random.default_rng(3)
    latitude, longitude = rng.uniform(30, 30.5, 3000), rng.uniform(179.7, 180.3, 3000)
    order = rng.permutation(3000)
    names = cell_names(latitude, longitude)
    turned = cell_names(latitude[order], np.where(longitude > 180, longitude - 360, longitude)[order])
    assert [names[i] for i in order] == turned
    counts = pd.Series(names).value_counts()
    assert len(counts) > 9 and counts.iloc[0] <= 300


def test_cells_of_a_catalogue_are_kept_and_the_others_named() -> None:
    events = [
        {"source_latitude_deg": 46.06, "source_longitude_deg": -122.01, "source_cell": "glacier 3"},
        {"source_latitude_deg": 46.06, "source_longitude_deg": -122.01, "source_cell": ""},
        {"source_cell": ""},
    ]
    name_cells(events)
    assert [event["source_cell"] for event in events] == ["glacier 3", "46.1,-122.0", ""]


def table_of(latitude: np.ndarray, longitude: np.ndarray, **columns: object) -> pd.DataFrame:
    places = {"source_latitude_deg": latitude, "source_longitude_deg": longitude}
    return pd.DataFrame(places | columns, index=[f"e{i}" for i in range(len(latitude))])


def part_of(table: pd.DataFrame, **settings: object) -> np.ndarray:
    split = make_split(table, by="source_cell", **settings)
    check_leakage(split, split.group_of)
    part = {name: part for part, ids in split.parts.items() for name in ids}
    return np.array([part[name] for name in table.index])


@pytest.mark.parametrize("cells", ["none", "rounded", "own"])
def test_splits_keep_neighbours_on_one_side_whatever_cells_the_set_brings(cells: str) -> None:
    latitude, longitude = neighbours(300, 1.0)
    named = {
        "none": {},
        "rounded": {"source_cell": [f"{a:.1f},{b:.1f}" for a, b in zip(latitude, longitude, strict=True)]},
        "own": {"source_cell": [f"c{i}" for i in range(600)]},
    }[cells]
    parts = part_of(table_of(latitude, longitude, **named), stratify_by=None)
    assert (parts[::2] == parts[1::2]).all()
    assert abs(np.mean(parts == "test") - 0.2) < 0.02 and abs(np.mean(parts == "val") - 0.24) < 0.02


def test_a_dense_catalogue_is_cut_to_fill_the_parts_and_what_that_parts_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rng = np.random.default_rng(5)
    latitude, longitude = rng.uniform(46, 46.4, 4000), rng.uniform(7, 7.5, 4000)
    table = table_of(latitude, longitude, source_type=rng.choice(["quake", "blast"], 4000))
    parts = part_of(table, stratify_by="source_type")
    for part, share in (("test", 0.2), ("val", 0.24), ("train", 0.56)):
        assert abs(np.mean(parts == part) - share) < 0.06
    close = close_apart(latitude, longitude, parts)
    assert 0 < close.mean() < 0.2
    assert f"{close.sum()} of 4000 sources lie within 1 km of one in another part" in caplog.text


def test_a_narrow_place_stays_whole_though_a_part_grows_larger_than_asked() -> None:
    rng = np.random.default_rng(6)
    latitude = np.concatenate([46 + rng.normal(0, 0.005, 70), rng.uniform(30, 60, 30)])
    parts = part_of(table_of(latitude, np.full(100, 8.0)))
    assert set(parts[:70]) == {"train"} and set(parts[70:]) >= {"val", "test"}


def test_cells_of_a_table_are_never_parted_though_their_places_link_them_all() -> None:
    longitude = np.linspace(8, 8.4, 200)
    cells = [f"slope{i // 10}" for i in range(200)]
    parts = part_of(table_of(np.full(200, 46.0), longitude, source_cell=cells))
    assert all(len(set(parts[i : i + 10])) == 1 for i in range(0, 200, 10))
    assert set(parts) == {"train", "val", "test"}


def test_joining_ends_with_the_groups_alone() -> None:
    groups = [f"g{i}" for i in range(4)]
    steps = list(coarser_groups(groups, np.full(4, 1.0), np.array([1.0, 1.01, 1.02, 5.0])))
    assert steps == [["g0", "g0", "g0", "g3"], groups]


@pytest.mark.parametrize(
    ("one", "other", "distance_km"),
    [
        ((10.0, 20.0), (-10.0, -160.0), 20003.931),
        ((10.0, 20.0), (-10.0, 200.0), 20003.931),
        ((0.0, 0.0), (0.0, 180.0), 20003.931),
        ((90.0, 0.0), (-90.0, 77.0), 20003.931),
        ((0.0, 0.0), (0.5, 179.5), 19936.289),
        ((90.0, 0.0), (89.0, 50.0), 111.694),
        ((5.0, 5.0), (5.0, 5.0), 0.0),
    ],
)  # fmt: skip
def test_distances_between_opposite_points_and_at_the_poles(
    one: tuple[float, float], other: tuple[float, float], distance_km: float
) -> None:
    """19936.289 km is the published example of Vincenty's formula failing (Karney 2013, J. Geodesy 87, 43-55)."""
    found = geodesic(*one, *other)
    assert found[0] == pytest.approx(distance_km, abs=0.01)
    assert np.isfinite(found).all()
