"""Groups of sources by place: what lies close together stays together, wherever the borders of a map run.

Sources closer than :data:`LINK_KM` are linked, and what is linked through others is one group (single linkage). Dense
catalogues link up into one giant group, so groups that hold too much are cut again, where fewest sources lie.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from seisvision.earth.constants import EARTH_RADIUS_KM

LINK_KM = 2.0
"""Sources closer than this are in one group: catalogues locate no better, and their paths are the same."""
CLOSE_KM = 1.0
"""Sources closer than this should never be parted."""
BOXES_PER_LINK = 4
"""Sources in one box of this part of the linking distance are never parted, which bounds the number of pairs."""
LARGEST_SHARE = 0.1
"""No cell of an import holds more than this share of its sources, unless it is narrow."""
NARROW_KM = 5.0
"""What is no wider is one place, however many sources it has, and is not cut."""


def positions_km(latitude_deg: np.ndarray, longitude_deg: np.ndarray) -> np.ndarray:
    """Cartesian coordinates (N, 3) on a sphere of 6371 km: poles, date line and both ways to count longitude are one.

    NaN where there is no place on Earth.
    """
    latitude, longitude = np.asarray(latitude_deg, dtype=float), np.asarray(longitude_deg, dtype=float)
    latitude = np.where(np.abs(latitude) <= 90, np.radians(latitude), np.nan)
    longitude = np.radians(_within_half_turn(longitude))
    east, north = np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude)
    return EARTH_RADIUS_KM * np.stack([east, north, np.sin(latitude) + 0 * longitude], axis=-1)


def _within_half_turn(longitude_deg: np.ndarray) -> np.ndarray:
    """Longitudes in [-180, 180), to nine decimals (0.1 mm), or 185.02 - 360 would not be -174.98."""
    return np.asarray(np.round((longitude_deg + 180) % 360, 9) - 180)


class LinkedSources:
    """Sources, or groups of sources that must stay whole, linked by distance.

    Args:
        latitude_deg: (N,); sources without a place are linked to nothing.
        longitude_deg: (N,), counted either way.
        atoms: (N,) number of what is never parted, such as cells that a table brings; default, sources of one box.

    Attributes:
        component: (N,) number of the linked group before it is cut.
    """

    def __init__(self, latitude_deg: np.ndarray, longitude_deg: np.ndarray, atoms: np.ndarray | None = None) -> None:
        self.position_km = positions_km(latitude_deg, longitude_deg)
        known = np.isfinite(self.position_km).all(axis=1)
        box_km = LINK_KM / BOXES_PER_LINK
        corners = np.floor(self.position_km[known] / box_km)
        boxes, box_of = np.unique(corners, axis=0, return_inverse=True)
        box_of, centres = box_of.ravel(), (boxes + 0.5) * box_km
        if atoms is None:
            atoms = np.full(len(known), -1)
            atoms[known] = box_of
            atoms[~known] = len(boxes) + np.arange(int((~known).sum()))
        self.atom = np.unique(atoms, return_inverse=True)[1].ravel()
        n_atoms = int(self.atom.max(initial=-1)) + 1
        self.weight = np.bincount(self.atom, minlength=n_atoms)
        pairs = _box_pairs(centres, box_km)
        # Atoms and boxes are nodes of one graph: an atom reaches every box it has a source in.
        one = np.concatenate([self.atom[known], n_atoms + pairs[:, 0]])
        other = n_atoms + np.concatenate([box_of, pairs[:, 1]])
        n_nodes = n_atoms + len(boxes)
        graph = coo_matrix((np.ones(len(one), dtype=bool), (one, other)), shape=(n_nodes, n_nodes))
        self._component_of_atom = connected_components(graph, directed=False)[1][:n_atoms]
        self.component = self._component_of_atom[self.atom]
        self._centre_km = _mean_positions(self.atom[known], centres[box_of], n_atoms)

    def groups(self, largest: float = np.inf) -> np.ndarray:
        """Number of the group of each source (N,), where none holds more than ``largest`` sources if that can be."""
        group = self._component_of_atom.copy()
        n_groups = int(group.max(initial=-1)) + 1
        heavy = np.flatnonzero(np.bincount(group, weights=self.weight, minlength=n_groups) > largest)
        for component in heavy:
            pieces = _cut(np.flatnonzero(group == component), self._centre_km, self.weight, largest)
            for piece in pieces[1:]:
                group[piece] = n_groups
                n_groups += 1
        return group[self.atom]


def _box_pairs(centres_km: np.ndarray, box_km: float) -> np.ndarray:
    """Boxes (P, 2) that may hold sources closer than the linking distance: their centres are a diagonal farther."""
    if not len(centres_km):
        return np.empty((0, 2), dtype=int)
    reach_km = LINK_KM + np.sqrt(3) * box_km
    return cKDTree(centres_km).query_pairs(reach_km, output_type="ndarray")


def _mean_positions(number: np.ndarray, position_km: np.ndarray, n: int) -> np.ndarray:
    """Mean position (n, 3) of each number; zeros where it has none."""
    count = np.maximum(np.bincount(number, minlength=n), 1)
    return np.stack([np.bincount(number, weights=axis, minlength=n) / count for axis in position_km.T], axis=1)


def _cut(members: np.ndarray, centre_km: np.ndarray, weight: np.ndarray, largest: float) -> list[np.ndarray]:
    """Halve the atoms ``members`` until no piece is heavier than ``largest``, or cannot be cut."""
    waiting, done = [members], []
    while waiting:
        piece = waiting.pop()
        halves = _halves(piece, centre_km[piece], weight[piece]) if weight[piece].sum() > largest else None
        if halves is None:
            done.append(piece)
        else:
            waiting += halves
    return done


def _halves(piece: np.ndarray, centre_km: np.ndarray, weight: np.ndarray) -> list[np.ndarray] | None:
    """Cut across the longest extent where fewest sources lie close to the cut; None where all is one narrow place."""
    middle = centre_km - np.average(centre_km, axis=0, weights=weight)
    axis = np.linalg.eigh((middle * weight[:, None]).T @ middle)[1][:, -1]
    along_km = middle @ axis * np.sign(axis[np.abs(axis).argmax()])
    order = np.lexsort((*centre_km.T, along_km))
    along_km, mass = along_km[order], np.concatenate([[0], np.cumsum(weight[order])])
    if along_km[-1] - along_km[0] < NARROW_KM:
        return None
    cuts = np.flatnonzero(np.diff(along_km) > 1e-6) + 1
    at_km = 0.5 * (along_km[cuts - 1] + along_km[cuts])
    edges = [mass[np.searchsorted(along_km, at_km + side)] for side in (-CLOSE_KM / 2, CLOSE_KM / 2)]
    # Ratio cut (Hagen & Kahng 1992, doi:10.1109/43.159993): few close to the cut, and no slivers.
    smaller = np.minimum(mass[cuts], mass[-1] - mass[cuts])
    best = cuts[np.lexsort((-smaller, (edges[1] - edges[0]) / smaller))[0]]
    return [piece[order[:best]], piece[order[best:]]]


def cell_names(latitude_deg: np.ndarray, longitude_deg: np.ndarray) -> list[str]:
    """Name of the cell of each source (N,): the place of the source in its middle; "" without a place.

    Names have as many decimals as tell the cells apart, at least one. Order and number of the sources of a place do
    not matter, but more sources may link cells or make them large enough to be cut.
    """
    linked = LinkedSources(latitude_deg, longitude_deg)
    known = np.flatnonzero(np.isfinite(linked.position_km).all(axis=1))
    group = np.unique(linked.groups(max(1.0, LARGEST_SHARE * len(known)))[known], return_inverse=True)[1].ravel()
    latitude = np.asarray(latitude_deg, dtype=float)[known]
    longitude = _within_half_turn(np.asarray(longitude_deg, dtype=float)[known])
    middle_km = _mean_positions(group, linked.position_km[known], int(group.max(initial=-1)) + 1)
    off_km = np.round(np.linalg.norm(linked.position_km[known] - middle_km[group], axis=1), 6)
    order = np.lexsort((longitude, latitude, off_km, group))
    chosen = order[np.unique(group[order], return_index=True)[1]]
    names = [""] * len(linked.atom)
    texts = _distinct_names(latitude[chosen], longitude[chosen])
    for i, number in zip(known, group, strict=True):
        names[i] = texts[number]
    return names


def _distinct_names(latitude_deg: np.ndarray, longitude_deg: np.ndarray) -> list[str]:
    for decimals in range(1, 7):
        # Adding zero turns -0.0, which would be a name of its own, into 0.0.
        places = np.round(np.stack([latitude_deg, longitude_deg], axis=1), decimals) + 0.0
        names = [f"{latitude:.{decimals}f},{longitude:.{decimals}f}" for latitude, longitude in places]
        if len(set(names)) == len(names):
            break
    return names


def source_cell(event: Mapping[str, Any]) -> str:
    """Name of the cell of an event alone, as if no other source were known; "" without a place."""
    latitude_deg, longitude_deg = (event.get(f"source_{axis}_deg", np.nan) for axis in ("latitude", "longitude"))
    if not np.isfinite(latitude_deg + longitude_deg):
        return ""
    return cell_names(np.array([latitude_deg]), np.array([longitude_deg]))[0]


def name_cells(events: Iterable[dict[str, Any]]) -> None:
    """Give every event that has a place and no ``source_cell`` yet its cell, all events of an import together."""
    nameless = [event for event in events if not event.get("source_cell")]
    places = [[event.get(f"source_{axis}_deg", np.nan) for event in nameless] for axis in ("latitude", "longitude")]
    for event, name in zip(nameless, cell_names(*map(np.array, places)), strict=True):
        event["source_cell"] = name


def coarser_groups(groups: list[str], latitude_deg: np.ndarray, longitude_deg: np.ndarray) -> Iterator[list[str]]:
    """Join groups whose sources lie closer than the linking distance, ever less of them, down to ``groups`` alone.

    The first answer joins all that is linked, each following one holds groups half as large. A joint group has the
    first of its names.

    Args:
        groups: name of the group of each source (N,).
        latitude_deg: (N,), NaN where there is no place.
        longitude_deg: (N,).
    """
    names, number = np.unique(np.array(groups, dtype=object).astype(str), return_inverse=True)
    linked = LinkedSources(latitude_deg, longitude_deg, number.ravel())
    largest, n_before = float(len(groups)), 0
    while n_before < len(names) and largest >= 1:
        joint = linked.groups(largest)
        numbers, first = np.unique(joint[np.argsort(number.ravel(), kind="stable")], return_index=True)
        if len(numbers) > n_before:
            n_before = len(numbers)
            first_name = np.sort(number.ravel())[first]
            yield [str(name) for name in names[first_name[np.searchsorted(numbers, joint)]]]
        largest /= 2
    if n_before < len(names):
        yield groups


def close_apart(latitude_deg: np.ndarray, longitude_deg: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Bool (N,): whether a source of another label lies within :data:`CLOSE_KM`; for few labels."""
    position_km = positions_km(latitude_deg, longitude_deg)
    known = np.isfinite(position_km).all(axis=1)
    close = np.zeros(len(position_km), dtype=bool)
    for value in np.unique(label[known]):
        own, others = known & (label == value), known & (label != value)
        if others.any():
            distance_km = cKDTree(position_km[others]).query(position_km[own], distance_upper_bound=CLOSE_KM)[0]
            close[own] = np.isfinite(distance_km)
    return close
