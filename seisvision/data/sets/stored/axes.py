"""How sets spell their axes: order of components, order of dimensions, sampling rate.

The SeisBench format (Woollam et al. 2022, doi:10.1785/0220210324) keeps them in the group ``data_format`` as one text
each; other programs write bytes, arrays, attributes, lower case or lists.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import h5py
import numpy as np

from seisvision.data.sets.stored.own_items import own_item
from seisvision.errors import DataError

MAX_VALUES = 10_000
"""Of an entry of ``data_format``; more is none."""
DIMENSION_ORDERS = ("CW", "WC", "NCW", "NWC")
"""Components and samples of a trace; traces (N) are always the first dimension."""
JAPANESE = {"UD": "Z", "NS": "N", "EW": "E"}
"""Names of components in Japanese networks, each positive to where its first letter points."""


def read_data_format(file: h5py.File) -> dict[str, Any]:
    """Return what the group ``data_format`` says, as text or numbers; ``{}`` where there is none."""
    if file.get("data_format", getlink=True) is None:
        return {}
    described = own_item(file, "data_format")
    found = {str(key): _plain(value) for key, value in described.attrs.items()}
    if isinstance(described, h5py.Group):
        for key in described:
            # Texts may be of any length; what lies elsewhere is refused before it is opened.
            link = described.get(key, getlink=True)
            item = described[key] if isinstance(link, h5py.HardLink) else own_item(described, key)
            if isinstance(item, h5py.Dataset) and (item.size or 0) <= MAX_VALUES:
                found[key] = _plain(item[()])
    return found


def _plain(value: Any) -> Any:
    """Turn what HDF5 returns into text or a number; arrays of several become one text with commas."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, np.ndarray):
        items = list(dict.fromkeys(_plain(item) for item in value.ravel()))
        return items[0] if len(items) == 1 else ",".join(map(str, items))
    return value


def rate_of(value: object) -> float:
    """Sampling rate (Hz) that a ``data_format`` gives, NaN where it is no positive number."""
    try:
        rate_hz = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return np.nan
    return rate_hz if rate_hz > 0 else np.nan


def component_letters(text: str) -> str:
    """Return the letters of a component order: ``ZNE`` for ``zne``, ``Z,N,E``, ``['Z', 'N', 'E']``, ``HHZ HHN HHE``,
    ``UD NS EW``.

    Raises:
        DataError: it names no component, or one twice.
    """
    parts = _words(text)
    if len(parts) > 1:
        # Letters one by one, or whole channel codes, whose last letter is the component.
        parts = [JAPANESE.get(part, part[-1]) for part in parts] if len({len(part) for part in parts}) == 1 else []
    letters = "".join(parts)
    if not letters or len(set(letters)) < len(letters):
        raise DataError(
            f"component order '{text}' must name different components, one letter each, such as ZNE, ENZ or Z12"
        )
    return letters


def dimension_order(text: str) -> str:
    """Return ``CW`` (components before samples) or ``WC`` however it is spelt; "" for an empty text.

    Raises:
        DataError: it is none of these.
    """
    letters = "".join(_words(text))
    if letters and letters not in DIMENSION_ORDERS:
        raise DataError(f"dimension_order={text!r} is not supported; allowed: {', '.join(DIMENSION_ORDERS)}")
    return letters.removeprefix("N")


def _words(text: str) -> list[str]:
    """Upper-case runs of letters and digits; the b of a printed bytes object is none."""
    return re.findall(r"[A-Z0-9]+", re.sub(r"\bb(?=['\"])", "", text).upper())


def dimension_order_of(shapes: Sequence[tuple[int, int, int]], where: str) -> str:
    """Tell ``CW`` from ``WC`` by shapes, where a set does not say it.

    Args:
        shapes: of some traces, the first two dimensions and how many components the trace has.
        where: file, for the message.

    Raises:
        DataError: the shapes fit both, neither, or differ.
    """
    fits = {
        "CW" if first == n_components else "WC"
        for first, second, n_components in shapes
        if (first == n_components) != (second == n_components)
    }
    if len(fits) != 1:
        seen = ", ".join(f"{first} x {second} for {n} components" for first, second, n in shapes[:3])
        raise DataError(
            f"{where} does not say whether components or samples come first, and the shapes do not tell ({seen}); "
            "add dimension_order (CW or WC) and component_order to its data_format group"
        )
    return fits.pop()
