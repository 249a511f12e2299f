"""Units of ground motion as station files and SAC headers spell them, in metres and seconds."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

GROUND_UNITS = {"DISP": "m", "VEL": "m/s", "ACC": "m/s**2"}
"""Unit of each kind of ground motion."""
LENGTHS = {
    "M": 1.0, "METER": 1.0, "METRE": 1.0, "METERS": 1.0, "METRES": 1.0,
    "CM": 1e-2, "MM": 1e-3, "UM": 1e-6, "MICROMETER": 1e-6, "MICRON": 1e-6, "NM": 1e-9, "NANOMETER": 1e-9,
}  # fmt: skip
ACCELERATIONS = {"G": 9.80665, "GAL": 1e-2, "GALS": 1e-2, "MGAL": 1e-5}
"""Standard gravity (CGPM 1901) and gal."""
SAC_UNITS = {6: "nm", 7: "nm/s", 8: "nm/s**2", 50: "V"}
"""IDEP: SAC users manual, chapter "SAC data file format"."""
COUNTS = "counts"


def ground_unit(text: str | None) -> tuple[float, str] | None:
    """Factor to metres and seconds and the unit there: (1e-9, "m/s") for ``NM/S``; None if it is no ground motion.

    ``M/S**2``, ``m/s/s``, ``M/(SEC^2)`` and ``m s-2`` are the same.
    """
    plain = unicodedata.normalize("NFKC", text or "").replace("\N{GREEK SMALL LETTER MU}", "u").upper()
    name = re.sub(r"[()\s_]+", " ", plain).strip()
    if name in ACCELERATIONS:
        return ACCELERATIONS[name], "m/s**2"
    match = re.fullmatch(r"([A-Z]+) ?(.*)", name)
    length = LENGTHS.get(match[1]) if match else None
    if match is None or length is None:
        return None
    order = _per_seconds(match[2])
    return None if order is None else (length, ("m", "m/s", "m/s**2")[order])


def _per_seconds(text: str) -> int | None:
    """Number of times a unit is divided by seconds: 1 for ``/S``, 2 for ``/S**2``."""
    plain = re.sub(r"SECONDS?|SEC", "S", text).replace(" ", "").replace("PER", "/").replace("**", "").replace("^", "")
    orders = {"": 0, "/S": 1, "S-1": 1, "*S-1": 1, "/S/S": 2, "/S2": 2, "S-2": 2, "*S-2": 2, "/SS": 2, "/S*S": 2}
    return orders.get(plain)


def sac_unit(header: Mapping[str, Any]) -> str | None:
    """Unit that a SAC header states in IDEP; None where it states none."""
    return SAC_UNITS.get(int(header.get("idep") or 0))
