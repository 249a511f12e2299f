"""Finished runs, opened: what was measured, predicted and drawn, and the network itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from seisvision import spreadsheets
from seisvision.api.sets import OpenSet, open_set
from seisvision.api.shown import facts_html, rows_html
from seisvision.errors import ConfigurationError, DataError, did_you_mean
from seisvision.plain_files import check_file, check_plain
from seisvision.records.data_source import source_of
from seisvision.records.folder import MEASURE_AGAIN, RunFolder, read_json
from seisvision.records.kinds import result_of
from seisvision.records.measures import stored_measures
from seisvision.records.telling import describe_result

if TYPE_CHECKING:
    from seisvision.api.networks import Network, Picker

TEXT_COLUMNS = ("source_id", "trace_id", "split", "seen")
IN_TABLE = ("part", "output", "measure", "value", "low", "high", "n", "interval")


def open_run(path: str | Path) -> Run:
    """Open a finished run, or the folder of an evaluation.

    Args:
        path: its folder.

    Raises:
        DataError: there is no finished run.
        SeisvisionError: a file of it is damaged, or leads out of the folder.
    """
    folder = RunFolder(Path(path))
    if not folder.path.is_dir():
        raise DataError(f"There is no run folder {path}. Give the last line of what train.py printed.")
    check_plain(folder.path)
    if not folder.metrics_file.is_file():
        state = folder.status()["state"]
        raise DataError(
            f"{path} holds no metrics.json: it is {state}, not finished. The command of the run goes on with it, and "
            "a folder of several runs is for compare."
        )
    return Run(folder)


class Run:
    """A finished run; reads files only, until the network is asked for.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder

    @property
    def path(self) -> Path:
        """Its folder."""
        return self.folder.path

    @property
    def id(self) -> str:
        """Its id, which names what it is."""
        return self.folder.run_id

    @cached_property
    def config(self) -> dict[str, Any]:
        """The resolved configuration."""
        return self.folder.config()

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """All of ``metrics.json``."""
        found: dict[str, Any] = read_json(self.folder.metrics_file, MEASURE_AGAIN)
        return found

    @cached_property
    def measures(self) -> pd.DataFrame:
        """One row a measure, with the ends and the kind of its interval, and the number of samples."""
        rows = []
        parts = result_of(self.metrics).measures(self.metrics) if "training" in self.metrics else self._parts()
        for part, outputs in parts.items():
            for output, said in outputs.items():
                for name, one in stored_measures(said).items():
                    rows.append((part, output, name, one.value, one.low, one.high, one.n, one.kind))
        return pd.DataFrame(rows, columns=list(IN_TABLE))

    def _parts(self) -> dict[str, Any]:
        """Of an evaluation, what was measured by part."""
        return {
            name: said
            for name, said in self.metrics.items()
            if isinstance(said, Mapping)
            and said
            and all(isinstance(one, Mapping) and "headline" in one for one in said.values())
        }

    @cached_property
    def history(self) -> pd.DataFrame:
        """Every logged value by epoch and step."""
        return _table(self.folder.history_file, numbers=True)

    def predictions(self, part: str = "test") -> pd.DataFrame:
        """One row a sample of a part, as docs/outputs.md describes the columns; ids are text.

        Args:
            part: ``test`` or ``val``.

        Raises:
            DataError: the run has none of that part, or they are damaged.
        """
        path = self.folder.predictions(part)
        if not path.is_file():
            raise DataError(f"{self.path} holds no predictions of part '{part}'; there may be some of test or val.")
        return _table(path)

    @property
    def figures(self) -> Figures:
        """Pictures that the run has drawn, by name."""
        return Figures(self.folder.figures)

    @property
    def tables(self) -> dict[str, Path]:
        """Tables that the run has written, by name."""
        return {path.stem: path for path in sorted(self.folder.tables.glob("*.csv"))}

    def network(self) -> Network | Picker:
        """Its network of the best epoch; see :func:`~seisvision.load`."""
        from seisvision.api.networks import load

        return load(self.path)

    def open_set(self) -> OpenSet:
        """The set that it was trained on, where that lies now.

        Raises:
            DataError: it is not there.
        """
        source = source_of(self.config["dataset"]["source"], self.config["dataset"].get("corrections"))
        return open_set(source.prepare(Path(str(self.config["system"]["data_dir"]))))

    def __repr__(self) -> str:
        name = "Run" if "training" in self.metrics else "Evaluation"
        return f"{name} {self.id} in {self.path.parent}"

    def __str__(self) -> str:
        return describe_result(self.metrics) if "training" in self.metrics else repr(self)

    def _repr_html_(self) -> str:
        training = self.metrics.get("training", {})
        facts = {"folder": self.path, "model": training.get("model", ""), "seed": training.get("seed", "")}
        table = self.measures
        return facts_html(repr(self), facts) + rows_html(IN_TABLE, table.itertuples(index=False), len(table))


class Picture:
    """A PNG that notebooks show.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def _repr_png_(self) -> bytes:
        check_file(self.path)
        return self.path.read_bytes()

    def __repr__(self) -> str:
        return f"Picture {self.path}"


class Figures(Mapping[str, Picture]):
    """Pictures in a folder, by name without ending.

    Args:
        folder: where they lie.
    """

    def __init__(self, folder: Path) -> None:
        self._paths = {path.stem: path for path in sorted(folder.glob("*.png"))}

    def __getitem__(self, name: str) -> Picture:
        """Return a picture.

        Raises:
            ConfigurationError: there is none of that name.
        """
        if name not in self._paths:
            raise ConfigurationError(f"There is no figure '{name}'. {did_you_mean(name, list(self._paths))}")
        return Picture(self._paths[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self._paths)

    def __repr__(self) -> str:
        return f"{len(self)} figures: {', '.join(self._paths)}"


def _table(path: Path, numbers: bool = False) -> pd.DataFrame:
    """A CSV of a run. Columns are numbers where every cell is one, but for ids and classes, which are text."""
    check_file(path)
    spreadsheets.check_columns(path)
    table = spreadsheets.frame_from_cells(pd.read_csv(path, dtype=str, keep_default_na=False, na_filter=False))
    for column in table:
        is_text = not numbers and str(column) in TEXT_COLUMNS
        read = pd.to_numeric(table[column].replace("", "nan"), errors="coerce")
        if not is_text and (read.notna() | table[column].isin(["", "nan"])).all():
            table[column] = read
    return table
