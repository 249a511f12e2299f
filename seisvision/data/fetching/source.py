"""A fetch recipe as a source of data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seisvision.errors import DataError


class FetchSource:
    """The waveform set that a fetch recipe describes.

    Args:
        recipe: its YAML file.
        name: folder of the set in the data folder; by default the name of the file.
        allow_network: ask the servers of the recipe when the set is not there. Without it nothing is asked of anyone.
        root: what ``${root}`` stands for in the recipe.
        changes: settings of the recipe, ``section.key=value``.
    """

    def __init__(
        self,
        recipe: str,
        *,
        name: str | None = None,
        allow_network: bool = False,
        root: str | None = None,
        changes: Sequence[str] = (),
    ) -> None:
        self.recipe = recipe
        self.name = name or Path(recipe).stem
        self.allow_network = allow_network
        self.root = root
        self.changes = list(changes)

    def prepare(self, data_dir: str | Path) -> Path:
        """Return the folder of the set; fetches it first where that is allowed.

        Raises:
            DataError: the set is not there, and fetching is not allowed or fails.
        """
        from seisvision.data.fetching.fetcher import run_fetch
        from seisvision.data.fetching.recipe import load_recipe
        from seisvision.data.fetching.report import lock_file
        from seisvision.files import check_writable, clear_lock

        folder = Path(data_dir).expanduser() / self.name
        if (folder / "card.json").is_file():
            clear_lock(lock_file(folder))
            return folder
        if not self.allow_network:
            raise DataError(
                f"waveform set {folder} does not exist, and nothing is fetched unasked; run 'seisvision data fetch "
                f"{self.recipe} --out {folder}', or set dataset.source.allow_network=true"
            )
        check_writable(folder.parent, "system.data_dir")
        return run_fetch(load_recipe(self.recipe, self.root, self.changes), folder).out

    def fingerprint(self, data_dir: str | Path) -> str:
        """Return the short hash that identifies the content of the set.

        Raises:
            DataError: the set cannot be had or is damaged.
        """
        from seisvision.data.sets.set_files import set_fingerprint

        return set_fingerprint(self.prepare(data_dir))
