"""What a run is called: a hash of what its result depends on, and of nothing that a later version may change.

Neither where a class is defined (``seisvision/public.py``) nor a setting that came later enters it, so that the same
command finds the run that an earlier version made.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from seisvision.public import name_in_ids

MACHINE_KEYS = ("name", "run", "logger", "system", "launcher", "sweep", "offset_ckpt", "init_from", "explain")
"""Parts of the configuration that do not change what a run finds out."""
MACHINE_KEYS_OF_TRAINER = ("devices", "accelerator", "strategy", "num_nodes")
"""The same within ``trainer``: ``batch_size`` is that of all devices together."""

MACHINE_KEYS_OF_OPTIMIZER = ("fused", "foreach")
"""The same within ``optimizer``: in how many kernels it steps, as ``system.fused_optimizer`` says too."""
WATCHING: dict[str, Any] = {"profiler": None, "detect_anomaly": False}
"""What within ``trainer`` only watches a training, and what stands in ids whatever is asked for."""

LATER: dict[str, Any] = {
    "experiment_kind": None,
    "uncertainty": None,
    "fine_tune": {"parts": "whole", "others": "refuse", "frozen": None, "layer_decay": 1.0, "unfreeze_every": None},
    "split.share": None,
    "split.share_seed": None,
    "augment.back_azimuth_target": None,
    "augment.truncate_s": None,
    "augment.reverberation": 0.0,
    "augment.reverberation_s": [0.05, 1.0],
    "augment.reverberation_db": [-6.0, 12.0],
    "dataset.derive": None,
    "dataset.superpose": None,
    "dataset.traces.noise": None,
    "dataset.samples.network": None,
    "dataset.beside.*.samples.network": None,
    "dataset.samples.window.redrawn": False,
    "dataset.traces.window.redrawn": False,
}
"""Settings that came after runs had been named, and the values that are what earlier versions did.

``{"view.polarity": "both"}`` says that there was no ``view.polarity`` before, and that ``both`` does what was done
then: a run that has this value keeps its id. ``[]`` stands for any place in a list: ``task.outputs[].loss_scale``, and
``*`` for the name of a set beside.
"""
BESIDE = re.compile(r"^dataset\.beside\.[^.]+\.")


def scientific_part(config: Mapping[str, Any], data_fingerprint: str) -> dict[str, Any]:
    """What a run's result depends on: everything but the machine, with the data set named by its content.

    Corrections of labels are part of that content. Where they change it, the set that splits are dealt from is another
    than the set that is learnt from, and both count: a copy of the corrected set is dealt otherwise.
    """
    part = {key: value for key, value in config.items() if key not in MACHINE_KEYS}
    part["dataset"] = {
        key: value for key, value in part["dataset"].items() if key not in ("source", "name", "corrections")
    }
    part["dataset"]["fingerprint"] = data_fingerprint
    corrections = config["dataset"].get("corrections")
    dealt_from = corrections.get("dealt_from") if isinstance(corrections, Mapping) else None
    if dealt_from not in (None, data_fingerprint):
        part["dataset"]["dealt_from"] = dealt_from
    if part["dataset"].get("beside"):
        part["dataset"]["beside"] = {
            name: {
                key: value for key, value in one.items() if key not in ("source", "name", "baselines", "corrections")
            }
            for name, one in part["dataset"]["beside"].items()
        }
    part["trainer"] = {key: value for key, value in part["trainer"].items() if key not in MACHINE_KEYS_OF_TRAINER}
    part["trainer"] |= {key: value for key, value in WATCHING.items() if key in part["trainer"]}
    if isinstance(part.get("optimizer"), Mapping):
        optimizer = part["optimizer"].items()
        part["optimizer"] = {key: value for key, value in optimizer if key not in MACHINE_KEYS_OF_OPTIMIZER}
    part["run"] = {"test": config["run"]["test"]}
    return _as_ever(part, "")


def _as_ever(node: Any, place: str) -> Any:
    """The same settings as the first version that could do this would have written them."""
    if isinstance(node, list | tuple):
        return [_as_ever(value, f"{place}[]") for value in node]
    if not isinstance(node, Mapping):
        return node
    kept = {}
    for key, value in node.items():
        where = f"{place}.{key}" if place else str(key)
        known = BESIDE.sub("dataset.beside.*.", where)
        if known in LATER and value == LATER[known]:
            continue
        is_name = key == "_target_" and isinstance(value, str)
        kept[key] = name_in_ids(value) if is_name else _as_ever(value, where)
    return kept


def run_identity(scientific: Mapping[str, Any]) -> str:
    """Ten hexadecimal digits that name a run by what it is."""
    canonical = json.dumps(scientific, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:10]


def run_id_without_copy(run_id: str) -> str:
    """The run id that ``run.fresh`` numbered: ``3f2a9c01de`` for ``3f2a9c01de-2``."""
    return run_id.partition("-")[0]
