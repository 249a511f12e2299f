"""Files name public faces only, each at a place of its kind and with arguments that it has."""

from __future__ import annotations

import ast
import copy
import importlib
import re
from pathlib import Path
from typing import Any

import model_of_ones_own
import pytest
from tiny_runs import ROOT, plain_config

from seisvision import public
from seisvision.errors import CheckpointError, ConfigurationError, SeisvisionError
from seisvision.experiments.waveforms.network import build_model, build_task, build_view
from seisvision.experiments.waveforms.settings import Settings
from seisvision.records.configuration import check_targets, instantiate
from seisvision.records.trust import faces
from seisvision.records.trust.stored import checked_config

WRITES = "seisvision.data.importing.rejections.write_rejections"


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    return plain_config([])


def test_every_public_name_is_found_fits_its_own_kind_and_can_be_imported() -> None:
    for kind, named in public.NAMES.items():
        for name in named:
            found = public.find_public(name)
            package, _, short = name.rpartition(".")
            assert found.__name__ == short
            assert faces.fits(kind, found), f"{name} is no {kind}"
            assert faces.find_face(kind, name, "x") is found
            assert getattr(importlib.import_module(package), short) is found


def test_conf_and_pages_use_public_names() -> None:
    for path in (*(ROOT / "conf").rglob("*.yaml"), *(ROOT / "docs").glob("*.md"), ROOT / "README.md"):
        for target in re.findall(r"_target_: *(seisvision[\w.]+)", path.read_text()):
            assert any(target in named for named in public.NAMES.values()), f"{path}: {target} is no public name"


@pytest.mark.parametrize("place", ["view", "model", "task", "optimizer", "scheduler", "augment", "dataset.source"])
@pytest.mark.parametrize(
    "target", [WRITES, "seisvision.data.sources.folder.list_sets", "seisvision.tasks.exact.os.system"]
)
def test_functions_below_the_package_are_refused_everywhere(config: dict[str, Any], place: str, target: str) -> None:
    changed = copy.deepcopy(config)
    node = changed
    for key in place.split("."):
        node = node[key]
    node["_target_"] = target
    with pytest.raises(ConfigurationError, match=rf"{place}\._target_=.* is not allowed there\. The .* must be one of"):
        check_targets(changed)


def test_what_writes_files_does_not_run(tmp_path: Path) -> None:
    path = tmp_path / "evil.pth"
    for build in (build_view, lambda one: build_model(one, 3)):
        with pytest.raises(ConfigurationError, match="not allowed"):
            build({"_target_": WRITES, "path": str(path), "rejections": []})
    assert not path.exists()


@pytest.mark.parametrize(
    ("place", "target"),
    [
        ("view", "seisvision.models.alexnet.AlexNet"),
        ("model", "seisvision.views.record_section.RecordSection"),
        ("model", "torch.optim.AdamW"),
        ("optimizer", "torch.optim.lr_scheduler.StepLR"),
        ("optimizer", "torch.optim.Optimizer"),
        ("optimizer", "torch.optim.optimizer.load"),
        ("scheduler", "torch.optim.AdamW"),
        ("augment", "seisvision.data.sources.FolderSource"),
    ],
)
def test_a_face_of_another_kind_is_refused(config: dict[str, Any], place: str, target: str) -> None:
    changed = {**config, place: {**config[place], "_target_": target}}
    with pytest.raises(ConfigurationError, match=rf"{place}\._target_={target} is not allowed there"):
        build_task(Settings.of(changed), build_view(changed["view"]))


@pytest.mark.parametrize(
    ("place", "setting", "said"),
    [
        ("view", {"_args_": ["x"]}, r"view\._args_ is not allowed"),
        ("model", {"_recursive_": False}, r"model\._recursive_ is not allowed"),
        ("model", {"_partial_": True}, r"model\._partial_=True: for the model it is not allowed"),
        ("optimizer", {"_partial_": False}, r"optimizer\._partial_=False: for the optimizer it must be true"),
        (
            "view",
            {"channels": {"_target_": "os.system"}},
            r"view\.channels\._target_=os\.system is not allowed",
        ),
        ("view", {"hook": 1}, r"view\.hook is no setting of RecordSection"),
        ("view", {"height": "tall"}, r"view\.height='tall' is not allowed; RecordSection takes int"),
        ("view", {"channels": 3}, r"view\.channels=3 is not allowed; RecordSection takes"),
        ("view", {"earth_model": "/etc/passwd"}, "must be the plain name of a model"),
        ("model", {"name": "hf-hub:evil/x"}, "is not a timm model"),
        ("model", {"name": "local-dir:/tmp/x"}, "is not a timm model"),
        ("model", {"name": "resnet18.hf-hub:evil/x"}, "is not a timm model"),
        ("optimizer", {"lr": "fast"}, r"optimizer\.lr='fast' is not allowed; AdamW takes"),
        ("optimizer", {"hook": 1}, r"optimizer\.hook is no setting of AdamW"),
        ("task", {"outputs": 3}, r"task\.outputs=3 is not allowed"),
    ],
)
def test_arguments_are_those_of_the_signature(config: dict[str, Any], place: str, setting: dict, said: str) -> None:
    changed = {**config, place: {**config[place], **setting}}
    with pytest.raises(ConfigurationError, match=said) as refused:
        check_targets(changed)
        build_task(Settings.of(changed), build_view(changed["view"]))
    assert "\n" not in str(refused.value)


