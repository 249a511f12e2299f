"""Configuration: what is allowed, what names a run, and that every yaml builds something."""

import json
from pathlib import Path

import pytest
import torch
import yaml
from tiny_runs import ROOT, plain_config

from seisvision import keys
from seisvision.errors import ConfigurationError
from seisvision.experiments.forecasting.network import build_for
from seisvision.experiments.forecasting.settings import ForecastSettings
from seisvision.experiments.waveforms.checks import check_augmentation, check_origin
from seisvision.experiments.waveforms.network import build_task, build_view
from seisvision.experiments.waveforms.settings import Settings, data_settings
from seisvision.public import find_public
from seisvision.records.configuration import check_targets, instantiate
from seisvision.records.identity import run_identity, scientific_part
from seisvision.records.kinds import kind_of_config
from seisvision.views.view import View

CONF = ROOT / "conf"
EARLIER_IDS = json.loads((Path(__file__).parent / "earlier" / "ids_0.1.0.json").read_text())
"""What runs of every choice were called by the version that first kept its names, on a set that is called so."""
# A profiler watches a training; since it renames no run, a profiled one has the id of the same run without.
EARLIER_IDS["debug/profile"] = "81080b8de4"
CHOICES = [
    (path.parent.relative_to(CONF).as_posix(), path.stem)
    for path in sorted(CONF.rglob("*.yaml"))
    if path.parent not in (CONF, CONF / "atlas", CONF / "catalogue")
    and path.parent.name not in ("import", "fetch", "local")
    # What begins so is a part of others.
    if not path.stem.startswith("_")
]
WAVEFORM_MODELS = [
    path.stem
    for path in sorted((CONF / "model").glob("*.yaml"))
    if find_public(yaml.safe_load(path.read_text())["_target_"]).axes == 1
]
FILL = {
    ("dataset", "folder"): [
        "dataset.source.path=here",
        "dataset.labels.source_type={a: [x], b: [y]}",
        "dataset.samples.window.length_s=60",
    ],
    ("dataset", "ncedc_picks"): ["view=waveform", "task=pick", "model=unet1d"],
    ("dataset", "pnw_unlabelled"): ["task=cluster"],
    ("task", "source_place"): ["+dataset.labels.source_place={here: [1], there: [2]}"],
    ("task", "reconstruction"): ["view=waveform", "dataset=synthetic_local", "model=janbakhsh", "model.decoder=true"],
    ("task", "pick"): ["view=waveform", "dataset=synthetic_local", "model=unet1d"],
    ("view", "waveform"): ["model=resnet1d", "dataset=synthetic_local"],
    **{
        ("model", name): ["dataset=synthetic_network", "view=station_matrix", "task=place_volume", "augment=none"]
        for name in ("fcn_locator", "early_warning")
    },
    ("model", "station_transformer"): ["view=station_matrix", "view.coordinates=true", "task=place", "augment=none"],
    ("view", "station_matrix"): ["model=early_warning", "model.width=0.125", "task=place_volume", "augment=none"],
    ("task", "place_volume"): ["view=station_matrix", "model=fcn_locator", "model.width=0.125", "augment=none"],
    ("task", "early_warning"): ["dataset=synthetic_network", "view=station_matrix", "model=early_warning"],
    # Networks of waveforms need such a view.
    **{("model", name): ["view=waveform", "dataset=synthetic_local"] for name in WAVEFORM_MODELS},
    ("model", "preseis"): ["dataset=synthetic_network", "view=station_triggers", "task=place", "augment=none"],
    ("view", "station_triggers"): ["dataset=synthetic_network", "model=preseis", "task=place", "augment=none"],
    ("uncertainty", "evidential"): ["task=offset", "view=trace", "dataset=synthetic_traces"],
    # What forecasts are made of goes together.
    **{
        choice: ["experiment=forecast"]
        for choice in (
            ("dataset", "etas_world"),
            ("dataset", "precursor_world"),
            ("split", "by_time"),
            ("task", "rates"),
            ("task", "rates_on_etas"),
            ("task", "occurrence"),
            ("model", "conv_lstm"),
            ("model", "etas_correction"),
            ("model", "indicator_rnn"),
            ("model", "safenet"),
        )
    },
    ("dataset", "catalogue"): [
        "experiment=forecast",
        "dataset.source.path=here.csv",
        "dataset.fit=2000",
        "dataset.test=2001",
        "dataset.samples.maps.magnitudes=[3]",
    ],
    # Any file has the hash by which a run knows its network.
    **{
        ("experiment/atlas", name): [f"offset_ckpt={ROOT / 'pyproject.toml'}"]
        for name in ("unlabelled", "unlabelled_pnw")
    },
}


