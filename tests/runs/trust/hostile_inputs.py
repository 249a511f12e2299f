"""What a stranger might put into a checkpoint, for ``hostile_checkpoints.py``."""

from __future__ import annotations

import io
import os
import pickle
import random
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

CANARIES = ("antigravity", "this", "turtle", "idlelib", "webbrowser", "hostile_canary", "seisvision_canary")
"""Modules that nothing here has a reason to import."""

TARGETS: list[Any] = [
    "os.system", "subprocess.run", "builtins.eval", "builtins.exec", "posix.system", "antigravity.fly", "this.s",
    "seisvision.data.importing.rejections.write_rejections", "seisvision.data.sources.folder.Path", "torch.load",
    "torch.save", "seisvision.data.sets.writer.WaveformSetWriter", "seisvision.files.write_text",
    "seisvision.records.folder.RunFolder",
    "seisvision.data.sources.folder.list_sets", "seisvision.data.sources.scratch.stage_to_scratch", "webbrowser.open",
    "torch.optim.os", "seisvision.commands.sets.data_audit.run", "seisvision.runs.loggers.HistoryLogger",
    "seisvision.tasks.exact.torch.load",
    "torch.optim.Optimizer", "torch.optim.lr_scheduler.LambdaLR", "torch.optim._multi_tensor.os", "torch.hub.load",
    "seisvision.data.sources.combined.write_rejections", "seisvision.views.view.View", "hostile_canary.run",
    "seisvision_canary.x", "shutil.rmtree", "pathlib.Path", "functools.partial", "", ".", "os", "..os.system",
    "os..system", "__main__.main",
    "os.system\n", "seisvision.models.timm_backbone.TimmBackbone.__init__", 3, None, ["os.system"], {"a": 1}, True,
    1.5,
]  # fmt: skip
"""None of these is what any place expects."""
FACES = {
    "view": "seisvision.views.record_section.RecordSection",
    "model": "seisvision.models.alexnet.AlexNet",
    "task": "seisvision.tasks.supervised.SupervisedTask",
    "optimizer": "torch.optim.AdamW",
    "scheduler": "seisvision.tasks.schedules.constant",
    "augment": "seisvision.views.augment.Augment",
    "dataset.source": "seisvision.data.sources.FolderSource",
}
RESOLVED = [
    "${oc.env:HOME}",
    "${oc.env:PATH,x}",
    "${hydra:runtime.cwd}",
    "${oc.decode:x}",
    "${seed}",
    "${oc.create:{a:1}}",
]
NAMES = [
    "hf-hub:evil/x",
    "local-dir:/tmp/evil",
    "hf_hub:evil/x",
    "resnet18.hf-hub:evil/x",
    "../resnet18",
    "resnet18 ",
    "",
]
SETTINGS: dict[str, list[Any]] = {
    "model.name": NAMES,
    "model.checkpoint_path": ["/etc/passwd"],
    "model.pretrained_cfg": [{"url": "http://127.0.0.1:1/x"}],
    "view.earth_model": ["/etc/passwd", "../../evil.npz"],
    "view.height": [10**9, -1, 2**70, "224", None, 0],
    "view.hook": ["os.system"],
    "trainer.batch_size": [0, -3, "8", None, 2**80],
    "task.outputs": [3, "os.system", [3], [{"_target_": "os.system"}], {"_target_": "os.system"}],
    "task.model": [3, {"_target_": "os.system"}],
    "dataset.source._target_": ["seisvision.views.augment.Augment"],
    "offset_ckpt": ["/dev/zero", "/nonexistent"],
    "dataset.samples.window.length_s": [1e15, "x", None, float("nan")],
    "seed": ["x", -1, 2**70, None, [1]],
}
"""Settings that must not pass, whatever else stands in the file."""
ODD: list[Any] = [
    None, -1, 0, 1, 10**12, 2**63, 2**64 + 1, float("nan"), float("inf"), -1e308, "", "x", "x" * 2_000_000, "\0", [],
    {}, True, [[]], {"a": {}}, "../../../../tmp/evil", "/etc/passwd", "/dev/zero", b"x", (1, 2), {1: 2}, {(1,
    2): 3}, "ä",
    torch.zeros(3), torch.Size([2]), 1j, {1, 2}, [None] * 1000,
]  # fmt: skip


