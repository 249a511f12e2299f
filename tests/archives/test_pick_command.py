"""``seisvision pick``: one table whatever stops it, and however many do it."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from pathlib import Path

import pandas as pd
import pick_ricker
import pytest
import torch
from ricker_archives import DAY_NS, record, sds_path, write_mseed

from seisvision import cli
from seisvision.archives.losses import COLUMNS as LOSS_COLUMNS
from seisvision.archives.pick_table import COLUMNS
from seisvision.data.importing.tables.times import DAY_S, NS
from seisvision.tasks.pick_network import phasenet_of

HOUR_S = 3600


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two days of two stations in an SDS: an hour about midnight, with gaps, and a file that is cut off."""
    folder = tmp_path_factory.mktemp("archive") / "with blanks"
    midnight = DAY_NS + DAY_S * NS
    onsets = [midnight + round(at * NS) for at in (-1700.0, -900.0, 0.0, 333.0, 1500.0)]
    for station in ("AAA", "BBB"):
        for seed, letter in enumerate("ZNE"):
            codes = ("XX", station, "", f"HH{letter}")
            samples = record(20.0, midnight - 1800 * NS, HOUR_S * 20, onsets if letter == "Z" else [], seed)
            half = len(samples) // 2
            pieces = [
                (midnight - 1800 * NS, 20.0, samples[: half - 4000]),
                (midnight - 150 * NS, 20.0, samples[half - 3000 : half]),
            ]
            write_mseed(sds_path(folder, codes, "2020.061"), codes, pieces)
            path = write_mseed(sds_path(folder, codes, "2020.062"), codes, [(midnight, 20.0, samples[half:])])
            if (station, letter) == ("BBB", "E"):
                path.write_bytes(path.read_bytes()[:-300])
    return folder


def words(archive: Path, out: Path, *more: str) -> list[str]:
    return ["--ckpt", "none", "--waveforms", str(archive), "--out", str(out), "--threshold", "0.8", *more]