@pytest.mark.parametrize(("group", "choice"), CHOICES, ids=lambda part: part)
def test_every_yaml_composes_and_builds(group: str, choice: str) -> None:
    if choice == "seisbench_model":
        pytest.importorskip("seisbench", reason="SeisBench is not installed")
    top, _, rest = group.partition("/")
    config = plain_config([f"{top}={rest + '/' if rest else ''}{choice}", *FILL.get((group, choice), [])])
    # The network that a run was given has the hash of whatever file it is.
    same = {key: value for key, value in config.items() if key != "offset_hash"}
    run_id = run_identity(scientific_part(same, "0123456789ab"))
    assert run_id == EARLIER_IDS.get(f"{group}/{choice}", run_id), "a new setting needs its line in identity.LATER"
    source = instantiate(config["dataset"]["source"])
    assert callable(source.prepare) and callable(source.fingerprint)
    if kind_of_config(config) == "forecast":
        _forecasts(config)
        return
    view = build_view(config["view"])
    task = build_task(Settings.of(config), view)
    batch = _batch(view)
    raw = task.eval()(batch)
    for output in task.outputs:
        output.meet(batch[keys.SAMPLING_RATE_HZ])
        decoded = output.decode(raw[output.name])
        assert decoded.shape[0] == 2 and decoded[:, 0].isfinite().all()
    if group.startswith("experiment"):
        check_origin(Settings.of(config), view)
        check_augmentation(Settings.of(config))
        targets = data_settings(Settings.of(config), view)["samples"]["targets"]
        assert targets.keys() == {column for output in task.outputs for column in output.columns}
    if group == "logger":
        if "trackio" in config["logger"]:
            pytest.importorskip("trackio", reason="logger=trackio is an extra")
        for settings in config["logger"].values():
            logger = instantiate(settings, folder=Path("here"), run_id="id", group="g", config={})
            assert logger.name is not None


def _forecasts(config: dict) -> None:
    """The network takes two windows of six cells on a lattice of two rows, and begins with what its anchor says."""
    n_planes = len(config["dataset"]["samples"]["maps"]["magnitudes"])
    shape = {
        "n_planes": n_planes, "n_steps": 3, "n_indicators": 8, "n_cells": 6, "lattice": (2, 4),
        "places": (0, 1, 2, 4, 5, 7),
    }  # fmt: skip
    task = build_for(ForecastSettings.of(config), shape, ("poisson", "etas"), 1.5).eval()
    batch = {
        keys.MAPS: torch.rand(2, 3, n_planes, 2, 4),
        keys.INDICATORS: torch.randn(2, 6, 3, 8),
        keys.REGION_INDICATORS: torch.randn(2, 3, 8),
        keys.LOG_RATES: torch.randn(2, 2, 6),
    }
    rates = task.log_rates(batch, task(batch))
    assert rates.shape == (2, 6) and rates.isfinite().all()
    assert torch.allclose(
        task.log_rates(batch, task(batch), 0.0), batch[keys.LOG_RATES][:, task.anchor_place], atol=1e-4
    )


