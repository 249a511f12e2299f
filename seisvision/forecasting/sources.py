"""Where catalogues come from, as ``dataset.source`` names them. What one is known by needs no catalogue read."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from seisvision.errors import DataError
from seisvision.seeding import DEFAULT_SEED

if TYPE_CHECKING:
    from seisvision.catalogues.catalogue import EventCatalogue
    from seisvision.catalogues.region import Region

MADE = 1
"""Number of the way in which synthetic catalogues are made; a change of it renames the runs on them."""


def _short_hash(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]


@dataclass(frozen=True)
class CatalogueSource:
    """A catalogue in a file: a table (CSV, ComCat), QuakeML, or what else the import of events reads.

    Args:
        path: of the file. A relative path is looked up in the data folder first, then in the working folder.
        span: what the catalogue covers, such as ``1990-01-01/2011-01-01``; default, its first to its last day.
        gaps: spans or years that it does not cover: they are missing, not quiet.
        types: event types to keep; default, all.
    """

    path: str
    span: str | None = None
    gaps: Sequence[str] = field(default_factory=list)
    types: Sequence[str] = field(default_factory=list)

    def prepare(self, data_dir: str | Path) -> Path:
        """Return where the file is.

        Raises:
            DataError: it is nowhere.
        """
        given = Path(self.path).expanduser()
        for path in (Path(data_dir).expanduser() / given, given.absolute()):
            if path.is_file():
                return path
        raise DataError(
            f"dataset.source.path={self.path} was found neither in {Path(data_dir).absolute()} nor in {Path.cwd()}; "
            "give the path of a table or QuakeML of events"
        )

    def fingerprint(self, data_dir: str | Path) -> str:
        """Short hash of the file's content and of what is taken from it."""
        said = repr((self.span, tuple(self.gaps), tuple(self.types)))
        return _short_hash(self.prepare(data_dir).read_bytes(), said.encode())

    def read(self, data_dir: str | Path) -> tuple[EventCatalogue, Region | None]:
        """The catalogue; a file says nothing of its region."""
        from seisvision.catalogues.gaps import Gaps
        from seisvision.catalogues.reading import read_catalogue
        from seisvision.catalogues.times import span_of

        span = None if self.span is None else span_of(self.span, "dataset.source.span")
        gaps = Gaps.parse(self.gaps, "dataset.source.gaps")
        return read_catalogue(str(self.prepare(data_dir)), gaps, span, self.types), None


@dataclass(frozen=True)
class EtasWorldSource:
    """A synthetic catalogue from 1970 on in which nothing but ETAS is true.

    Args:
        seed: of the catalogue and of its places.
        days: how long it is.
    """

    seed: int = DEFAULT_SEED
    days: float = 3000.0

    def prepare(self, data_dir: str | Path) -> Path:
        """Return the data folder: it is made in memory, in about a second."""
        return Path(data_dir)

    def fingerprint(self, data_dir: str | Path) -> str:
        """Short hash of the settings, which is that of what they make."""
        return _short_hash(repr(("etas world", MADE, self.seed, float(self.days))).encode())

    def read(self, data_dir: str | Path) -> tuple[EventCatalogue, Region]:
        """The catalogue and its region."""
        from seisvision.forecasting.synthetic import etas_world

        world = etas_world(self.seed, float(self.days))
        return world.catalogue, world.region


@dataclass(frozen=True)
class PrecursorWorldSource:
    """A synthetic catalogue from 1970 on in which swarms of small events announce large ones.

    Args:
        seed: of the catalogue and of its places.
        days: how long it is.
        n_large: large events in it.
    """

    seed: int = DEFAULT_SEED
    days: float = 3000.0
    n_large: int = 60

    def prepare(self, data_dir: str | Path) -> Path:
        """Return the data folder: it is made in memory, in about a second."""
        return Path(data_dir)

    def fingerprint(self, data_dir: str | Path) -> str:
        """Short hash of the settings, which is that of what they make."""
        return _short_hash(repr(("precursor world", MADE, self.seed, float(self.days), self.n_large)).encode())

    def read(self, data_dir: str | Path) -> tuple[EventCatalogue, Region]:
        """The catalogue and its region."""
        from seisvision.forecasting.synthetic import precursor_world

        world = precursor_world(self.seed, float(self.days), self.n_large)
        return world.catalogue, world.region