def test_outputs_cannot_name_files_elsewhere(config: dict[str, Any]) -> None:
    output = {**config["task"]["outputs"][0], "name": "../../evil"}
    with pytest.raises(ConfigurationError, match="files are named by it"):
        instantiate(output, faces.OUTPUT)


def test_classes_of_ones_own_must_fit_their_place(monkeypatch: pytest.MonkeyPatch, config: dict[str, Any]) -> None:
    monkeypatch.delenv(faces.ALLOWED_TARGETS_VARIABLE, raising=False)
    own = {"_target_": f"{model_of_ones_own.__name__}.RequiredArguments", "width": 4}
    with pytest.raises(ConfigurationError, match="SEISVISION_ALLOWED_TARGETS"):
        build_model(own, 3)
    monkeypatch.setenv(faces.ALLOWED_TARGETS_VARIABLE, "model_of_ones_own.")
    assert build_model(own, 3).num_features == 4
    with pytest.raises(ConfigurationError, match=r"it is no view\. Inherit seisvision\.views\.view\.View"):
        instantiate(own, faces.VIEW)
    with pytest.raises(ConfigurationError, match="your package imports it, but does not define it"):
        instantiate({"_target_": "model_of_ones_own.nn"}, faces.MODEL)
    with pytest.raises(ConfigurationError, match="not allowed"):
        instantiate({"_target_": "model_of_ones_own_too.Evil"}, faces.MODEL)
    with pytest.raises(ConfigurationError, match=r"model\.width='4' is not allowed"):
        build_model({**own, "width": "4"}, 3)


def test_paths_of_earlier_versions_still_name_their_faces() -> None:
    for former, now in (*public.OTHER_NAMES.items(), *((first, name) for name, first in public.FIRST_NAMES.items())):
        kind = public.kind_of(now)
        assert kind is not None and public.kind_of(former) == kind
        assert faces.find_face(kind, former, "x") is public.find_public(now)
    assert faces.find_face(faces.OPTIMIZER, "torch.optim.adamw.AdamW", "x").__name__ == "AdamW"


def test_the_program_says_what_it_expects_wherever_it_builds() -> None:
    """Without a kind, any face would do."""
    for path in (ROOT / "seisvision").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "instantiate":
                assert len(node.args) == 2, f"{path}:{node.lineno} does not say what kind it expects"


@pytest.mark.parametrize(
    ("source", "setting"), [("SeisBenchSource", "allow_download"), ("FetchSource", "allow_network")]
)
def test_a_strangers_configuration_fetches_nothing(config: dict[str, Any], source: str, setting: str) -> None:
    node = {"_target_": f"seisvision.data.{source}", "name": "PNW", setting: True}
    model = {**config["model"], "pretrained": True}
    checked = checked_config({**config, "model": model, "dataset": {**config["dataset"], "source": node}}, "x.ckpt")
    assert checked["dataset"]["source"][setting] is False and checked["model"]["pretrained"] is False


@pytest.mark.parametrize("value", ["${oc.env:HOME}", "${hydra:runtime.cwd}", "${seed}"])
def test_a_stored_configuration_asks_this_machine_nothing(config: dict[str, Any], value: str) -> None:
    with pytest.raises(CheckpointError, match=r"dataset\.name holds .* would be looked up on this machine") as refused:
        checked_config({**config, "dataset": {**config["dataset"], "name": value}}, "x.ckpt")
    assert refused.value.exit_code == 2


def test_an_honest_configuration_passes_as_it_is(config: dict[str, Any]) -> None:
    assert checked_config(config, "x.ckpt") == config
    with pytest.raises(SeisvisionError, match=r"its split\.by=3 is no str"):
        checked_config({**config, "split": {**config["split"], "by": 3}}, "x.ckpt")
