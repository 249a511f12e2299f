"""Checks of coordinates, distances and azimuths."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from seisvision.angles import wrapped_difference_deg
from seisvision.data.audit.findings import Finding, worst_of
from seisvision.data.audit.table import AuditTable
from seisvision.data.audit.units import check_units, unit_of
from seisvision.data.samples.paths import COORDINATES, FAR_KM, MOST_OFF_DEG
from seisvision.data.splitting.cells import positions_km
from seisvision.earth.geodesics import geodesic

DEPTH_LIMITS_KM = (-10.0, 800.0)
"""From above the highest summit to below the deepest earthquake."""
MAGNITUDE_LIMITS = (-5.0, 10.0)
MAX_COMPUTED = 20000
"""Distances are computed again for at most so many traces, evenly chosen."""
MOVED_KM = 1.0
SHARED_SHARE = 0.2
"""Share of the events in a cell with others from which that is said."""


def check_places(table: AuditTable) -> Iterator[Finding]:
    """Findings on places."""
    yield from _coordinates(table)
    yield from _longitudes(table)
    yield from _sizes(table)
    yield from check_units(table)
    yield from _paths(table)
    yield from _one_azimuth(table)
    yield from _moved_stations(table)
    yield from _shared_places(table)


def _coordinates(table: AuditTable) -> Iterator[Finding]:
    values = [table.numbers(column) for column in COORDINATES]
    bad = np.zeros(table.n_traces, dtype=bool)
    for value, limit in zip(values, (90, 360, 90, 360), strict=True):
        bad |= np.abs(value) > limit
    remedy = "Correct or empty them. Latitude and longitude exchanged, or a number such as -999 for none, is common."
    yield from table.trace_finding("coordinates_impossible", "fatal", "places that are not on Earth", bad, remedy)
    null = ((values[0] == 0) & (values[1] == 0)) | ((values[2] == 0) & (values[3] == 0))
    remedy = "Empty these coordinates: most programs write 0, 0 where they know nothing."
    yield from table.trace_finding("coordinates_zero", "warning", "places at 0 N, 0 E", null, remedy)
    lacking = np.isnan(values[0] + values[1] + values[2] + values[3])
    remedy = "These have no distance or azimuth: tasks that need one leave them out. Add coordinates if you can."
    yield from table.trace_finding("coordinates_missing", "note", "traces without distance", lacking, remedy)


def _longitudes(table: AuditTable) -> Iterator[Finding]:
    for column in (COORDINATES[1], COORDINATES[3]):
        values = table.numbers(column)
        beyond = values > 180
        if (values < 0).any():
            remedy = "Both are read right, but not by every program: count them one way."
            title = f"{column} counted from -180 to 180 and from 0 to 360"
            yield from table.trace_finding("longitudes_mixed", "note", title, beyond, remedy)


def _sizes(table: AuditTable) -> Iterator[Finding]:
    depth, magnitude = table.numbers("source_depth_km"), table.numbers("source_magnitude")
    low, high = DEPTH_LIMITS_KM
    bad = (depth < low) | (depth > high)
    remedy = "Depths are kilometres below the surface; metres, or a number such as -999 for none, give this."
    yield from table.trace_finding("depth_impossible", "fatal", "depths outside the Earth's seismic range", bad, remedy)
    low, high = MAGNITUDE_LIMITS
    bad = (magnitude < low) | (magnitude > high)
    remedy = "Correct or empty them; a number such as -999 for none, or a seismic moment, gives this."
    yield from table.trace_finding("magnitude_impossible", "fatal", "magnitudes nothing on Earth has", bad, remedy)
    negative = table.numbers("path_ep_distance_km") < 0
    yield from table.trace_finding(
        "distance_negative", "fatal", "negative distances", negative, "Correct or empty them."
    )


def _paths(table: AuditTable) -> Iterator[Finding]:
    places = [table.numbers(column) for column in COORDINATES]
    sound = np.isfinite(sum(places)) & (np.abs(places[0]) <= 90) & (np.abs(places[2]) <= 90)
    rows = np.flatnonzero(sound)
    rows = rows[:: max(1, len(rows) // MAX_COMPUTED)]
    if not len(rows):
        return
    distance, azimuth, back = geodesic(*(place[rows] for place in places))
    given = table.numbers("path_ep_distance_km")[rows]
    wrong = np.abs(given - distance) > 2 + 0.02 * distance
    unit = unit_of(given[wrong], distance[wrong])
    title = "distances that contradict the coordinates" + (f": they are in {unit}" if unit else "")
    remedy = "Delete path_ep_distance_km to have it computed, or correct the coordinates; mind metres and degrees."
    yield from _of_rows(table, "distance_contradicts", title, rows, wrong, remedy)
    # Near the source an error of metres turns the azimuth.
    far = distance > FAR_KM
    for column, own, other in (("path_azimuth_deg", azimuth, back), ("path_back_azimuth_deg", back, azimuth)):
        given = table.numbers(column)[rows]
        off = far & (np.abs(wrapped_difference_deg(given, own, 360.0)) > MOST_OFF_DEG)
        turned = off & (np.abs(wrapped_difference_deg(given, other, 360.0)) < MOST_OFF_DEG)
        what = (
            "azimuth and back azimuth exchanged"
            if turned.sum() > off.sum() / 2
            else "azimuths that contradict the coordinates"
        )
        remedy = (
            f"Samples take what the coordinates give. Delete {column}, or correct it or the coordinates: clockwise "
            "from north, azimuth from source to station."
        )
        code = f"{column.removesuffix('_deg')}_contradicts"
        yield from _of_rows(table, code, what, rows, off, remedy, fatal_share=1.0)


def _one_azimuth(table: AuditTable) -> Iterator[Finding]:
    """Azimuths that are also called back azimuths, where no coordinates say which of the two they are."""
    blind = np.isnan(sum(table.numbers(column) for column in COORDINATES))
    azimuth, back = table.numbers("path_azimuth_deg"), table.numbers("path_back_azimuth_deg")
    both = blind & np.isfinite(azimuth + back)
    same = both & (np.abs(wrapped_difference_deg(azimuth, back, 360.0)) < 5)
    n_both = int(both.sum())
    remedy = "They differ by about 180 degrees nearby: find out which one the columns hold, and correct the other."
    title = "back azimuths that are the azimuths"
    severity = worst_of(int(same.sum()), n_both, 0.5)
    yield from table.trace_finding("back_azimuth_is_azimuth", severity, title, same, remedy, n_both)


def _of_rows(
    table: AuditTable,
    code: str,
    title: str,
    rows: np.ndarray,
    wrong: np.ndarray,
    remedy: str,
    fatal_share: float = 0.1,
) -> Iterator[Finding]:
    bad = np.zeros(table.n_traces, dtype=bool)
    bad[rows[wrong]] = True
    severity = worst_of(int(wrong.sum()), len(rows), fatal_share)
    yield from table.trace_finding(code, severity, title, bad, remedy, len(rows))


def _moved_stations(table: AuditTable) -> Iterator[Finding]:
    number, names = table.station
    position_km = positions_km(table.numbers(COORDINATES[2]), table.numbers(COORDINATES[3]))
    known = np.flatnonzero((number >= 0) & np.isfinite(position_km).all(axis=1))
    if not len(known):
        return
    stations, first = np.unique(number[known], return_index=True)
    where_km = np.zeros((len(names), 3))
    where_km[stations] = position_km[known[first]]
    spread_km = np.zeros(len(names))
    np.maximum.at(spread_km, number[known], np.linalg.norm(position_km[known] - where_km[number[known]], axis=1))
    moved = np.flatnonzero(spread_km > MOVED_KM)
    if len(moved):
        examples = tuple(f"{names[i]} by {spread_km[i]:.1f} km" for i in moved[:5])
        remedy = "Two stations of one name, or one that moved; give station_network_code if it is missing."
        yield Finding(
            "station_moved",
            "warning",
            "stations at several places",
            len(moved),
            len(names),
            "stations",
            remedy,
            examples,
        )


def _shared_places(table: AuditTable) -> Iterator[Finding]:
    """Events of one place take the same paths to the stations: apart, they give each other away."""
    if not table.has("source_cell"):
        return
    _, first = np.unique(table.event, return_index=True)
    cells = table.metadata["source_cell"].iloc[first]
    shared = (cells.map(cells.value_counts()) > 1).to_numpy()
    if shared.mean() > SHARED_SHARE:
        remedy = "Split with split.by=source_cell, or the parts share sources and paths."
        yield from table.event_finding("place_shared", "note", "events at the place of another", shared, remedy)
