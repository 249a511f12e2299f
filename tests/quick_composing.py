"""Hydra parses a file of ``conf/`` once, and composes a choice of its groups once, for all processes of the tests.

Finding the list of defaults and merging them takes a third of a second, whichever values are then set; a thousand
compositions of the tests are of a few hundred choices.
"""

from __future__ import annotations

import functools
import hashlib
import os
import pickle
from pathlib import Path
from typing import Any

from hydra._internal import config_loader_impl
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository
from hydra._internal.defaults_list import DefaultsList, Overrides
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.plugins.config_source import ConfigResult

FOLDER = "SEISVISION_TEST_COMPOSED"
"""Variable that names the folder of what was composed; where it is not set, everything is composed."""
CONF = Path(__file__).resolve().parents[1] / "conf"


def compose_once(*, keeps: bool = True) -> None:
    """Let compositions have copies of what was parsed and composed, as long as the files are the same.

    Copies, for Hydra goes on with the very nodes that it is given, and so do overrides.

    Args:
        keeps: whether to add to what is stored. Commands only read: the writes of some are counted, or fail.
    """
    if not hasattr(ConfigRepository.load_config, "parsed"):
        _parse_files_once()
        _parse_words_once()
        _compose_groups_once(keeps)


def _parse_files_once() -> None:
    whole = ConfigRepository.load_config
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


def _parse_words_once() -> None:
    whole = OverridesParser.parse_rule
    parsed: dict[tuple[str, str], bytes] = {}

    @functools.wraps(whole)
    def parse_rule(self: OverridesParser, s: str, rule_name: str) -> Any:
        if (s, rule_name) not in parsed:
            # What cannot be parsed raises, as often as it is asked for.
            parsed[s, rule_name] = pickle.dumps(whole(self, s, rule_name))
        return pickle.loads(parsed[s, rule_name])

    OverridesParser.parse_rule = parse_rule  # type: ignore[method-assign]


class _Named(list):
    """Defaults, with the name under which what they give is stored, their choices, and what is stored there."""

    def __init__(self, defaults: list[Any], name: str, choices: dict[str, Any], stored: bytes | None = None) -> None:
        super().__init__(defaults)
        self.name, self.choices, self.stored = name, choices, stored


def _compose_groups_once(keeps: bool) -> None:
    list_defaults, merge, load = (
        config_loader_impl.create_defaults_list,
        ConfigLoaderImpl._compose_config_from_defaults_list,
        ConfigLoaderImpl._load_configuration_impl,
    )

    def listed(repo: Any, config_name: Any, overrides_list: list[Override], *args: Any, **settings: Any) -> Any:
        name = _name(repo, config_name, overrides_list, settings)
        if name is None:
            return list_defaults(repo, config_name, overrides_list, *args, **settings)
        try:
            choices, composed = pickle.loads((Path(os.environ[FOLDER]) / name).read_bytes())
        except OSError:
            found = list_defaults(repo, config_name, overrides_list, *args, **settings)
            found.defaults = _Named(found.defaults, name, found.overrides.known_choices)
            return found
        overrides = Overrides(repo=repo, overrides_list=overrides_list)
        overrides.known_choices = choices
        nothing: Any = None
        return DefaultsList(_Named([], name, choices, composed), nothing, overrides.config_overrides, overrides)

    def merged(self: ConfigLoaderImpl, defaults: Any, repo: Any) -> Any:
        if getattr(defaults, "stored", None) is not None:
            return pickle.loads(defaults.stored)
        composed = merge(self, defaults, repo)
        if keeps and isinstance(defaults, _Named):
            path = Path(os.environ[FOLDER]) / defaults.name
            partial = path.with_name(f"{path.name}.{os.getpid()}")
            partial.write_bytes(pickle.dumps((defaults.choices, pickle.dumps(composed))))
            partial.replace(path)
        return composed

    @functools.wraps(load)
    def loaded(self: ConfigLoaderImpl, *args: Any, **settings: Any) -> Any:
        # Others ask for the list of defaults itself.
        config_loader_impl.create_defaults_list = listed
        try:
            return load(self, *args, **settings)
        finally:
            config_loader_impl.create_defaults_list = list_defaults

    ConfigLoaderImpl._compose_config_from_defaults_list = merged  # type: ignore[method-assign]
    ConfigLoaderImpl._load_configuration_impl = loaded  # type: ignore[method-assign]


def _name(repo: Any, config_name: Any, overrides: list[Override], settings: dict[str, Any]) -> str | None:
    """A name for what the groups of a command give; ``None`` where they are not of our own ``conf/`` alone."""
    files = [source for source in repo.get_sources() if source.scheme() == "file"]
    if FOLDER not in os.environ or [Path(source.path) for source in files] != [CONF]:
        return None
    groups = [
        one.input_line
        for one in overrides
        if not one.is_sweep_override() and repo.group_exists(one.key_or_group) and not isinstance(one.value(), dict)
    ]
    asked = [config_name, groups, sorted(settings.items()), [source.provider for source in repo.get_sources()]]
    return hashlib.sha256(repr([asked, _state(CONF)]).encode()).hexdigest()


def _state(folder: Path) -> list[tuple[str, int, int, int]]:
    """All files below a folder, as a change of any of them would show."""
    found = []
    for one in os.scandir(folder):
        if one.is_dir():
            found += _state(Path(one.path))
        else:
            about = one.stat()
            found.append((one.path, about.st_ino, about.st_mtime_ns, about.st_size))
    return sorted(found)
