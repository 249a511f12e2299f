"""What a derived column is: other columns in, one out, by values that training samples alone decide."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import pandas as pd

Fitted = dict[str, list[float]]
"""What was learnt from the training samples, as checkpoints hold it; empty where there is nothing to learn."""


class DerivedColumn(ABC):
    """A column made of others, for any set in the same way once it is fitted.

    Attributes:
        class_names: the classes it deals events or traces into, which are the values it writes; empty: numbers.
        of_event: whether it says something of the event, so that all traces of an event have one value.
        columns: what it is made of.
        learns_from: the column of numbers that a network would learn through it, for the audit; None: none.
    """

    class_names: tuple[str, ...] = ()
    of_event: bool = True
    columns: tuple[str, ...] = ()
    learns_from: str | None = None

    @abstractmethod
    def known(self, table: pd.DataFrame) -> np.ndarray:
        """Tell which rows (N,) have what it is made of; nothing is fitted for that."""

    @abstractmethod
    def fit(self, table: pd.DataFrame) -> Fitted:
        """What the rows of the training samples decide: one an event, or one a trace.

        Raises:
            DataError: they are too few.
        """

    @abstractmethod
    def check(self, fitted: Any) -> None:
        """Refuse values of a stranger's file that no fit would give.

        Raises:
            ValueError: says what is wrong with them.
        """

    @abstractmethod
    def apply(self, table: pd.DataFrame, fitted: Fitted) -> np.ndarray:
        """Values (N,) of rows of any set: text for classes, None where it is not known; float64 for numbers, NaN."""


class MeasuredColumn(DerivedColumn):
    """A number that follows from each row by itself, so that nothing is learnt."""

    def known(self, table: pd.DataFrame) -> np.ndarray:
        """Tell which rows (N,) have a value."""
        return np.isfinite(self.apply(table, {}))

    def fit(self, table: pd.DataFrame) -> Fitted:
        """Nothing: it is measured, not learnt."""
        return {}

    def check(self, fitted: Any) -> None:
        """Refuse anything."""
        check_numbers(fitted, {})


def class_values(numbers: np.ndarray, known: np.ndarray, class_names: tuple[str, ...]) -> np.ndarray:
    """Class numbers (N,) as the values of a column (N,), None where ``known`` (N,) is false."""
    values = np.full(len(numbers), None, dtype=object)
    values[known] = np.array(class_names, dtype=object)[numbers[known]]
    return values


def check_numbers(fitted: Any, lengths: dict[str, int]) -> None:
    """Refuse fitted values that are not lists of numbers of these names and lengths.

    Raises:
        ValueError: they are not.
    """
    if not isinstance(fitted, dict) or set(fitted) != set(lengths):
        raise ValueError(f"they are not called {', '.join(lengths) or 'nothing'}")
    for name, length in lengths.items():
        numbers = fitted[name]
        if not isinstance(numbers, list) or len(numbers) != length or not all(map(_is_number, numbers)):
            raise ValueError(f"{name} is no list of {length} numbers")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value