@pytest.fixture
def ricker(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (pick_ricker.picking, pick_ricker.shares):
        monkeypatch.setattr(module, "open_picker", lambda path: pick_ricker.RickerNetwork())


@pytest.fixture(scope="module")
def undisturbed(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed") / "picks.csv"
    with pytest.MonkeyPatch.context() as patch:
        for module in (pick_ricker.picking, pick_ricker.shares):
            patch.setattr(module, "open_picker", lambda path: pick_ricker.RickerNetwork())
        assert cli.main(["pick", *words(archive, out, "--quakeml", str(out.with_suffix(".xml")))]) == 0
    return out


def tables(out: Path) -> list[bytes]:
    return [path.read_bytes() for path in (out, out.with_suffix(".losses.csv"))]


def test_the_tables_say_what_was_picked_and_what_was_not(undisturbed: Path) -> None:
    picks = pd.read_csv(undisturbed, keep_default_na=False)
    assert tuple(picks) == COLUMNS
    assert list(picks["station"]) == ["AAA"] * 2 + ["BBB"] * 2 + ["AAA"] * 3 + ["BBB"] * 3
    assert list(picks["time"][4:7]) == [f"2020-03-02T{at}.000000Z" for at in ("00:00:00", "00:05:33", "00:25:00")]
    losses = pd.read_csv(undisturbed.with_suffix(".losses.csv"), keep_default_na=False)
    assert tuple(losses) == LOSS_COLUMNS
    assert set(losses["reason"]) == {"gap", "no_recording", "truncated"}
    assert losses["file"][losses["reason"] == "truncated"].str.contains("BBB..HHE").all()


def test_quakeml_holds_the_same_picks(undisturbed: Path) -> None:
    import obspy

    events = obspy.read_events(str(undisturbed.with_suffix(".xml")))
    picks = [pick for event in events for pick in event.picks]
    table = pd.read_csv(undisturbed, keep_default_na=False)
    assert [str(pick.time) for pick in picks] == list(table["time"])
    assert {pick.waveform_id.get_seed_string() for pick in picks} == {"XX.AAA..HHZ", "XX.BBB..HHZ"}
    assert [pick.phase_hint for pick in picks] == list(table["phase"])


def test_killed_at_any_moment_it_ends_in_the_same_bytes(
    archive: Path, tmp_path: Path, undisturbed: Path, ricker: None
) -> None:
    """Forks of this process, so that no time goes to imports, are killed until nothing is left to kill."""
    rng = random.Random(4)
    out = tmp_path / "killed" / "picks.csv"
    ended, n_killed, longest_s = False, 0, 0.3
    while not ended:
        child = _fork(archive, out)
        time.sleep(rng.uniform(0, longest_s))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        ended = os.WIFEXITED(status)
        n_killed += not ended
        longest_s *= 1.3
        assert not out.exists() or tables(out) == tables(undisturbed)
    assert os.WEXITSTATUS(status) == 0
    assert n_killed >= 3
    assert tables(out) == tables(undisturbed)
    assert not [path for path in out.parent.rglob(".*") if "partial" in path.name]


def _fork(archive: Path, out: Path) -> int:
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        torch.set_num_threads(1)
        code = cli.main(["pick", *words(archive, out)])
    finally:
        os._exit(code)


def test_another_setting_is_refused_and_a_changed_file_is_picked_again(
    archive: Path, tmp_path: Path, ricker: None, caplog: pytest.LogCaptureFixture
) -> None:
    own = tmp_path / "own"
    shutil.copytree(archive, own)
    out = tmp_path / "picks.csv"
    assert cli.main(["pick", *words(own, out)]) == 0
    assert cli.main(["pick", *words(own, out, "--stack", "max")]) == 2
    assert "stack=mean (now max)" in caplog.text
    n_picks = len(pd.read_csv(out))
    codes = ("XX", "AAA", "", "HHZ")
    midnight = DAY_NS + DAY_S * NS
    samples = record(20.0, midnight, 1800 * 20, [midnight + 100 * NS])
    write_mseed(sds_path(own, codes, "2020.062"), codes, [(midnight, 20.0, samples)])
    assert cli.main(["pick", *words(own, out)]) == 0
    assert len(pd.read_csv(out)) == n_picks - 2


def test_only_times_around_those_of_a_table_are_picked(archive: Path, tmp_path: Path, ricker: None) -> None:
    near = tmp_path / "times.csv"
    near.write_text("time\n2020-03-02T00:05:30Z\n2020-03-01T23:45:00Z\n")
    out = tmp_path / "picks.csv"
    assert cli.main(["pick", *words(archive, out, "--around", str(near), "--around-s", "2", "10")]) == 0
    picks = pd.read_csv(out)
    assert set(picks["time"]) == {"2020-03-01T23:45:00.000000Z", "2020-03-02T00:05:33.000000Z"}


def test_several_processes_write_what_one_writes(archive: Path, tmp_path: Path) -> None:
    """With a network from a file, for the processes know no other."""
    torch.manual_seed(0)
    network = phasenet_of(_random_weights())
    weights = tmp_path / "weights.pt"
    torch.save(_random_weights(), weights)
    assert network.n_samples == 3000
    near = tmp_path / "times.csv"
    near.write_text("time\n2020-03-02T00:00:00Z\n")
    outs = [tmp_path / name / "picks.csv" for name in ("one", "two")]
    for out, more in zip(outs, ([], ["--workers", "2"]), strict=True):
        given = ["--ckpt", str(weights), "--waveforms", str(archive), "--out", str(out), "--device", "cpu"]
        given += ["--around", str(near), "--around-s", "20", "20", "--threshold", "P=0.2", "S=0.35"]
        assert cli.main(["pick", *given, *more]) == 0
    assert len(pd.read_csv(outs[0])) > 0
    assert tables(outs[0]) == tables(outs[1])


def _random_weights() -> dict[str, torch.Tensor]:
    from seisvision.models.waveforms.unet1d import UNet1d

    torch.manual_seed(0)
    weights = dict(UNet1d(3, 3000).state_dict())
    return weights | {"out.weight": torch.randn(3, 8, 1), "out.bias": torch.zeros(3)}


def test_a_cluster_gets_one_job_for_each_share(
    archive: Path, tmp_path: Path, ricker: None, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("submitit", reason="launcher=slurm is an extra")
    more = ["--launcher", "slurm", "--launcher-set", "dry_run=true", "time_min=7", "--shares", "3"]
    assert cli.main(["pick", *words(archive, tmp_path / "picks.csv", *more)]) == 0
    script = capsys.readouterr().out
    assert "--array=0-2" in script
    assert "#SBATCH --time=7" in script
    assert not (tmp_path / "picks.csv").exists()


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--threshold", "P=2"], "--threshold P=2"),
        (["--threshold", "Q=0.4"], "picks P, S only"),
        (["--stack", "median"], "--stack median"),
        (["--out", "picks.txt"], "ends with .csv"),
        (["--launcher-set", "a=b"], "add --launcher slurm"),
    ],
    ids=["probability", "phase", "stack", "ending", "launcher"],
)
def test_what_is_not_allowed_is_named(
    archive: Path, tmp_path: Path, ricker: None, caplog: pytest.LogCaptureFixture, more: list[str], told: str
) -> None:
    assert cli.main(["pick", *words(archive, tmp_path / "picks.csv", *more)]) in (1, 2)
    assert told in caplog.text
