"""``sv.load(...).predict(...)`` says of sets, streams and files what ``evaluate.py`` says, and why not of others."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import obspy
import pandas as pd
import pytest
import safetensors.torch
import torch
from hydra import compose, initialize_config_dir
from tiny_runs import ROOT, SMALL, TINY, tiny_config

import seisvision as sv
from seisvision.api.networks import Network
from seisvision.api.runs import Run
from seisvision.cli import main
from seisvision.commands.evaluate import evaluate_checkpoint
from seisvision.errors import CheckpointError, ConfigurationError, DataError
from seisvision.experiments.supervised.exporting import export_network
from seisvision.runs.ensure import ensure_run

MATCH = "source_type_probability_"


@pytest.fixture(scope="module", autouse=True)
def allowed() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SEISVISION_ALLOWED_TARGETS", "model_of_ones_own.")
        yield


@pytest.fixture(scope="module")
def run(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    config = tiny_config(data_dir, tmp_path_factory.mktemp("runs"), *SMALL, "trainer.max_epochs=1")
    return sv.open_run(ensure_run(config, []).path)


@pytest.fixture(scope="module")
def network(run: Run) -> Network:
    return run.network()


def evaluated(run: Run, path: Path, folder: Path, *words: str) -> Path:
    """``predictions.csv`` of ``evaluate.py`` on a set, cut as in the training."""
    given = [
        f"ckpt={run.path}", "dataset=folder", f"dataset.source.path={path}", "dataset.samples.min_stations=3",
        f"system.data_dir={folder}", f"system.runs_dir={folder}", "system.num_workers=0", *words,
    ]  # fmt: skip
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("evaluate", overrides=given)
    return evaluate_checkpoint(config) / "predictions.csv"


def test_sets_and_streams_are_told_what_evaluate_tells_them(run: Run, network: Network, tmp_path: Path) -> None:
    """The file is the same byte for byte, and streams of the same recordings differ in no bit."""
    opened = run.open_set()
    labels = "dataset.labels.source_type={tectonic:[tectonic],glacial:[glacial]}"
    written = evaluated(run, opened.path, tmp_path, labels, "training_events=keep")
    of_set = network.predict(opened, training_events="keep")
    assert of_set.to_csv(tmp_path / "mine.csv").read_bytes() == written.read_bytes()
    streams = {event.id: event.to_stream() for event in opened}
    tables = {"inventory": opened.to_inventory(), "events": opened.to_catalog()}
    of_streams = network.predict(streams, **tables, processing="none", training_events="keep")
    assert of_streams.outputs["source_type"].source_ids == of_set.outputs["source_type"].source_ids
    np.testing.assert_array_equal(of_streams.outputs["source_type"].decoded, of_set.outputs["source_type"].decoded)
    # An event alone makes another batch, which may round otherwise.
    first = opened[0]
    alone = network.predict(
        first.to_stream(), inventory=first.to_inventory(), events=first.to_catalog(), processing="none"
    )
    np.testing.assert_allclose(
        alone.outputs["source_type"].decoded, of_set.outputs["source_type"].decoded[:1], rtol=1e-5
    )


def raw_recordings(run: Run, folder: Path) -> tuple[obspy.Stream, obspy.Inventory, Path]:
    """Counts with an offset, a slope and other rates, stations, and a catalogue of three events as somebody's CSV."""
    opened = run.open_set()[:3]
    stream, inventory = obspy.Stream(), obspy.Inventory([], source="me")
    for event in opened:
        for trace in event.to_stream():
            scaled = 1e3 + np.arange(len(trace.data)) * 0.5 + 1e3 * trace.data / np.abs(trace.data).max()
            trace.data = scaled.astype(np.float32)
            stream += trace
        inventory += event.to_inventory()
    table = opened.events.reset_index()[
        ["source_id", "source_origin_time", "source_latitude_deg", "source_longitude_deg", "source_depth_km"]
    ]
    table.columns = ["id", "time", "latitude", "longitude", "depth"]
    table.to_csv(folder / "events.csv", index=False)
    return stream, inventory, folder / "events.csv"


