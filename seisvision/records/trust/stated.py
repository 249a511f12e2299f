"""Plain values of settings against the types that our classes state, read from their source: nothing is imported.

What needs torch to be looked at is looked at again when it is built (:mod:`seisvision.records.trust.arguments`); here a
wrong word is told in a second.
"""

from __future__ import annotations

import ast
import functools
import importlib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import seisvision
from seisvision.base.channel_words import allowed_in_channels
from seisvision.errors import ConfigurationError, did_you_mean
from seisvision.keys import COMPONENTS
from seisvision.plain_types import fits_type, shortened, type_name
from seisvision.public import NAMES, OUTPUT, VIEW, public_name

PLAIN: dict[str, Any] = {
    "Any": Any, "Literal": Literal, "Mapping": Mapping, "Sequence": Sequence, "bool": bool, "dict": dict,
    "float": float, "int": int, "list": list, "str": str, "tuple": tuple,
}  # fmt: skip
"""The types that plain values have, by the names that annotations use; arguments of others are not looked at."""
OF_TASKS: dict[str, dict[str, list[str]]] = {
    "seisvision.tasks.DeepClusterTask": {"backend": ["sklearn", "faiss"], "front": ["none", "sobel", "contrast"]},
}
"""Words of tasks, which are the keys of tables of functions; a test holds them to these."""
OF_AN_OUTPUT = re.compile(r"task\.outputs\[\d+\]")


def check_stated(nodes: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
    """Refuse values whose type is not that of the argument they are for.

    Args:
        nodes: dotted places and mappings of a configuration.

    Raises:
        ConfigurationError: names the setting, its value and what is allowed.
    """
    for where, node in nodes:
        if OF_AN_OUTPUT.fullmatch(where):
            # By the name that is typed; a list is what becomes of it.
            where = f"task.outputs.{node.get('name')}"
        target = node.get("_target_")
        stated = stated_types(public_name(target)) if isinstance(target, str) else {}
        for key, wanted in stated.items():
            if key in node and not fits_type(node[key], wanted):
                name, setting = str(target).rpartition(".")[2], f"{where}.{key}" if where else key
                raise ConfigurationError(
                    f"{setting}={shortened(node[key])} is not allowed; {name} takes {type_name(wanted)}."
                )
        words = stated_words(public_name(target)) if isinstance(target, str) else {}
        for key, allowed in words.items():
            _check_word(where, key, node.get(key), allowed)
        if where == "view" and isinstance(target, str) and public_name(target) in NAMES[VIEW]:
            _check_components(node, public_name(target), words)


def _check_word(where: str, key: str, value: Any, allowed: Sequence[str]) -> None:
    if isinstance(value, str) and value not in allowed:
        setting = f"{where}.{key}" if where else key
        raise ConfigurationError(f"{setting}={shortened(value)} is not allowed. {did_you_mean(value, list(allowed))}")


def _check_components(node: Mapping[str, Any], view: str, words: Mapping[str, Sequence[str]]) -> None:
    """Refuse what no picture of a view shows; numbers and bands of channels are left to the view."""
    given = node.get("components", stated_defaults(view).get("components"))
    components = given if isinstance(given, str) else COMPONENTS
    _check_word("view", "component", node.get("component"), components)
    settings, shown = allowed_in_channels(view, components)
    channels = node.get("channels")
    for number, channel in enumerate(channels if isinstance(channels, list | tuple) else ()):
        for key, value in channel.items() if isinstance(channel, Mapping) else ():
            where = f"view.channels[{number}]"
            if key not in settings:
                raise ConfigurationError(f"{where} has no setting '{key}'. {did_you_mean(str(key), list(settings))}")
            _check_word(where, key, value, shown if key == "component" else words.get(key, [value]))


@functools.cache
def stated_types(name: str) -> dict[str, Any]:
    """Types of the arguments of what has a public name, by argument, as far as they are of plain values."""
    _, found = _source(name)
    if found is None:
        return {}
    arguments = [*found.args.posonlyargs, *found.args.args, *found.args.kwonlyargs]
    return {one.arg: _type(one.annotation) for one in arguments if _is_plain(one.annotation)}


@functools.cache
def stated_words(name: str) -> dict[str, list[str]]:
    """Words that an argument may be, of what has a public name.

    Of outputs they are ``WORDS`` of the folder of the kind, of others what is allowed in ``one_of("key", key, WORDS)``.
    """
    if name in OF_TASKS:
        return OF_TASKS[name]
    if name in NAMES[OUTPUT]:
        room = importlib.import_module(NAMES[OUTPUT][name].rpartition(".")[0])
        return {setting: list(words) for setting, words in getattr(room, "WORDS", {}).items()}
    body, found = _source(name)
    lists = {
        target.id: [str(one.value) for one in statement.value.elts if isinstance(one, ast.Constant)]
        for statement in body
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Tuple)
        for target in statement.targets
        # Of words that are put together elsewhere some would be lacking.
        if isinstance(target, ast.Name) and all(isinstance(one, ast.Constant) for one in statement.value.elts)
    }
    words = {}
    for node in ast.walk(found) if found is not None else ():
        match node:
            case ast.Call(
                func=ast.Name(id="one_of" | "check_word"),
                args=[ast.Constant(value=str(key)), ast.Name(id=given), ast.Name(id=allowed)],
            ) if key == given and allowed in lists:
                words[key] = lists[allowed]
    return words


@functools.cache
def stated_defaults(name: str) -> dict[str, Any]:
    """What arguments of what has a public name are where they are not given, as far as these are plain values."""
    _, found = _source(name)
    arguments = [] if found is None else [*found.args.posonlyargs, *found.args.args]
    defaults = [] if found is None else found.args.defaults
    pairs = zip(arguments[len(arguments) - len(defaults) :], defaults, strict=True)
    return {one.arg: default.value for one, default in pairs if isinstance(default, ast.Constant)}


@functools.cache
def _source(name: str) -> tuple[list[ast.stmt], ast.FunctionDef | None]:
    """Statements of the module of what has a public name, and how it is made; None where that cannot be read there."""
    module = next((named[name] for named in NAMES.values() if name in named), None)
    if module is None or not module.startswith("seisvision."):
        return [], None
    file = Path(seisvision.__file__).parent.joinpath(*module.split(".")[1:]).with_suffix(".py")
    if not file.is_file():
        return [], None
    body = ast.parse(file.read_text(encoding="utf-8")).body
    found = next((one for one in body if getattr(one, "name", None) == name.rpartition(".")[2]), None)
    if isinstance(found, ast.ClassDef):
        found = next((one for one in found.body if getattr(one, "name", None) == "__init__"), None)
    # Else a dataclass, a class that inherits how it is made, or a name that is imported from elsewhere.
    return body, found if isinstance(found, ast.FunctionDef) else None


def _is_plain(annotation: ast.expr | None) -> bool:
    if annotation is None:
        return False
    allowed = (ast.Name, ast.Subscript, ast.Tuple, ast.BinOp, ast.BitOr, ast.Constant, ast.Load)
    parts = list(ast.walk(annotation))
    return all(isinstance(one, allowed) and (not isinstance(one, ast.Name) or one.id in PLAIN) for one in parts)


def _type(annotation: ast.expr | None) -> Any:
    assert annotation is not None
    return eval(compile(ast.Expression(annotation), "<annotation>", "eval"), {"__builtins__": {}}, PLAIN)
