"""Whether the shapes of the samples fit what a set says of its axes."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from seisvision.data.sets.set_files import Chunk
from seisvision.data.sets.stored.axes import dimension_order_of
from seisvision.data.sets.stored.own_items import own_item
from seisvision.data.sets.stored.tables import Metadata
from seisvision.errors import DataError
from seisvision.keys import COMPONENTS

log = logging.getLogger(__name__)

MAX_LOOKED_AT = 20
"""Datasets whose shapes tell the order of dimensions where the set does not."""


def with_dimension_orders(chunks: list[Chunk], metadata: Metadata) -> list[Chunk]:
    """Return the chunks with the order of dimensions that the shapes tell, where a set does not say it.

    Raises:
        DataError: the shapes do not tell, or samples come first and the components are not named anywhere.
    """
    return [
        chunk if chunk.dimension_order else replace(chunk, dimension_order=_found_order(chunk, metadata, number))
        for number, chunk in enumerate(chunks)
    ]


def _found_order(chunk: Chunk, metadata: Metadata, number: int) -> str:
    rows = np.flatnonzero(metadata.chunk == number)
    _, first = np.unique(metadata.dataset[rows], return_index=True)
    chosen = rows[np.sort(first)[:: max(1, len(first) // MAX_LOOKED_AT)]]
    shapes = list(_shapes(chunk, metadata, chosen))
    if not shapes:
        # What is missing or of other dimensions is named when it is read.
        return "CW"
    found = dimension_order_of(shapes, str(chunk.waveforms_path))
    named = "trace_component_order" in pd.read_csv(chunk.metadata_path, nrows=0, encoding_errors="replace")
    if found == "WC" and not chunk.component_order and not named:
        raise DataError(
            f"{chunk.waveforms_path} holds samples before components and does not say which components these are; "
            "add component_order (such as ENZ) and dimension_order (WC) to its data_format group"
        )
    if found == "WC":
        log.warning("%s does not say its dimension_order; by its shapes samples come first (WC)", chunk.waveforms_path)
    return found


def _shapes(chunk: Chunk, metadata: Metadata, rows: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """First two dimensions of traces, as far as their names reach, and how many components they have."""
    orders = [metadata.orders[number] for number in metadata.order[rows]]
    with h5py.File(chunk.waveforms_path, "r") as file:
        for row, order in zip(rows, orders, strict=True):
            try:
                dataset = own_item(file["data"], metadata.datasets[metadata.dataset[row]][1])
            except (KeyError, ValueError, RuntimeError, OSError):
                continue  # named when it is read
            shape = getattr(dataset, "shape", ())[int(metadata.index[row] >= 0) :]
            if len(shape) == 2:
                limits = metadata.limits[:, row]
                first, second = (int(n if limit < 0 else min(n, limit)) for n, limit in zip(shape, limits, strict=True))
                yield first, second, len(order)


def check_widths(path: Path, metadata: Metadata, n_components: np.ndarray) -> None:
    """Refuse traces whose name tells another number of components than their order.

    Args:
        path: the set.
        metadata: its N traces.
        n_components: as ``trace_name`` tells it (N,), -1 where it does not.

    Raises:
        DataError: some do.
    """
    n_letters = np.array([len(order) for order in metadata.orders], dtype=n_components.dtype)[metadata.order]
    bad = (n_components >= 0) & (n_components != n_letters)
    if bad.any():
        first = int(bad.argmax())
        raise DataError(
            f"{path}: {int(bad.sum())} traces have another number of components than their component order names, "
            f"first '{metadata.table.iloc[first]['trace_name']}' with the order "
            f"{metadata.orders[metadata.order[first]]}; correct trace_component_order, or the component_order and "
            "dimension_order of the data_format group"
        )


def check_shape(shape: tuple[int, ...], dtype: np.dtype, order: str, n_components: int, n_samples: np.ndarray) -> None:
    """Refuse samples that are not what the set says of them.

    Args:
        shape: components and samples as stored.
        dtype: of the samples.
        order: letters of the components.
        n_components: as ``trace_name`` tells it, -1 where it does not.
        n_samples: of each trace that is read, -1 where ``trace_name`` does not tell.

    Raises:
        ValueError: the numbers differ, or the samples are no real numbers.
    """
    if len(shape) != 2:
        raise ValueError(f"samples of {len(shape)} dimensions instead of components and time")
    if dtype.kind not in "iuf":
        raise ValueError(f"samples of type {dtype} instead of real numbers")
    stored = shape[0] if n_components < 0 else min(n_components, shape[0])
    if stored != len(order):
        hint = ", perhaps its dimension_order is the other one" if shape[1] == len(order) else ""
        raise ValueError(f"{stored} components, where the order {order} names {len(order)}{hint}")
    if n_samples.max(initial=-1) > shape[1]:
        raise ValueError(f"{shape[1]} samples, where trace_name tells {n_samples.max()}")


def tell_others(path: Path, orders: Mapping[str, int]) -> None:
    """Warn of traces that hold components of other names in the place of Z, N or E."""
    others = {order: n for order, n in orders.items() if set(order) - set(COMPONENTS) and set(COMPONENTS) - set(order)}
    if others:
        log.warning(
            "%s holds traces with components other than %s (%s). They are read by these letters and not turned: where "
            "N or E is asked for, such traces give zeros and are masked",
            path, COMPONENTS, ", ".join(f"{order}: {n} traces" for order, n in list(others.items())[:8]),
        )  # fmt: skip
