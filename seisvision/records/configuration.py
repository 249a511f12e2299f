"""From a composed configuration to plain values, checked targets and the identity of a run."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from seisvision.errors import ConfigurationError
from seisvision.plain_types import shortened
from seisvision.public import AUGMENTATION, DERIVED, MODEL, OUTPUT, SCHEDULER, TASK, kind_of
from seisvision.records.checkpoint import checkpoint_hash, find_checkpoint
from seisvision.records.trust import faces
from seisvision.records.trust.allowed import check_numbers, check_sections, check_texts, check_words, leaves
from seisvision.records.trust.arguments import check_arguments
from seisvision.records.trust.faces import MARKS, PLACES, check_node, find_face, find_own, kind_at
from seisvision.records.trust.stated import check_stated
from seisvision.secrets_kept import refuse_secrets

ALLOWED_TARGETS_VARIABLE = faces.ALLOWED_TARGETS_VARIABLE
DEEPEST = 32
"""Levels of configuration; those of experiments have six."""
BUILDING_ERRORS = (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RuntimeError, MemoryError)
"""What classes raise where settings are wrong that their signature does not tell from right ones."""

MOVED = {"system.devices": "trainer.devices", "system.accelerator": "trainer.accelerator"}
"""Settings of earlier versions and where they are now."""
OUTPUTS_BY_NAME = (
    "Outputs of a task are no list any more but are called by name. Set one of their settings by "
    "task.outputs.offset.loss=laplace, put another in the place of one by ~task.outputs.offset and "
    "+task.outputs.depth={_target_: ...}; in a file, outputs: {depth: {_target_: ...}}."
)


def to_plain(config: DictConfig) -> dict[str, Any]:
    """Resolve a composed configuration into dicts, lists and scalars.

    Raises:
        ConfigurationError: a mandatory value is missing or an interpolation cannot be resolved.
    """
    config = with_derived_classes(config)
    unresolved = OmegaConf.to_container(config, resolve=False)
    missing = [path for path, value in leaves(unresolved) if value == "???"]
    if missing:
        raise ConfigurationError(f"These settings have no value yet: {', '.join(missing)}. Give each as key=value.")
    try:
        plain = OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        raise ConfigurationError(_unresolved(str(error))) from error
    refuse_secrets(leaves(plain))
    _list_outputs(plain)  # type: ignore[arg-type]
    _set_evidential(plain)  # type: ignore[arg-type]
    check_targets(plain)
    check_stated(mappings(plain))
    check_moved(plain)
    check_sections(plain)  # type: ignore[arg-type]
    check_numbers(plain)  # type: ignore[arg-type]
    check_words(plain)  # type: ignore[arg-type]
    check_texts(plain)  # type: ignore[arg-type]
    for setting, digest in (("offset_ckpt", "offset_hash"), ("init_from", "init_hash")):
        if plain.get(setting):  # type: ignore[union-attr]
            # Another network makes another run, wherever its file lies and its workers are started.
            plain[setting] = str(find_checkpoint(plain[setting]).absolute())  # type: ignore
            plain[digest] = checkpoint_hash(plain[setting])  # type: ignore
    return plain  # type: ignore[return-value]


def _unresolved(said: str) -> str:
    """What could not be resolved; classes that nothing told are the commonest."""
    column = re.search(r"'dataset\.labels\.(\w+)'", said)
    if column is None:
        return f"The configuration cannot be resolved: {said}"
    return (
        f"The task learns classes of {column[1]}, and nothing says which there are: the set has no such column, or one "
        f"of very many values. Give dataset.labels.{column[1]}={{name: [value, ...], ...}}, or another task."
    )


def with_derived_classes(config: DictConfig) -> DictConfig:
    """The configuration with the classes of derived columns in ``dataset.labels``, where it does not name them itself.

    Class ``noise`` goes along where windows of noise are cut.

    Raises:
        ConfigurationError: a derived column is not described as it should be.
    """
    dataset = config.get("dataset")
    if dataset is None or dataset.get("derive") is None:
        return config
    # Interpolations point into the whole, so it is the whole that is copied.
    config = config.copy()
    OmegaConf.set_struct(config, False)
    dataset = config.dataset
    derive: Any = OmegaConf.to_container(dataset.derive, resolve=True) if OmegaConf.is_dict(dataset.derive) else None
    if derive is None:
        raise ConfigurationError(
            f"dataset.derive={shortened(dataset.derive)} is not allowed; give columns by name, such as "
            "{source_place: {_target_: seisvision.data.KMeansPlaces, k: 6}}."
        )
    noise = {"noise": ["noise"]} if (dataset.get("traces") or {}).get("noise") is not None else {}
    if dataset.get("labels") is None:
        dataset.labels = {}
    for name, described in derive.items():
        names = instantiate(described, DERIVED).class_names
        if names and dataset.labels.get(name) in (None, "auto"):
            dataset.labels[name] = {one: [one] for one in names} | noise
    if not derive:
        dataset.derive = None
    return config


def _list_outputs(config: dict[str, Any]) -> None:
    """Turn the outputs of a task, which files and commands call by name, into the list that is built and stored.

    Raises:
        ConfigurationError: one is no mapping, is given another name than it is called by, or says not what it is.
    """
    outputs = (config.get("task") or {}).get("outputs")
    if not isinstance(outputs, Mapping):
        return
    listed = []
    for name, output in outputs.items():
        if not isinstance(output, Mapping):
            raise ConfigurationError(
                f"task.outputs.{name}={shortened(output)} is not allowed; give the settings of an output, "
                f"or leave it out with ~task.outputs.{name}."
            )
        if output.get("name", name) != name:
            raise ConfigurationError(
                f"task.outputs.{name}.name={output['name']} is not allowed: an output is called "
                "by its key. Rename the key."
            )
        if "_target_" not in output:
            whole = [str(one) for one, said in outputs.items() if isinstance(said, Mapping) and "_target_" in said]
            raise ConfigurationError(
                f"task.outputs.{name} belongs to none of the outputs of the task ({', '.join(whole) or 'none'}): its "
                "settings have no _target_. Where task, protocol and experiment disagree, choose one of them."
            )
        listed.append({**output, "name": str(name)})
    config["task"] = {**config["task"], "outputs": listed}


def _set_evidential(config: dict[str, Any]) -> None:
    """Let the numbers of a task learn evidential distributions where ``uncertainty=evidential`` asks for that.

    Raises:
        ConfigurationError: the task has no number.
    """
    asked = config.get("uncertainty")
    if not isinstance(asked, Mapping) or asked.get("method") != "evidential" or "task" not in config:
        return
    outputs = config["task"].get("outputs") or []
    numbers = [one for one in outputs if str(one.get("_target_", "")).endswith(".ScalarOutput")]
    if not numbers:
        raise ConfigurationError(
            "uncertainty=evidential learns numbers, and the task has none. Choose a task with a ScalarOutput, or "
            "another method."
        )
    for one in numbers:
        one["loss"] = "evidential"


def check_moved(config: Any) -> None:
    """Refuse settings that are elsewhere now, such as from a ``conf/local/default.yaml`` of an earlier version.

    Raises:
        ConfigurationError: names the setting and where it is now.
    """
    for key, _ in leaves(config):
        if key in MOVED:
            raise ConfigurationError(moved(key))


def moved(key: str) -> str:
    """Sentence that says where a setting of :data:`MOVED` is now."""
    return f"{key} is {MOVED[key]} now, and accelerator in evaluate.py. Choose trainer=auto or trainer=ddp for several."


def check_targets(config: Any, place: str = "") -> None:
    """Refuse a configuration that names anything but the public faces, each at a place of its kind.

    Args:
        config: an experiment, or the part of one that stands at ``place``.
        place: dotted key.

    Raises:
        ConfigurationError: a ``_target_`` names something else, or stands where no object is expected.
    """
    for where, node in mappings(config, place):
        check_node(kind_at(where), node, where)


def mappings(node: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Dotted paths of all mappings, outer ones first, and what they hold.

    Raises:
        ConfigurationError: they lie in each other deeper than any setting does.
    """
    if depth > DEEPEST:
        raise ConfigurationError(f"{shortened(path)} is nested deeper than {DEEPEST} levels, as no setting is.")
    if isinstance(node, Mapping):
        yield path, node
        for key, value in node.items():
            yield from mappings(value, f"{path}.{key}" if path else str(key), depth + 1)
    elif isinstance(node, list | tuple):
        for index, value in enumerate(node):
            yield from mappings(value, f"{path}[{index}]", depth + 1)