def test_raw_streams_are_told_what_their_import_is_told(run: Run, network: Network, tmp_path: Path) -> None:
    stream, inventory, events = raw_recordings(run, tmp_path)
    (tmp_path / "raw").mkdir()
    for number, trace in enumerate(stream):
        trace.write(str(tmp_path / "raw" / f"{number}.mseed"), format="MSEED")
    inventory.write(str(tmp_path / "stations.xml"), format="STATIONXML")
    # What a window of 1200 s from the origin needs.
    reach = ["--set", "association.before_s=30", "--set", "association.after_s=1230"]
    words = [
        "--waveforms",
        str(tmp_path / "raw"),
        "--events",
        str(events),
        "--stations",
        str(tmp_path / "stations.xml"),
    ]
    assert main(["data", "import", *words, "--associate", "time", "--out", str(tmp_path / "own"), *reach]) == 0
    written = pd.read_csv(evaluated(run, tmp_path / "own", tmp_path, "training_events=keep"))
    said = network.predict(stream, inventory=inventory, events=events, training_events="keep")
    assert said.to_csv(tmp_path / "mine.csv")
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "mine.csv"), written)
    of_files = network.predict(
        tmp_path / "raw", inventory=tmp_path / "stations.xml", events=events, training_events="keep"
    )
    np.testing.assert_array_equal(of_files.outputs["source_type"].decoded, said.outputs["source_type"].decoded)


def learnt_from(run: Run) -> str:
    table = pd.read_csv(run.path / "known_events.csv")
    return str(table[table["part"] == "train"]["source_id"].iloc[0])


def test_what_is_refused_is_told_with_its_reason(run: Run, network: Network) -> None:
    event = run.open_set()[0]
    stream = event.to_stream()
    dead, stranger = stream[0], stream[3].copy()
    dead.data[:] = 1.0
    stranger.stats.update({"station": "NOWHERE"})
    said = network.predict(stream + stranger, inventory=event.to_inventory(), events=event.to_catalog())
    reasons = said.refused.set_index("what")["reason"]
    assert "one value" in reasons[dead.id]
    learnt = run.open_set()[learnt_from(run)]
    said = network.predict(learnt.to_stream(), inventory=learnt.to_inventory(), events=learnt.to_catalog())
    assert said.table["seen"].tolist() == ["trained on"]
    elsewhere = event.to_stream()
    for trace in elsewhere:
        trace.stats.network = "YY"
    with pytest.raises(DataError, match="nothing of it can be drawn"):
        network.predict(elsewhere, inventory=event.to_inventory(), events=event.to_catalog())
    late = event.to_catalog()
    late[0].origins[0].time += 86400
    with pytest.raises(DataError, match="nothing was recorded at its time; the stream reaches from"):
        network.predict(stream, inventory=event.to_inventory(), events=late)