def mutate(checkpoint: dict[str, Any], rng: random.Random, folder: Path) -> tuple[str, bool]:
    """Change a checkpoint in place; returns what was done, and whether it must be refused now."""
    kinds: list[tuple[Callable[..., tuple[str, bool]], int]] = [
        (_other_target, 5), (_target_anywhere, 3), (_wrong_kind, 2), (_mark, 2), (_setting, 4), (_reference, 2),
        (_odd_leaf, 6), (_delete, 3), (_unknown_argument, 2), (_wrap, 2), (_content, 4), (_weights, 4),
        (_write_file, 1),
    ]  # fmt: skip
    change = rng.choices([one for one, _ in kinds], [weight for _, weight in kinds])[0]
    name, must_refuse = change(checkpoint, rng, folder)
    return f"{change.__name__} {name}", must_refuse


def _config(checkpoint: dict[str, Any]) -> dict[str, Any]:
    return checkpoint["seisvision"]["config"]


def _mappings(node: Any, path: str = "") -> list[tuple[str, Any]]:
    found = []
    if isinstance(node, dict):
        found.append((path, node))
        for key, value in node.items():
            found += _mappings(value, f"{path}.{key}")
    elif isinstance(node, list):
        for number, value in enumerate(node):
            found += _mappings(value, f"{path}[{number}]")
    return found


def _leaf(node: dict[str, Any], rng: random.Random) -> tuple[str, Any, Any]:
    """A random place in nested containers: its path, the container and the key."""
    path = ""
    while True:
        key = rng.choice(list(node)) if isinstance(node, dict) else rng.randrange(len(node))
        path += f".{key}"
        inner = node[key]
        if not isinstance(inner, dict | list) or not inner or rng.random() < 0.2:
            return path, node, key
        node = inner


def _place(config: dict[str, Any], key: str) -> tuple[dict[str, Any], str]:
    *parents, last = key.split(".")
    for name in parents:
        config = config[name]
    return config, last


def _other_target(checkpoint: dict[str, Any], rng: random.Random, _: Path) -> tuple[str, bool]:
    place, target = rng.choice(list(FACES)), rng.choice(TARGETS)
    node, last = _place(_config(checkpoint), place)
    node[last]["_target_"] = target
    return f"{place}={target!r}", True


def _target_anywhere(checkpoint: dict[str, Any], rng: random.Random, _: Path) -> tuple[str, bool]:
    path, node = rng.choice(_mappings(_config(checkpoint)))
    if "_target_" in node or path == ".dataset.labels":
        node["_args_"] = ["touch PWNED"]
        return f"{path} _args_", True
    node["_target_"] = rng.choice(TARGETS[:30] + list(FACES.values()))
    return f"{path}={node['_target_']}", True


def _wrong_kind(checkpoint: dict[str, Any], rng: random.Random, _: Path) -> tuple[str, bool]:
    place, other = rng.sample(list(FACES), 2)
    node, last = _place(_config(checkpoint), place)
    node[last]["_target_"] = FACES[other]
    return f"{place}={FACES[other]}", True


def _mark(checkpoint: dict[str, Any], rng: random.Random, _: Path) -> tuple[str, bool]:
    place, mark = rng.choice(list(FACES)), rng.choice(["_args_", "_recursive_", "_convert_", "_partial_"])
    node, last = _place(_config(checkpoint), place)
    value = (
        rng.choice([["PWNED"], "all", 1, None]) if mark != "_partial_" else place not in ("optimizer", "scheduler"),
    )
    node[last][mark] = value
    return f"{place}.{mark}={value!r}", True


def _setting(checkpoint: dict[str, Any], rng: random.Random, _: Path) -> tuple[str, bool]:
    key = rng.choice(list(SETTINGS))
    node, last = _place(_config(checkpoint), key)
    node[last] = rng.choice(SETTINGS[key])
    return f"{key}={node[last]!r:.80}", True


def _reference(checkpoint: dict[str, Any], rng: random.Random, _: Path) -> tuple[str, bool]:
    path, node, key = _leaf(_config(checkpoint), rng)
    node[key] = rng.choice(RESOLVED)
    return f"{path}={node[key]}", True


def _odd_leaf(checkpoint: dict[str, Any], rng: random.Random, _: Path) -> tuple[str, bool]:
    path, node, key = _leaf(_config(checkpoint), rng)
    node[key] = rng.choice(ODD)
    return f"{path}={node[key]!r:.60}", False


def _delete(checkpoint: dict[str, Any], rng: random.Random, _: Path) -> tuple[str, bool]:
    path, node, key = _leaf(checkpoint["seisvision"], rng)
    del node[key]
    return path, False


