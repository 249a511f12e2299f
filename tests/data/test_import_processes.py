"""Processes of an import: they change nothing of the set, start where they pay, and are not lost in silence."""

import sys
import types
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool

import numpy as np
import pandas as pd
import pytest
from obspy import Stream
from recorded_trees import recipe, trace, write_tree

from seisvision.data.importing import building
from seisvision.data.importing.association import EventFiles
from seisvision.data.importing.event_builder import EventResult
from seisvision.data.importing.importer import run_import
from seisvision.errors import DataError

WINDOW = {"reference": "onset", "before_s": 10, "length_s": 40, "jitter_s": 5}


def test_workers_do_not_change_the_set_nor_run_the_script_again(tmp_path, monkeypatch):
    folder = write_tree(tmp_path, n_events=5)
    dead = trace(1, "DDD")
    dead.data = np.full_like(dead.data, 7)
    holed = trace(1, "AAA")
    pieces = [holed.slice(endtime=holed.stats.starttime + 20), holed.slice(holed.stats.starttime + 20.5)]
    Stream([dead, *pieces, trace(1, "BBB", rate=50)]).write(str(folder / "waveforms" / "ev1.mseed"), format="MSEED")
    (folder / "waveforms" / "ev3.mseed").write_bytes(b"no recording")
    # A script without "if __name__ == '__main__':", which would import the set again in each process.
    (tmp_path / "script.py").write_text("open(__file__ + '.was_run_again', 'w')", encoding="utf-8")
    script = types.ModuleType("__main__")
    script.__file__ = str(tmp_path / "script.py")
    monkeypatch.setitem(sys.modules, "__main__", script)
    plan = recipe(folder, processing={"rate_hz": 20, "band_hz": [1, 8]}, window=WINDOW)
    for name, workers in (("one", 1), ("two", 2)):
        run_import(plan, tmp_path / name, workers=workers)
    assert sys.modules["__main__"] is script and not list(tmp_path.glob("*.was_run_again"))
    files = {path.name for path in (tmp_path / "one").iterdir()}
    assert files == {"card.json", "metadata.csv", "rejected.csv", "waveforms.hdf5"}
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name
    causes = pd.read_csv(tmp_path / "two" / "rejected.csv").cause
    assert {"flat", "unreadable"} <= set(causes)


def test_processes_are_started_where_the_pace_says_that_they_pay(monkeypatch):
    monkeypatch.setattr(building, "available_cores", lambda: 4)
    for n_jobs, seconds, wanted in ((10, 0.1, 1), (1000, 0.01, 4), (1000, 0.001, 1), (100, 1.0, 4)):
        pace = building._Pace(n_jobs)
        assert pace.n_processes() == 1
        pace.add(100.0)  # the first one imports readers
        while pace.n_done < n_jobs and pace.n_processes() == 1:
            pace.add(seconds)
        assert pace.n_processes() == wanted, (n_jobs, seconds)
    monkeypatch.setattr(building, "available_cores", lambda: 1)
    alone = building._Pace(100)
    for _ in range(50):
        alone.add(10.0)
    assert alone.n_processes() == 1


class DyingPool:
    """A pool whose second process is killed; it tells how much was ever under way."""

    def __init__(self, *unused):
        self.under_way, self.most, self.is_shut = 0, 0, False

    def submit(self, work, part):
        future = Future()
        done = [EventResult("tree", files.event_id, "quake") for _, files in part]
        self.under_way += 1
        self.most = max(self.most, self.under_way)

        def result(timeout=None):
            self.under_way -= 1
            if part[-1][1].event_id == "ev99":
                raise BrokenProcessPool("killed")
            return done

        future.result = result
        return future

    def shutdown(self, **unused):
        self.is_shut = True


def test_a_process_that_dies_ends_the_import_with_a_reason_and_few_events_are_under_way(monkeypatch):
    pools = []
    monkeypatch.setattr(building, "ProcessPoolExecutor", lambda *settings: pools.append(DyingPool()) or pools[0])
    jobs = [(0, EventFiles(f"ev{number}", {}, ())) for number in range(101)]
    built = building.build_events(None, [], jobs, 3)
    with pytest.raises(DataError, match=r"died.*--workers 1"):
        for number, result in enumerate(built):
            assert result.event_id == f"ev{number}"
    assert number == 95 and pools[0].is_shut and pools[0].most <= 6
