"""Settings of recipes: read from YAML that may be a stranger's, and made typed ones."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

from seisvision.errors import ConfigurationError, did_you_mean
from seisvision.plain_types import fits_type, shortened, type_name
from seisvision.yaml_files import check_references, read_yaml


def read_settings(path: str | Path, root: str | None, changes: list[str] | None, examples: str) -> dict[str, Any]:
    """Read a recipe as plain containers; ``examples`` is the folder that the message on a missing file names.

    Raises:
        ConfigurationError: the file is missing, not YAML, or no mapping.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    path = Path(path)
    if not path.is_file():
        raise ConfigurationError(f"recipe {path} not found; recipes to start from lie in {examples}")
    try:
        plain = read_yaml(path)
        if not isinstance(plain, dict):
            raise ConfigurationError(f"recipe {path} must be a mapping of settings, such as name: mine")
        check_references(plain, f"recipe {path}")
        changed = OmegaConf.merge(plain, OmegaConf.from_dotlist(changes or []), {} if root is None else {"root": root})
        content: Any = OmegaConf.to_container(changed, resolve=True)
    except OmegaConfBaseException as error:
        hint = "; name the folder with --root DIR" if "'root'" in str(error) else ""
        raise ConfigurationError(f"recipe {path} cannot be read: {str(error).splitlines()[0]}{hint}") from error
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


def build_settings(kind: type, content: Mapping[str, Any], where: str) -> Any:
    """Make the dataclass ``kind`` from ``content``; ``where`` names it in messages.

    Raises:
        ConfigurationError: a key it does not have, a text in place of a number, or a key that is missing.
    """
    if not isinstance(content, Mapping):
        raise ConfigurationError(f"{where} must be a mapping, not {content!r}")
    allowed = [item.name for item in fields(kind)]
    for key in content:
        if key not in allowed:
            raise ConfigurationError(f"{where} has no setting '{key}'. {did_you_mean(str(key), allowed)}")
    for item in fields(kind):
        wanted = type(item.default) in (int, float)
        if wanted and type(content.get(item.name, item.default)) not in (int, float):
            raise ConfigurationError(f"{where}.{item.name}={content[item.name]!r} must be a number")
    settings = {key: tuple(value) if isinstance(value, list) else value for key, value in content.items()}
    try:
        return kind(**settings)
    except TypeError as error:
        raise ConfigurationError(f"{where} is incomplete: {error}") from error


def check_types(made: Any, where: str) -> None:
    """Refuse settings whose types are not those that their classes state, once checks of their own are done.

    Those checks come first because they say better what is wrong.

    Args:
        made: dataclass of settings, with others in it.
        where: its name, for messages.

    Raises:
        ConfigurationError: names the setting, its value and its type.
    """
    hints = get_type_hints(type(made))
    for item in fields(made):
        value = getattr(made, item.name)
        inner = value if isinstance(value, tuple) else (value,)
        if inner and all(map(is_dataclass, inner)):
            for number, one in enumerate(inner):
                check_types(one, f"{where}.{item.name}" + (f"[{number}]" if isinstance(value, tuple) else ""))
        elif not fits_type(value, hints[item.name]):
            raise ConfigurationError(f"{where}.{item.name}={shortened(value)} must be {type_name(hints[item.name])}")


def one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    """Raise ConfigurationError unless ``value`` is one of ``allowed``."""
    if value not in allowed:
        raise ConfigurationError(f"{name}={value!r} is not allowed. {did_you_mean(str(value), list(allowed))}")
