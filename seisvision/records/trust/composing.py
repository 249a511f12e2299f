"""What Hydra may read, and what it may build of what it composed, checked before it does.

Hydra makes objects of its own node (callbacks, sweeper, launcher, handlers of logging) as soon as it has composed a
configuration, sets variables of the environment from it, and reads files from wherever it is sent. The folder ``conf/``
beside ``train.py`` is as trusted as the code there. Files from elsewhere (``--config-dir``, ``--config-path``,
``hydra.searchpath``) may choose experiments, but say nothing of this machine. One list holds for all of it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seisvision.errors import ConfigurationError
from seisvision.plain_types import fits_type, shortened
from seisvision.yaml_files import check_references, read_yaml

BUILT = {
    "hydra.launcher._target_": ("hydra._internal.core_plugins.basic_launcher.BasicLauncher",),
    "hydra.sweeper._target_": (
        "hydra_plugins.seisvision.PointSweeper",
        "hydra._internal.core_plugins.basic_sweeper.BasicSweeper",
    ),
}
"""All that Hydra builds of its own node here."""
LOG_CLASSES = ("logging.StreamHandler", "logging.NullHandler", "logging.Formatter")
LOG_STREAMS = ("ext://sys.stdout", "ext://sys.stderr")
FOLDERS = ("run.dir", "sweep.dir", "sweep.subdir", "output_subdir")
HELP = ("hydra.help.", "hydra.hydra_help.")
NOW = re.compile(r"\$\{(now:[%\w-]+|hydra\.job\.(num|override_dirname|name))\}")
"""Parts of the names of folders that come from Hydra itself."""
RESOLVERS = ("oc.select", "oc.dict.keys", "oc.dict.values")
"""Functions of OmegaConf that look at the configuration only."""
OF_MACHINE = ("hydra", "launcher", "setup", "sbatch", "data_dir", "runs_dir", "scratch", "directory")
"""Keys that belong to the machine: what Hydra builds, lines of shell for a cluster, folders that are written to."""
RERUN = "--experimental-rerun"
NO_CHOICE = "Config group override"
"""What Hydra says where the choice of a group is no name."""

_trusted: list[Path] = []


def guard_composition(conf: Path) -> None:
    """Let Hydra read and compose only what may be, from now on in this process.

    Args:
        conf: the folder of configuration beside the code, whose files are trusted.
    """
    from hydra._internal.config_loader_impl import ConfigLoaderImpl
    from hydra._internal.core_plugins.file_config_source import FileConfigSource
    from hydra._internal.hydra import Hydra

    _trusted[:] = [conf.resolve()]
    compose, load = ConfigLoaderImpl.load_configuration, FileConfigSource.load_config
    told_mode = Hydra.get_mode
    if hasattr(compose, "checks"):
        return

    def composed(self: Any, *args: Any, **settings: Any) -> Any:
        try:
            config = compose(self, *args, **settings)
        except ValueError as error:
            if NO_CHOICE not in str(error):
                raise
            raise ConfigurationError(
                f"{error}: groups such as model take the name of a choice, as in model=resnet18, not null "
                "or a number. Leave the word out for what is chosen without it."
            ) from error
        check_hydra(config)
        return config

    def loaded(self: Any, config_path: str) -> Any:
        folder = Path(self.path)
        name = self._normalize_file_name(config_path)
        # A link within conf/ is the word of whoever put it there.
        path = Path(os.path.normpath(folder.resolve() / name))
        if path.is_file() and not any(path.is_relative_to(one) for one in _trusted):
            check_foreign_file(path, name)
        return load(self, config_path)

    def mode(self: Any, config_name: str | None, overrides: list[str]) -> Any:
        # To find the mode Hydra composes everything, and then once more: a third of the time to a refusal.
        asked = any("hydra.mode" in word for word in overrides) or _names_mode(_trusted[0])
        return told_mode(self, config_name, overrides) if asked else None

    Hydra.get_mode = mode  # type: ignore[method-assign]
    composed.checks = True  # type: ignore[attr-defined]
    ConfigLoaderImpl.load_configuration = composed  # type: ignore[method-assign]
    FileConfigSource.load_config = loaded  # type: ignore[method-assign]


def _names_mode(conf: Path) -> bool:
    """Whether a file of the configuration makes a command a sweep by itself; files from elsewhere may not."""
    return any(b"MULTIRUN" in path.read_bytes() for path in conf.rglob("*.yaml"))


def refuse_rerun(words: list[str]) -> None:
    """Refuse the option with which Hydra unpickles a file, which runs whatever that holds.

    Raises:
        ConfigurationError: it was given, in full or shortened.
    """
    for word in words:
        option = word.partition("=")[0]
        if option.startswith("--e") and RERUN.startswith(option):
            raise ConfigurationError(
                f"{RERUN} is not allowed: it runs what is in the file. Repeat the command of the run instead."
            )


def check_foreign_file(path: Path, name: str) -> None:
    """Refuse a configuration file from outside ``conf/`` that says something of this machine or asks it something.

    Args:
        path: of the file.
        name: within the folder that was given, which is its group.

    Raises:
        ConfigurationError: names the file and the setting.
    """
    content = read_yaml(path)
    if not isinstance(content, Mapping | None):
        raise ConfigurationError(f"{path} is refused: it holds no settings but a {type(content).__name__}.")
    defaults = (content or {}).get("defaults", [])
    are_choices = fits_type(defaults, list[str | dict[str, str | list[str] | None]])
    if not are_choices or any(isinstance(one, Mapping) and len(one) != 1 for one in defaults):
        raise ConfigurationError(f"{path} is refused: its defaults={shortened(defaults)} are no list of group: choice.")
    check_references(content, str(path), RESOLVERS)
    package = re.search(r"^#\s*@package\s+(\S+)", path.read_text(encoding="utf-8")[:512], re.MULTILINE)
    words = [*Path(name).parts[:-1], *(re.split(r"[.@/]", package[1]) if package else []), *_keys(content)]
    named = next((word for word in words if word in OF_MACHINE), None)
    if named is not None:
        raise ConfigurationError(
            f"{path} is refused: it sets '{named}', which is of this machine. Files outside conf/ choose experiments "
            "only; give such settings on the command line or in conf/local/default.yaml (docs/trust.md)."
        )


def _keys(node: Any) -> list[str]:
    """Every word of every key, and of the packages in a defaults list."""
    if isinstance(node, Mapping):
        own = [word for key in node for word in re.split(r"[.@/\s]", str(key))]
        placed = [word for key in node if "@" in str(key) for word in re.split(r"[.@/]", str(key))]
        return [*own, *placed, *(word for value in node.values() for word in _keys(value))]
    if isinstance(node, list):
        placed = [word for one in node if isinstance(one, str) and "@" in one for word in re.split(r"[.@/:]", one)]
        return [*placed, *(word for one in node for word in _keys(one))]
    return []


def check_hydra(config: Any) -> None:
    """Refuse a composed configuration of which Hydra would build or set more than is needed here.

    Raises:
        ConfigurationError: names the setting and what is allowed.
    """
    from omegaconf import OmegaConf

    plain: Any = OmegaConf.to_container(config, resolve=False)
    node = plain.get("hydra", {})
    for path, value in _leaves(node, "hydra"):
        key = path.rpartition(".")[2]
        if "${" in str(value) and path.removeprefix("hydra.") not in FOLDERS and not path.startswith(HELP):
            _refuse(path, value, "write the value out")
        if key in ("_target_", "_args_", "()") and value not in BUILT.get(path, ()):
            _refuse(path, value, "Hydra builds nothing else here")
        if path.startswith(("hydra.hydra_logging.", "hydra.job_logging.")):
            _check_logging(path, key, value)
    for part, why in (("callbacks", "Hydra's callbacks run code"), ("job.env_set", "it changes the environment")):
        if content := _part(node, part):
            first = str(next(iter(content))) if isinstance(content, Mapping) else str(content)
            _refuse(f"hydra.{part}", first, why)
    if _part(node, "job.chdir"):
        _refuse("hydra.job.chdir", True, "runs have folders of their own")
    for part in FOLDERS:
        folder = _part(node, part)
        if folder is not None and not _is_below(str(folder)):
            _refuse(f"hydra.{part}", folder, "it must lie below the working folder; runs lie below system.runs_dir")


def _check_logging(path: str, key: str, value: Any) -> None:
    text = str(value)
    if key == "class" and text not in LOG_CLASSES:
        _refuse(path, value, f"use one of {', '.join(LOG_CLASSES)}; the log of a run lies in its folder")
    if "://" in text and text not in LOG_STREAMS:
        _refuse(path, value, f"use one of {', '.join(LOG_STREAMS)}")


def _is_below(folder: str) -> bool:
    plain = NOW.sub("now", folder)
    return "${" not in plain and not Path(plain).is_absolute() and ".." not in Path(plain).parts and "~" not in plain


def _part(node: Any, path: str) -> Any:
    for word in path.split("."):
        node = node.get(word) if isinstance(node, Mapping) else None
    return node


def _leaves(node: Any, path: str) -> list[tuple[str, Any]]:
    if isinstance(node, Mapping):
        return [leaf for key, value in node.items() for leaf in _leaves(value, f"{path}.{key}")]
    if isinstance(node, list):
        return [leaf for value in node for leaf in _leaves(value, path)]
    return [(path, node)]


def _refuse(key: str, value: Any, why: str) -> None:
    text = " ".join(str(value)[:120].split())
    raise ConfigurationError(f"{key}={text} is not allowed: {why} (docs/trust.md).")
