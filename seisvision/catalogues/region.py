"""Regions as polygons."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from seisvision.data.importing.tables.text_tables import number, read_csv
from seisvision.earth.constants import EARTH_RADIUS_KM
from seisvision.earth.projection import Projection
from seisvision.errors import ConfigurationError, DataError

BEND_KM = 0.1
BEND_SHARE = 1e-3
"""Edges are cut until no piece bends more than this on the plane: 0.1 km, or that part of the extent of the region."""
MOST_HALVINGS = 8


class Region:
    """A polygon whose edges are straight lines of latitude over longitude, so that boxes have parallels for edges.

    Args:
        latitude_deg: (V,) of the vertices, in either sense of rotation.
        longitude_deg: (V,); each edge runs the shorter way round.

    Attributes:
        projection: the plane about its middle.
        x_km, y_km: (P,) corners on the plane, anticlockwise, not closed; inside and area are told by these.

    Raises:
        DataError: fewer than three vertices, no numbers, no area, or more than a hemisphere.
    """

    def __init__(self, latitude_deg: np.ndarray, longitude_deg: np.ndarray) -> None:
        self.latitude_deg, self.longitude_deg = np.asarray(latitude_deg, float), np.asarray(longitude_deg, float)
        if len(self.latitude_deg) > 1 and self.latitude_deg[0] == self.latitude_deg[-1]:
            closed = (self.longitude_deg[0] - self.longitude_deg[-1]) % 360 == 0
            last = len(self.latitude_deg) - int(closed)
            self.latitude_deg, self.longitude_deg = self.latitude_deg[:last], self.longitude_deg[:last]
        places = np.stack([self.latitude_deg, self.longitude_deg], axis=1)
        if len(places) < 3 or not np.isfinite(places).all() or (np.abs(self.latitude_deg) > 90).any():
            raise DataError("a region needs three vertices or more, with latitudes within ±90 and finite longitudes")
        fine = _cut(places, 4)
        self.projection = Projection.about(fine[:, 0], fine[:, 1])
        self.x_km, self.y_km = self._outline(places)
        area_km2 = _area(self.x_km, self.y_km)
        if area_km2 < 0:
            self.x_km, self.y_km = self.x_km[::-1].copy(), self.y_km[::-1].copy()
        self.area_km2 = abs(area_km2)
        if not self.area_km2 > 1e-6:
            raise DataError("the vertices of a region enclose no area; give them in the order of its outline")

    @classmethod
    def box(cls, south_deg: float, north_deg: float, west_deg: float, east_deg: float) -> Region:
        """Between two parallels and two meridians; west 170 and east -170 cross the date line.

        Raises:
            DataError: the box is empty, or wider than a hemisphere.
        """
        width = (east_deg - west_deg) % 360
        if not south_deg < north_deg or width == 0:
            raise DataError(f"the box {south_deg}/{north_deg}/{west_deg}/{east_deg} is empty; give S/N/W/E")
        # Edges run the shorter way, so a wide parallel is given in parts.
        at = west_deg + width * np.linspace(0, 1, int(width // 90) + 2)
        return cls(np.repeat([south_deg, north_deg], len(at)), np.concatenate([at, at[::-1]]))

    @classmethod
    def around(cls, latitude_deg: np.ndarray, longitude_deg: np.ndarray) -> Region:
        """The smallest box of whole tenths of a degree that holds all places (N,), across the date line where shorter.

        Raises:
            DataError: they reach around more than a hemisphere.
        """
        turned = np.sort(np.asarray(longitude_deg) % 360)
        wide = np.diff(np.append(turned, turned[0] + 360))
        # The widest empty stretch of longitudes is left out.
        west, east = turned[(wide.argmax() + 1) % len(turned)], turned[wide.argmax()]
        south, north = (np.floor(latitude_deg.min() * 10) / 10, np.ceil(latitude_deg.max() * 10 + 1e-6) / 10)
        width = np.ceil(((east - west) % 360) * 10 + 1e-6) / 10 + 0.1
        west = np.floor(west * 10) / 10
        return cls.box(float(max(south, -90)), float(min(north, 90)), float(west), float(west + width))

    @classmethod
    def read(cls, text: str) -> Region:
        """Region of ``S/N/W/E`` in degrees, of a CSV table with latitude and longitude, or of an .npy (V, 2) of them.

        Raises:
            ConfigurationError: it is none of these.
            DataError: the file is damaged, or the vertices make no region.
        """
        parts = text.split("/")
        if len(parts) == 4:
            try:
                return cls.box(*(float(part) for part in parts))
            except ValueError:
                pass
        path = Path(text)
        if not path.is_file():
            raise ConfigurationError(
                f"--region={text} is neither a file nor a box; give S/N/W/E in degrees, such as 33/34/-117/-116, or a "
                "table of vertices"
            )
        if path.suffix == ".npy":
            try:
                vertices = np.asarray(np.load(path, allow_pickle=False), float)
            except (ValueError, OSError) as error:
                raise DataError(
                    f"{path} is no array of vertices ({error}); give (V, 2) latitudes, longitudes"
                ) from error
            if vertices.ndim != 2 or vertices.shape[1] != 2:
                raise DataError(f"{path} has shape {vertices.shape}; a region has (V, 2) latitudes and longitudes")
            return cls(vertices[:, 0], vertices[:, 1])
        table = read_csv(path)
        if not {"latitude", "longitude"} <= set(table.columns):
            raise DataError(f"{path} has no columns latitude and longitude; it has {', '.join(table.columns)}")
        columns = (table[name] for name in ("latitude", "longitude"))
        return cls(*(np.array([number(cell, f"{column.name} of {path}") for cell in column]) for column in columns))

    def contains(self, latitude_deg: np.ndarray, longitude_deg: np.ndarray) -> np.ndarray:
        """Bool (N,): which places lie inside."""
        return self.contains_km(*self.projection.to_km(np.asarray(latitude_deg), np.asarray(longitude_deg)))

    def contains_km(self, x_km: np.ndarray, y_km: np.ndarray) -> np.ndarray:
        """Bool (N,): which points of the plane lie inside (crossings of a ray to the east)."""
        inside = np.zeros(np.shape(x_km), dtype=bool)
        for x1, y1, x2, y2 in zip(self.x_km, self.y_km, np.roll(self.x_km, -1), np.roll(self.y_km, -1), strict=True):
            if y1 != y2:
                between = (y1 <= y_km) != (y2 <= y_km)
                inside ^= between & (x_km < x1 + (y_km - y1) * (x2 - x1) / (y2 - y1))
        return inside

    def _outline(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Corners on the plane of edges cut finely enough."""
        for halvings in range(MOST_HALVINGS + 1):
            fine = _cut(places, 2**halvings)
            x, y = self.projection.to_km(fine[:, 0], fine[:, 1])
            if not np.isfinite(x + y).all() or np.hypot(x, y).max() > np.sqrt(2) * EARTH_RADIUS_KM:
                raise DataError("a region is larger than a hemisphere; give a smaller one, or several")
            middle = _cut(places, 2 ** (halvings + 1))[1::2]
            x_mid, y_mid = self.projection.to_km(middle[:, 0], middle[:, 1])
            bend = np.hypot(x_mid - (x + np.roll(x, -1)) / 2, y_mid - (y + np.roll(y, -1)) / 2).max()
            if bend <= max(BEND_KM, BEND_SHARE * max(np.ptp(x), np.ptp(y))):
                break
        return x, y


def _cut(places: np.ndarray, parts: int) -> np.ndarray:
    """Outline (V * parts, 2) with every edge in equal parts, the shorter way round."""
    step = np.roll(places, -1, axis=0) - places
    step[:, 1] = (step[:, 1] + 180) % 360 - 180
    at = np.arange(parts) / parts
    return (places[:, None] + at[None, :, None] * step[:, None]).reshape(-1, 2)


def _area(x_km: np.ndarray, y_km: np.ndarray) -> float:
    """Signed area; positive anticlockwise."""
    return float(0.5 * (x_km * np.roll(y_km, -1) - np.roll(x_km, -1) * y_km).sum())