def instantiate(config: Mapping[str, Any] | None, kind: str | None = None, /, **objects: Any) -> Any:
    """Build what ``config`` describes; the only place where configuration becomes code.

    ``_target_`` is called with the settings beside it, the outputs of a task first; ``_partial_: true`` gives a
    ``functools.partial`` instead. Hydra's own ``instantiate`` is not used: it would resolve interpolations after
    the targets were checked, and a checkpoint's configuration must not be able to run anything.

    Args:
        config: ``_target_`` and its settings, plain values.
        kind: what is expected, of :data:`~seisvision.public.NAMES`; None takes any of them.
        objects: further arguments that configuration cannot hold, such as networks.

    Raises:
        ConfigurationError: a target is not of the kind, cannot be found, or has no such arguments.
    """
    if config is None and kind in (AUGMENTATION, SCHEDULER):
        return None
    if not isinstance(config, Mapping):
        raise ConfigurationError(
            f"{kind or 'An object'} is described by a mapping with _target_, not by {shortened(config)}."
        )
    kind = kind or kind_of(config.get("_target_"))
    place = PLACES[kind][0] if kind else "object"
    if kind:
        check_targets(config, place)
    return _build(config, kind, place, objects)


def _build(node: Mapping[str, Any], kind: str | None, place: str, objects: Mapping[str, Any]) -> Any:
    settings = {str(key): value for key, value in node.items() if key not in MARKS}
    if kind == TASK and isinstance(settings.get("outputs"), list | tuple):
        settings["outputs"] = [instantiate(output, OUTPUT) for output in settings["outputs"]]
    target, where = node.get("_target_"), f"{place}._target_"
    found = find_face(kind, target, where) if kind else find_own(target, where)
    check_arguments(found, settings, objects, place)
    build = functools.partial(found, **settings)
    if node.get("_partial_"):
        return build
    try:
        return build(**objects)
    except BUILDING_ERRORS as error:
        raise ConfigurationError(f"{target} cannot be built from its settings: {error}") from error


def model_takes(target: Any, name: str, by_name_only: bool = False) -> bool:
    """Whether the class of a network takes an argument of some name.

    Args:
        target: its dotted path.
        name: of the argument.
        by_name_only: whether ``**kwargs``, which takes everything, is not enough.
    """
    parameters = inspect.signature(find_face(MODEL, target, "model._target_")).parameters.values()
    named = {one.name for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)}
    return name in named or (not by_name_only and any(one.kind is one.VAR_KEYWORD for one in parameters))


def with_own_weights(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of a network whose weights come from a checkpoint, so that none are fetched for it."""
    return {**config, "model": own_weights(config["model"])}


def own_weights(model: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a network whose weights come from a checkpoint.

    Networks that know of no published weights, such as a user's own, are built from their settings as they are.
    """
    model = dict(model)
    check_targets(model, "model")
    if "pretrained" in model or model_takes(model.get("_target_"), "pretrained", by_name_only=True):
        model["pretrained"] = False
    return model


def model_name(config: Mapping[str, Any]) -> str:
    """What a network is called in tables: its ``model.name``, else the class that ``model._target_`` names."""
    return str(config["model"].get("name") or config["model"]["_target_"].rpartition(".")[2])
