"""What a sample can be: one table of units, which every room asks in place of comparing names.

A further unit (a cell of a catalogue, a pair of stations, a section of fibre) is one :func:`register` away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from seisvision import keys
from seisvision.errors import ConfigurationError, did_you_mean


@dataclass(frozen=True)
class Unit:
    """One kind of sample.

    Attributes:
        name: what configuration, checkpoints and ``metrics.json`` call it.
        plural: the word for people.
        section: section of the data set's yaml that says how such samples are cut.
        id_column: where batches and ``predictions.csv`` hold the N ids; no two units share it.
        numbers_rows: whether an id is a row of the metadata table.
        row_columns: further columns of ``predictions.csv``, taken from that row.
    """

    name: str
    plural: str
    section: str
    id_column: str
    numbers_rows: bool = False
    row_columns: tuple[str, ...] = ()

    @property
    def id_columns(self) -> tuple[str, ...]:
        """Columns that tell the sample: its event, and its own id where it is no event."""
        return tuple(dict.fromkeys((keys.SOURCE_ID, self.id_column)))


EVENT = Unit("event", "events", "samples", keys.SOURCE_ID)
TRACE = Unit(
    "trace",
    "traces",
    "traces",
    keys.TRACE_ID,
    numbers_rows=True,
    row_columns=("station_network_code", "station_code"),
)
UNITS: dict[str, Unit] = {unit.name: unit for unit in (EVENT, TRACE)}
"""All units by name; see :func:`register`."""


def register(unit: Unit) -> Unit:
    """Add a unit to the table, and return it.

    Raises:
        ConfigurationError: another unit has that name or its column of ids, or the columns of rows have no row.
    """
    for other in UNITS.values():
        if other != unit and (other.name == unit.name or other.id_column == unit.id_column):
            raise ConfigurationError(
                f"unit '{unit.name}' with ids in '{unit.id_column}' cannot be told from unit '{other.name}' with ids "
                f"in '{other.id_column}'; give it a name and an id_column of its own"
            )
    if unit.row_columns and not unit.numbers_rows:
        raise ConfigurationError(
            f"unit '{unit.name}' has row_columns {', '.join(unit.row_columns)}, but its ids do not number rows; leave "
            "them out, or set numbers_rows"
        )
    UNITS[unit.name] = unit
    return unit


def unit_named(name: str) -> Unit:
    """The unit of a name.

    Raises:
        ConfigurationError: there is none.
    """
    if name not in UNITS:
        raise ConfigurationError(f"unit='{name}' is not known. {did_you_mean(name, list(UNITS))}")
    return UNITS[name]


def unit_of_columns(columns: Sequence[str]) -> Unit | None:
    """The unit whose ids a table of samples with these columns holds; ``None`` where it holds no ids.

    The column of events stands beside the ids of every other unit, so events are what is left.
    """
    others = (unit for unit in UNITS.values() if unit.id_column != keys.SOURCE_ID)
    found = next((unit for unit in others if unit.id_column in columns), None)
    return found or (EVENT if keys.SOURCE_ID in columns else None)


def all_id_columns() -> tuple[str, ...]:
    """Every column that may tell a sample, that of its event first."""
    return tuple(dict.fromkeys((keys.SOURCE_ID, *(unit.id_column for unit in UNITS.values()))))