def _unknown_argument(checkpoint: dict[str, Any], rng: random.Random, _: Path) -> tuple[str, bool]:
    place = rng.choice([one for one in FACES if one != "dataset.source"])
    node, last = _place(_config(checkpoint), place)
    node[last][rng.choice(["hook", "on_save", "callback", "weights_file", "a b", "", "__class__"])] = "os.system"
    return place, True


def _wrap(checkpoint: dict[str, Any], rng: random.Random, _: Path) -> tuple[str, bool]:
    path, node, key = _leaf(_config(checkpoint), rng)
    how = rng.choice(["list", "deep", "self", "laugh"])
    if how == "list":
        node[key] = [node[key]]
    elif how == "deep":
        for _level in range(200):
            node[key] = [node[key]]
    elif how == "self":
        node[key] = []
        node[key].append(node[key])
    else:
        node[key] = ["x"] * 10
        for _level in range(12):
            node[key] = [node[key]] * 10
    return f"{path} {how}", how != "list"


def _content(checkpoint: dict[str, Any], rng: random.Random, _: Path) -> tuple[str, bool]:
    content = checkpoint["seisvision"]
    if rng.random() < 0.3:
        content["run_id"] = rng.choice(["../../evil", "0123456789/..", "", 3, None, "0123456789\n", "a" * 10**6])
        return f"run_id={content['run_id']!r:.40}", True
    name = rng.choice([one for one in content if one not in ("config", "git", "version", "epoch")])
    if isinstance(content[name], dict | list) and content[name] and rng.random() < 0.7:
        path, node, key = _leaf(content[name], rng)
    else:
        path, node, key = "", content, name
    node[key] = rng.choice(ODD)
    return f"{name}{path}={node[key]!r:.60}", False


def _weights(checkpoint: dict[str, Any], rng: random.Random, _: Path) -> tuple[str, bool]:
    weights = checkpoint["state_dict"]
    name = rng.choice([one for one in weights if one.endswith("weight")])
    how = rng.choice(["missing", "shape", "bomb", "meta", "sparse", "object", "extra", "none", "list"])
    made: dict[str, Callable[[], Any]] = {
        "shape": lambda: torch.zeros(7, 5, 3),
        "bomb": lambda: torch.zeros(1).expand(10**6, 10**6),
        "meta": lambda: torch.empty(10**6, 10**6, device="meta"),
        "sparse": lambda: torch.sparse_coo_tensor(torch.zeros(2, 1, dtype=torch.long), torch.ones(1), (10**6, 10**6)),
        "object": lambda: "os.system",
        "list": lambda: [1.0],
    }
    if how == "missing":
        del weights[name]
    elif how == "extra":
        weights["model.hook"] = torch.zeros(1)
    elif how == "none":
        checkpoint["state_dict"] = rng.choice([None, [], 3, "x"])
    else:
        weights[name] = made[how]()
    return f"{name} {how}", True


def _write_file(checkpoint: dict[str, Any], rng: random.Random, folder: Path) -> tuple[str, bool]:
    """The way in that stood open: a function of this package that writes a file which the next Python executes."""
    config = _config(checkpoint)
    target = "seisvision.data.importing.rejections.write_rejections"
    path = str(folder.parent / "seisvision_canary.pth")
    config[rng.choice(["view", "augment", "model"])] = {"_target_": target, "path": path, "rejections": []}
    return target, True


class _Runs:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.path}",)


def hostile_files(checkpoint: Mapping[str, Any], flag: Path) -> list[tuple[str, Callable[[Path], object]]]:
    """Files that no change of content makes: each with a name and what writes it."""
    whole = io.BytesIO()
    torch.save(dict(checkpoint), whole)
    data = whole.getvalue()

    def packed(path: Path) -> None:
        with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
            for entry in old.infolist():
                new.writestr(entry.filename, old.read(entry))
            new.writestr("archive/data/999", bytes(50_000_000))

    def flipped(path: Path) -> None:
        changed = bytearray(data)
        for place in range(200, 20_000, 97):
            changed[place] ^= 0xFF
        path.write_bytes(changed)

    return [
        ("pickled call", lambda path: torch.save({**checkpoint, "x": _Runs(flag)}, path)),
        ("bare pickle", lambda path: path.write_bytes(pickle.dumps(_Runs(flag)))),
        ("old format", lambda path: torch.save(dict(checkpoint), path, _use_new_zipfile_serialization=False)),
        ("truncated", lambda path: path.write_bytes(data[: len(data) // 2])),
        ("packed", packed),
        ("flipped", flipped),
        ("empty", lambda path: path.write_bytes(b"")),
        ("no checkpoint", lambda path: torch.save({"seisvision": 3}, path)),
    ]