def _batch(view: View) -> dict:
    """Two events of noise, sampled fast enough for the bands of the view."""
    n_stations, n_samples, components = (
        (1 if view.unit == "trace" else getattr(view, "n_stations", 5)),
        3600,
        view.components,
    )
    bands_hz = [channel.band_hz for channel in getattr(view, "channels", ()) if channel.band_hz]
    bands_hz.append(getattr(view, "frequency_range_hz", (0.0, 0.0)))
    bands_hz.append(getattr(view, "band_hz", None) or (0.0, 0.0))
    highest_hz = max(band_hz[1] for band_hz in bands_hz)
    generator = torch.Generator().manual_seed(0)
    waveform = torch.randn(2, n_stations, len(components), n_samples, generator=generator)
    return {
        keys.WAVEFORM: waveform,
        keys.STATION_MASK: torch.ones(2, n_stations, dtype=torch.bool),
        keys.COMPONENT_MASK: torch.ones(2, n_stations, len(components), dtype=torch.bool),
        keys.OFFSET_KM: torch.linspace(300, 3000, n_stations).repeat(2, 1),
        keys.AZIMUTH_DEG: torch.linspace(0, 300, n_stations).repeat(2, 1),
        keys.BACK_AZIMUTH_DEG: torch.linspace(180, 480, n_stations).repeat(2, 1) % 360,
        keys.ONSET_S: torch.full((2, n_stations), 50.0),
        keys.START_S: torch.zeros(2, n_stations),
        keys.STATION_KM: torch.zeros(2, n_stations, 3),
        keys.SAMPLING_RATE_HZ: 2.0 if highest_hz < 1.0 else 40.0 if highest_hz <= 20.0 else 100.0,
        keys.SOURCE_ID: ["a", "b"],
        keys.TARGETS: {},
    }


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "subprocess.run",
        "builtins.eval",
        "seisvision.data.sources.folder.Path",
        "seisvision.records.folder.write_text",
    ],
)
def test_targets_outside_the_allow_list_are_refused(target: str) -> None:
    with pytest.raises(ConfigurationError, match="allowed"):
        instantiate({"_target_": target, "path": "x"})


def test_nested_targets_are_checked_too() -> None:
    with pytest.raises(ConfigurationError, match=r"model\.list\[1\]\._target_=os\.system"):
        check_targets({"model": {"list": [1, {"_target_": "os.system"}]}})


def test_own_packages_can_be_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEISVISION_ALLOWED_TARGETS", "fractions.")
    assert instantiate({"_target_": "fractions.Fraction", "numerator": 3, "denominator": 6}) * 2 == 1


def test_run_identity_follows_the_science_and_not_the_machine() -> None:
    def identity(*overrides: str, fingerprint: str = "data") -> str:
        return run_identity(scientific_part(plain_config(list(overrides)), fingerprint))

    base = identity()
    machine = ["system.num_workers=7", "system.data_dir=elsewhere", "logger=all", "name=other", "run.fresh=true"]
    machine += ["system.compile=true", "system.fused_optimizer=true"]
    assert identity(*machine) == base
    science = ["seed=1", "model=resnet34", "optimizer.lr=0.1", "trainer.max_epochs=3", "view.height=64", "split=paper"]
    others = [identity(change) for change in science] + [identity(fingerprint="other data")]
    assert len({base, *others}) == len(science) + 2


def test_stored_runs_keep_their_names() -> None:
    names = {(): "aaddde1803", ("trainer.batch_size=16", "model=resnet34"): "f504eb5d00"}
    for overrides, name in names.items():
        for machine in ([], ["trainer=ddp", "trainer.devices=4"], ["trainer.accelerator=cpu", "trainer.num_nodes=2"]):
            config = plain_config([*machine, *overrides])
            assert run_identity(scientific_part(config, "0123456789ab")) == name


def test_settings_of_earlier_versions_are_answered_with_their_new_names() -> None:
    with pytest.raises(ConfigurationError, match=r"system\.devices is trainer\.devices now"):
        plain_config(["+system.devices=2"])


def test_outputs_are_called_by_name() -> None:
    settings = ["task=offset_and_depth", "view=trace", "dataset=synthetic_traces"]
    changes = ["task.outputs.depth.weight=0.7", "~task.outputs.offset.hides_origin"]
    offset, depth = plain_config([*settings, *changes])["task"]["outputs"]
    assert (offset["name"], depth["name"], depth["weight"]) == ("offset", "depth", 0.7)
    assert "weight" not in offset and "hides_origin" not in offset
    (alone,) = plain_config([*settings, "~task.outputs.offset"])["task"]["outputs"]
    assert alone["name"] == "depth"
    with pytest.raises(ConfigurationError, match=r"task\.outputs\.depth=3 is not allowed; give the settings"):
        plain_config([*settings, "task.outputs.depth=3"])
    with pytest.raises(ConfigurationError, match=r"task\.outputs\.depth\.name=deep is not allowed: .* by its key"):
        plain_config([*settings, "+task.outputs.depth.name=deep"])


def test_unset_settings_are_named() -> None:
    with pytest.raises(ConfigurationError, match=r"dataset\.source\.path"):
        plain_config(["dataset=folder"])
