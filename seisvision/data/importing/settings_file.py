"""Settings of a recipe as they stand in its file, and as ``--set key=value`` changes them on the command line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from seisvision.errors import ConfigurationError, did_you_mean
from seisvision.yaml_files import check_references, read_yaml

SOURCES = "sources"


def read_settings(
    path: str | Path, root: str | None, changes: list[str] | None, examples: str, source_keys: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Read a recipe as plain containers, changed as :func:`change_settings` says.

    ``examples`` is the folder that the message on a missing file names.

    Raises:
        ConfigurationError: the file is missing, not YAML, or no mapping; or a change cannot be made.
    """
    path = Path(path)
    if not path.is_file():
        raise ConfigurationError(f"recipe {path} not found; recipes to start from lie in {examples}")
    try:
        plain = read_yaml(path)
        check_references(plain, f"recipe {path}")
        loaded = change_settings(OmegaConf.create(plain if isinstance(plain, dict) else {}), changes or [], source_keys)
        base = OmegaConf.create({} if root is None else {"root": root})
        content = OmegaConf.to_container(OmegaConf.merge(loaded, base), resolve=True)
    except OmegaConfBaseException as error:
        hint = "; name the folder with --root DIR" if "'root'" in str(error) else ""
        raise ConfigurationError(f"recipe {path} cannot be read: {str(error).splitlines()[0]}{hint}") from error
    if not isinstance(plain, dict) or not isinstance(content, dict):
        raise ConfigurationError(f"recipe {path} must be a mapping of settings, such as name: mine")
    return {"name": path.stem} | {str(key): value for key, value in content.items() if key != "root"}


@contextlib.contextmanager
def understood(path: str | Path) -> Iterator[None]:
    """Say of a recipe, in one line, that it cannot be understood, whatever of it is of a type that nobody writes.

    Raises:
        ConfigurationError: something in the block failed.
    """
    try:
        yield
    except (TypeError, ValueError, AttributeError, LookupError, ArithmeticError, RecursionError) as error:
        said = " ".join(str(error).split())[:200]
        raise ConfigurationError(f"recipe {path} cannot be understood ({type(error).__name__}: {said})") from error


def change_settings(content: Any, changes: Sequence[str], source_keys: Sequence[str] = ()) -> Any:
    """Change a recipe; keys that it does not have yet are added, and refused later where no recipe has them.

    Args:
        content: the recipe as it was read.
        changes: ``key=value``. A key of a source, such as ``association.before_s``, is changed in all sources;
            ``sources.NAME.key`` or ``sources.0.key`` in one.
        source_keys: settings of a source; none where a recipe has no sources.

    Raises:
        ConfigurationError: a change is not ``key=value``, or names a source that is not there.
    """
    for change in changes:
        key, sign, _ = change.partition("=")
        if not key or not sign:
            raise ConfigurationError(f"--set {change} must be KEY=VALUE, such as window.length_s=90")
        first, _, rest = key.partition(".")
        if source_keys and first in source_keys:
            _change_sources(content, range(len(_sources(content))), change)
        elif source_keys and first == SOURCES and rest:
            _change_one(content, change.partition(".")[2], change)
        else:
            content = OmegaConf.merge(content, OmegaConf.from_dotlist([change]))
    return content


def _sources(content: Any) -> Any:
    sources = content.get(SOURCES) if isinstance(content, DictConfig) else None
    return sources if isinstance(sources, ListConfig) else []


def _change_one(content: Any, named: str, change: str) -> None:
    """Change the source that the first part of ``named`` gives the name or the number of; names may hold dots."""
    sources = _sources(content)
    names = [str(source.get("name", f"source{i}")) for i, source in enumerate(sources)]
    choices = {name: i for i, name in reversed([*enumerate(names)])} | {str(i): i for i in range(len(names))}
    fitting = [name for name in choices if named.startswith(f"{name}.")]
    if not fitting:
        raise ConfigurationError(
            f"--set {change} names no source and its setting. {did_you_mean(named.partition('.')[0], names)} "
            "Write sources.NAME.key=value, or key=value for all."
        )
    name = max(fitting, key=len)
    _change_sources(content, [choices[name]], named[len(name) + 1 :])


def _change_sources(content: Any, numbers: Sequence[int], change: str) -> None:
    for i in numbers:
        content[SOURCES][i] = OmegaConf.merge(content[SOURCES][i], OmegaConf.from_dotlist([change]))
