"""Regions and grids: areas are true, the date line and poles are places like others, edges belong to one cell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seisvision.catalogues.catalogue import EventCatalogue
from seisvision.catalogues.counting import Windows, count_events
from seisvision.catalogues.gaps import Gaps
from seisvision.catalogues.grid import Grid
from seisvision.catalogues.region import Region
from seisvision.earth.constants import EARTH_RADIUS_KM
from seisvision.earth.projection import Projection
from seisvision.errors import ConfigurationError, DataError


def box_area(south: float, north: float, width: float) -> float:
    heights = np.sin(np.radians(north)) - np.sin(np.radians(south))
    return float(EARTH_RADIUS_KM**2 * np.radians(width) * heights)


def catalogue_at(lat: list[float], lon: list[float], days: list[float], magnitude: list[float]) -> EventCatalogue:
    n = len(lat)
    ids = np.array([str(i) for i in range(n)])
    return EventCatalogue(
        np.array(days), np.array(lat), np.array(lon), np.array(magnitude), np.full(n, 5.0), ids, 0.0, 1000.0
    )


@pytest.mark.parametrize("box", [(33, 34, -117, -116), (-20, 20, 170, -170), (60, 85, -30, 90), (-80, -70, 0, 170)])
def test_areas_of_boxes_are_those_of_the_sphere(box: tuple[float, float, float, float]) -> None:
    south, north, west, east = box
    region = Region.box(*box)
    width = (east - west) % 360
    assert region.area_km2 == pytest.approx(box_area(south, north, width), rel=3e-3)
    grid = Grid.of_degrees(region, 1.0)
    assert grid.area_km2().sum() == pytest.approx(box_area(south, north, width), rel=1e-9)
    assert grid.n_cells == (north - south) * width


def test_a_region_around_a_pole_holds_the_pole_and_every_longitude() -> None:
    region = Region(np.full(4, 70.0), np.array([0.0, 90, 180, -90]))
    assert region.area_km2 == pytest.approx(box_area(70, 90, 360), rel=3e-3)
    assert region.contains(np.array([90, 75, 75, 69.0]), np.array([0, 179.9, -120, 45])).tolist() == [1, 1, 1, 0]
    for grid in (Grid.of_degrees(region, 5.0), Grid.of_km(region, 100.0)):
        cells = grid.cell_of(np.array([90.0, 75, 75]), np.array([10.0, 180, -180]))
        assert (cells >= 0).all()
        assert cells[1] == cells[2]
    assert Grid.of_degrees(region, 5.0).area_km2().sum() == pytest.approx(box_area(70, 90, 360), rel=1e-9)


def test_the_date_line_is_no_edge() -> None:
    region = Region.box(-20, 20, 170, -170)
    grid = Grid.of_km(region, 50.0)
    near = grid.cell_of(np.array([0.0, 0.0, 0.0, 0.0]), np.array([179.9999, -179.9999, 180.0, 540.0]))
    assert len(set(near.tolist())) <= 2
    assert near[2] == near[3] >= 0
    assert not region.contains(np.array([0.0]), np.array([0.0]))[0]


def test_edges_of_cells_belong_to_the_cell_that_begins_there() -> None:
    grid = Grid.of_degrees(Region.box(33, 34, -117, -116), 0.1)
    latitudes = np.round(33 + np.arange(10) * 0.1, 1)
    cells = grid.cell_of(latitudes, np.full(10, -116.95))
    assert (cells // 10).tolist() == list(range(10))
    longitudes = np.round(-117 + np.arange(10) * 0.1, 1)
    assert (grid.cell_of(np.full(10, 33.05), longitudes) % 10).tolist() == list(range(10))
    assert grid.cell_of(np.array([34.0, 32.99, 33.5]), np.array([-116.5, -116.5, -116.0])).tolist() == [-1, -1, -1]


def test_corners_enclose_the_area_and_the_events_of_a_cell() -> None:
    grid = Grid.of_degrees(Region.box(60, 62, 170, -178), 0.5)
    corners = grid.corners_km()
    x, y = corners[..., 0], corners[..., 1]
    area = 0.5 * (x * np.roll(y, -1, axis=1) - np.roll(x, -1, axis=1) * y).sum(axis=1)
    assert area == pytest.approx(grid.area_km2(), rel=2e-3)
    assert grid.cell_of(*grid.centres_deg()).tolist() == list(range(grid.n_cells))


def test_the_projection_turns_back_and_keeps_distances_near_its_centre() -> None:
    rng = np.random.default_rng(0)
    plane = Projection.about(np.array([89.0, 88.0]), np.array([10.0, -170.0]))
    lat, lon = rng.uniform(40, 90, 100), rng.uniform(-180, 180, 100)
    back = plane.to_degrees(*plane.to_km(lat, lon))
    assert back[0] == pytest.approx(lat, abs=1e-9)
    assert np.cos(np.radians(back[1] - lon)) == pytest.approx(np.ones(100), abs=1e-9)
    assert np.isnan(Projection(0, 0).to_km(np.array([0.0]), np.array([179.0]))[0]).all()


def test_two_events_of_a_cell_and_window_are_two_and_the_larger_stays() -> None:
    grid = Grid.of_degrees(Region.box(0, 2, 0, 2), 1.0)
    found = count_events(
        catalogue_at([0.5, 0.5, 1.5, 5.0], [0.5, 0.6, 1.5, 5.0], [0.1, 0.9, 1.0, 1.5], [6.0, 3.0, 4.0, 4.0]),
        grid,
        Windows.between(0, 3, 1),
    )
    assert found.dense().tolist() == [[2, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]]
    assert found.dense_largest()[0, 0] == 6.0
    assert found.n_outside == 1


def test_overlapping_windows_count_an_event_in_each_and_say_so() -> None:
    grid = Grid.of_degrees(Region.box(0, 2, 0, 2), 1.0)
    windows = Windows.between(0, 100, 50, lead_days=10, step_days=10)
    assert windows.overlap
    assert not Windows.between(0, 100, 50, lead_days=10).overlap
    counts = count_events(catalogue_at([0.5], [0.5], [65.0], [5.0]), grid, windows).dense()
    holds = (windows.begin_days <= 65) & (windows.end_days > 65)
    assert counts[:, 0].tolist() == holds.astype(int).tolist()
    assert windows.whole(Gaps([(12, 13)])).tolist() == [False] + [True] * (len(windows) - 1)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Region.box(2, 1, 0, 1), "empty"),
        (lambda: Region(np.array([0.0, 1]), np.array([0.0, 1])), "three vertices"),
        (lambda: Region.box(-80, 80, -120, 120), "hemisphere"),
        (lambda: Region(np.zeros(3), np.array([0.0, 1, 2])), "no area"),
    ],
)
def test_what_is_no_region_is_refused(make: object, said: str) -> None:
    with pytest.raises(DataError, match=said):
        make()  # type: ignore[operator]


def test_regions_are_read_from_boxes_tables_and_arrays(tmp_path: Path) -> None:
    table, array = tmp_path / "r.csv", tmp_path / "r.npy"
    table.write_text("latitude,longitude\n33,-117\n33,-116\n34,-116\n34,-117\n")
    np.save(array, np.array([[33, -117], [33, -116], [34, -116], [34, -117]]))
    areas = [Region.read(text).area_km2 for text in ("33/34/-117/-116", str(table), str(array))]
    assert areas == pytest.approx([areas[0]] * 3)
    with pytest.raises(ConfigurationError, match="neither a file nor a box"):
        Region.read("nowhere")
    np.save(array, np.zeros(3))
    with pytest.raises(DataError, match="shape"):
        Region.read(str(array))


def test_cells_that_make_no_grid_are_refused() -> None:
    region = Region.box(33, 34, -117, -116)
    for step in (0.0, np.nan, 1e-4):
        with pytest.raises(ConfigurationError, match="--cell-deg"):
            Grid.of_degrees(region, step)
