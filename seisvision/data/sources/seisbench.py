"""Sets of SeisBench by name: from disk, or, where that is allowed, downloaded by SeisBench itself."""

from __future__ import annotations

import importlib.util
import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path

from seisvision.errors import ConfigurationError, DataError, did_you_mean

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SeisBenchSource:
    """A waveform set that SeisBench offers, such as ``ETHZ``, ``PNW`` or ``STEAD``.

    It is looked for in the data folder and in SeisBench's cache, chunked or not, and needs SeisBench only to be
    downloaded.

    Args:
        name: as SeisBench calls it; case does not matter for sets on disk.
        allow_download: let SeisBench fetch it from the network, which may be many gigabytes.

    Raises:
        ConfigurationError: the name is no name.
    """

    name: str
    allow_download: bool = False

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\w+", self.name):
            raise ConfigurationError(
                f"SeisBench set '{self.name}' must be a plain name such as ETHZ; give paths to dataset=folder"
            )

    def prepare(self, data_dir: str | Path) -> Path:
        """Return the folder of the set.

        Raises:
            DataError: it is not on disk and may not or cannot be downloaded; the message says what to do.
        """
        folders = self._folders(Path(data_dir).expanduser())
        found = next((folder for folder in folders if _is_set(folder)), None)
        if found is not None:
            return found
        places = " and ".join(str(folder) for folder in folders[1:])
        if not self.allow_download:
            raise DataError(
                f"SeisBench set '{self.name}' is not on this disk (looked in {places}). Copy it there, or allow the "
                "download, which may be many gigabytes: dataset.source.allow_download=true"
            )
        if importlib.util.find_spec("seisbench") is None:
            raise DataError(
                f"SeisBench set '{self.name}' can only be downloaded by SeisBench, which is not installed; "
                "pip install 'seisvision[seisbench]', or copy the set to " + str(folders[-1])
            )
        self._download()
        if not _is_set(folders[-1]):
            raise DataError(f"SeisBench did not leave a set in {folders[-1]}; see its messages above")
        return folders[-1]

    def fingerprint(self, data_dir: str | Path) -> str:
        """Return the short hash that identifies the content of the set.

        Raises:
            DataError: as :meth:`prepare`.
        """
        from seisvision.data.sets.set_files import set_fingerprint

        return set_fingerprint(self.prepare(data_dir))

    def _folders(self, data_dir: Path) -> list[Path]:
        cache = Path(os.environ.get("SEISBENCH_CACHE_ROOT", Path.home() / ".seisbench")).expanduser()
        return [data_dir / self.name, data_dir / self.name.lower(), cache / "datasets" / self.name.lower()]

    def _download(self) -> None:
        import seisbench.data as offered

        names = [name for name in dir(offered) if _is_offered(getattr(offered, name), offered)]
        name = next((name for name in names if name.lower() == self.name.lower()), None)
        if name is None:
            raise DataError(f"SeisBench offers no set '{self.name}'. {did_you_mean(self.name, names)}")
        log.info("SeisBench downloads %s, once", name)
        try:
            getattr(offered, name)()
        except Exception as error:  # SeisBench and its transport raise what they like
            raise DataError(
                f"SeisBench could not download '{name}': {str(error).splitlines()[0] if str(error) else error!r}; "
                "check the network, or copy the set"
            ) from error


def _is_offered(item: object, offered: object) -> bool:
    base = offered.WaveformBenchmarkDataset  # type: ignore[attr-defined]
    return isinstance(item, type) and issubclass(item, base) and item is not base


def _is_set(folder: Path) -> bool:
    return folder.is_dir() and any(folder.glob("metadata*.csv")) and any(folder.glob("waveforms*.hdf5"))
