"""Hydra parses a file of ``conf/`` once in a test process, and not once in each of a thousand compositions."""

from __future__ import annotations

import functools
import os
import pickle
from pathlib import Path

from hydra._internal.config_repository import ConfigRepository
from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigResult


def parse_once() -> None:
    """Let compositions have copies of what was parsed, as long as the file is the same.

    Copies, for Hydra goes on with the very nodes that it is given, and so do overrides.
    """
    whole = ConfigRepository.load_config
    if hasattr(whole, "parsed"):
        return
    parsed: dict[tuple[object, ...], bytes] = {}

    @functools.wraps(whole)
    def load_config(self: ConfigRepository, config_path: str) -> ConfigResult | None:
        source = self._find_object_source(config_path=config_path, object_type=ObjectType.CONFIG)
        # Hydra loads its plugins anew, so that the class of the source is none that can be imported.
        if source is None or source.scheme() != "file":
            return whole(self, config_path)
        path = Path(os.path.realpath(f"{source.path}/{source._normalize_file_name(config_path)}"))
        if not path.is_file():
            return whole(self, config_path)
        about = path.stat()
        key = (source.provider, source.path, path, about.st_ino, about.st_mtime_ns, about.st_size)
        if key not in parsed:
            parsed[key] = pickle.dumps(whole(self, config_path))
        return pickle.loads(parsed[key])

    load_config.parsed = parsed  # type: ignore[attr-defined]
    ConfigRepository.load_config = load_config  # type: ignore[method-assign]