def test_what_does_not_fit_is_refused_in_words(run: Run, network: Network, tmp_path: Path) -> None:
    event = run.open_set()[0]
    stream, inventory = event.to_stream(), event.to_inventory()
    for given, told in (
        ((stream, {}), "needs events=...: its windows count from the origin time"),
        ((stream, {"events": event.to_catalog()}), "needs inventory=..."),
        ((stream, {"events": 3, "inventory": inventory}), "events is a int; give an obspy.Catalog"),
        ((stream, {"events": event.to_catalog(), "inventory": inventory, "processing": "raw"}), "processing='raw'"),
        ((np.zeros(100), {"sampling_rate_hz": 2.0}), "several stations, and an array does not say"),
        (([1, 2], {}), "data is a list; give a waveform set"),
    ):
        with pytest.raises(ConfigurationError, match=told.replace("(", r"\(").replace(".", r"\.")):
            network.predict(given[0], **given[1])
    foreign = tmp_path / "foreign.ckpt"
    foreign.write_bytes(b"\x80\x04cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(CheckpointError, match="refused"):
        sv.load(foreign)
    with pytest.raises(CheckpointError, match=r"holds no checkpoints/best\.ckpt"):
        sv.load(tmp_path)


@pytest.mark.parametrize(
    "given",
    [
        {"inventory": "stations.xml"}, {"events": "events.csv"}, {"picks": "picks.csv"}, {"associate": "name"},
        {"before_s": 1.0}, {"after_s": 1.0}, {"processing": "none"}, {"response": "gain"}, {"unit": "m"},
    ],
    ids=lambda given: next(iter(given)),
)  # fmt: skip
def test_what_would_change_nothing_is_refused(
    run: Run, network: Network, monkeypatch: pytest.MonkeyPatch, given: dict[str, object]
) -> None:
    (name,) = given
    with pytest.raises(ConfigurationError, match=rf"{name}=\.\.\..* would change nothing: the data are a waveform set"):
        network.predict(run.open_set(), **given)
    with pytest.raises(ConfigurationError, match="a waveform set"):
        network.predict(str(run.open_set().path), **given)
    monkeypatch.setattr(network, "_refuse_arrays", lambda: None)
    with pytest.raises(ConfigurationError, match=rf"{name}=.*the data are an array"):
        network.predict(np.zeros((3, 100)), sampling_rate_hz=2.0, **given)


def test_arrays_and_streams_have_arguments_of_their_own(run: Run, network: Network) -> None:
    stream = run.open_set()[0].to_stream()
    for data, given in (
        (run.open_set(), {"sampling_rate_hz": 2.0}),
        (stream, {"components": "Z"}),
        (stream, {"associate": "folder"}),
        ({"a": stream}, {"before_s": 3.0, "events": "events.csv", "inventory": "stations.xml"}),
    ):
        with pytest.raises(ConfigurationError, match=f"{next(iter(given))}=.*would change nothing"):
            network.predict(data, **given)


def test_what_a_network_learnt_from_is_known_to_it(network: Network) -> None:
    assert network.made == {"unit": "m/s", "sampling_rate_hz": 2.0}
    assert network.window["length_s"] == 1200
    # The data set says null, the rate of the set; other recordings are brought to it.
    assert network.trained.config.dataset.samples["sampling_rate_hz"] is None
    assert network.window["sampling_rate_hz"] == 2.0
    assert network.outputs["source_type"]["class_names"] == ["tectonic", "glacial"]
    assert "1200 s from 0 s after the origin" in repr(network)
    assert "source_type (tectonic, glacial)" in network._repr_html_()


def test_a_filtered_set_is_answered_as_part_of_the_whole(run: Run, network: Network) -> None:
    opened = run.open_set()
    some = opened.where(type="glacial")
    whole = network.predict(opened).table.set_index("source_id")
    part = network.predict(some).table.set_index("source_id")
    assert 0 < len(part) < len(whole)
    pd.testing.assert_frame_equal(part, whole.loc[part.index])


def test_a_run_is_read_as_it_was_written(run: Run) -> None:
    table = run.measures
    accuracy = table[(table["part"] == "test") & (table["measure"] == "accuracy")]
    stored = run.metrics["test"]["source_type"]["accuracy"]
    assert accuracy["value"].item() == stored["value"] and accuracy["n"].item() == stored["n"]
    predicted = run.predictions("test")
    assert len(predicted) == run.metrics["data"]["events"]["test"]
    assert predicted[f"{MATCH}glacial"].between(0, 1).all()
    assert run.history["epoch"].max() == 0
    figure = run.figures["learning_curves"]
    assert figure._repr_png_().startswith(b"\x89PNG")
    with pytest.raises(ConfigurationError, match="Did you mean 'learning_curves'"):
        run.figures["learning_curve"]
    with pytest.raises(DataError, match="no predictions of part 'train'"):
        run.predictions("train")
    assert "accuracy" in str(run) and "accuracy" in run._repr_html_()


def test_runs_are_trained_and_compared_by_the_words_of_the_command(run: Run, data_dir: Path, tmp_path: Path) -> None:
    """The same words find the stored run; compared are runs, folders and patterns."""
    folders = [f"system.data_dir={data_dir}", f"system.runs_dir={run.path.parents[1]}"]
    again = sv.train(*TINY, *folders, *SMALL, "trainer.max_epochs=1")
    assert again.path == run.path
    table = sv.compare([run, again], report=tmp_path / "report.html")
    assert len(table) == 1 and table["test/source_type_balanced_accuracy"].notna().all()
    assert (tmp_path / "report.html").read_text().startswith("<!")
    with pytest.raises(ConfigurationError, match="Did you mean 'resnet50'"):
        sv.train("model=resnet5")
    with pytest.raises(ConfigurationError, match="there is no 'learning_rate' in 'optimizer'"):
        sv.train("optimizer.learning_rate=1")
    with pytest.raises(ConfigurationError, match="no setting"):
        sv.train("resnet50")
    with pytest.raises(ConfigurationError, match="sweep of several runs"):
        sv.train("sweep=seeds")
    with pytest.raises(ConfigurationError, match="Hydra's own"):
        sv.train("hydra.run.dir=/")


def test_the_command_writes_what_evaluate_writes(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    opened, out = run.open_set(), tmp_path / "told.csv"
    assert main(["predict", str(run.path), str(opened.path), "--out", str(out), "--training-events", "keep"]) == 0
    labels = "dataset.labels.source_type={tectonic:[tectonic],glacial:[glacial]}"
    assert out.read_bytes() == evaluated(run, opened.path, tmp_path, labels, "training_events=keep").read_bytes()
    assert capsys.readouterr().out.split("\n")[0] == f"{len(opened)} answers, 0 refused"
    assert (tmp_path / "told.refused.csv").read_text().startswith("source_id,what,reason")
    mine = tmp_path / "mine.csv"
    mine.write_text("my,own\n")
    assert main(["predict", str(run.path), str(opened.path), "--out", str(mine)]) == 2
    assert mine.read_text() == "my,own\n"
    assert main(["predict", str(run.path), str(opened.path), "--out", str(tmp_path / "no.csv"), "--unit", "m"]) == 2
    assert "unit=... (--unit) would change nothing" in capsys.readouterr().err
    assert not (tmp_path / "no.csv").exists()


def test_exported_networks_say_what_the_network_says(
    run: Run, network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that has torch, or safetensors, and nothing of this package."""
    assert main(["export", str(run.path), "--to", "torchscript", "--out", str(tmp_path / "net")]) == 0
    described = {"seisvision.json": b""}
    exported = torch.jit.load(str(tmp_path / "net.pt"), _extra_files=described)
    about = json.loads(described["seisvision.json"])
    assert about["input"] == {"name": "picture", "shape": ["batch", 3, 32, 32]}
    pictures = torch.rand(5, 3, 32, 32)
    task = network.trained.task
    with torch.no_grad():
        (said,), (output,) = exported(pictures), task.outputs
        torch.testing.assert_close(said, output.decode(output(task.model(pictures))), rtol=1e-5, atol=1e-6)
    card = (tmp_path / "net.md").read_text()
    assert "tectonic" in card and "1200 s" in card and "accuracy" in card and "unit m/s" in card
    assert main(["export", str(run.path), "--to", "safetensors", "--out", str(tmp_path / "net")]) == 0
    weights = safetensors.torch.load_file(tmp_path / "net.safetensors")
    assert weights.keys() == task.state_dict().keys()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ConfigurationError, match="pip install onnx onnxscript onnxruntime"):
        export_network(run.path, "onnx", tmp_path / "net")
    assert not (tmp_path / "net.onnx").exists()


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), 1e-3])
def test_an_export_that_says_otherwise_is_not_written(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: float
) -> None:
    """The file that was written tells one wrong number, here because it is spoilt when it is read again."""
    read = torch.jit.load

    def spoilt(*given: object) -> Callable[[torch.Tensor], list[torch.Tensor]]:
        exported = read(*given)

        def ask(picture: torch.Tensor) -> list[torch.Tensor]:
            (said,) = exported(picture)
            said[0, 0] += wrong
            return [said]

        return ask

    monkeypatch.setattr(torch.jit, "load", spoilt)
    with pytest.raises(ConfigurationError, match=r"differs from the network by (inf|0\.001)"):
        export_network(run.path, "torchscript", tmp_path / "net")
    assert not (tmp_path / "net.pt").exists()


def test_a_run_is_repeated_with_the_same_numbers(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The copy lies elsewhere; a stored number that was changed is told."""
    words = ["rerun", str(run.path), "--runs-dir", str(tmp_path)]
    assert main(words) == 0
    *_, said, folder = capsys.readouterr().out.strip().splitlines()
    assert said == "no measures differ" and Path(folder).is_relative_to(tmp_path)
    changed = tmp_path / "changed" / run.id
    shutil.copytree(run.path, changed)
    text = changed.joinpath("metrics.json").read_text()
    accuracy = run.metrics["val"]["source_type"]["accuracy"]["value"]
    changed.joinpath("metrics.json").write_text(text.replace(f'"value": {accuracy}', '"value": 0.125', 1))
    assert main(["rerun", str(changed), "--runs-dir", str(tmp_path / "again")]) == 1
    assert "val.source_type.accuracy.value: 0.125, now" in capsys.readouterr().out


def test_an_event_is_drawn_by_a_command(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = str(run.open_set().path), tmp_path / "event.png"
    assert main(["data", "show", path, "2", "--out", str(out), "--band", "0.02", "0.1"]) == 0
    assert out.read_bytes().startswith(b"\x89PNG")
    assert "synthetic-000002" in capsys.readouterr().out
    assert main(["data", "show", path, "999", "--out", str(out)]) == 2
    assert main(["data", "show", path, "synthetic-2", "--out", str(out)]) == 1


def test_scripts_get_json_and_nobody_an_error_for_asking_nothing(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", "status", str(run.path), "--json"]) == 0
    (state,) = json.loads(capsys.readouterr().out)
    assert state["state"] == "finished" and state["run"] == str(run.path) and state["max_epochs"] == 1
    assert main([]) == 0
    assert "predict" in capsys.readouterr().out
