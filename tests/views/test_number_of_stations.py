"""What a picture of nothing but noise tells about how many stations recorded it."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch.utils.data import DataLoader

from seisvision import keys
from seisvision.data.samples.events import EventSamples, Window
from seisvision.data.serving.collate import collate_events
from seisvision.data.serving.datamodule import EventDataModule
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.sets.writer import WaveformSetWriter
from seisvision.data.splitting.split import Split
from seisvision.errors import ConfigurationError
from seisvision.views.sections.record_section import RecordSection

N_EVENTS, N_SAMPLES, RATE_HZ = 400, 64, 4.0
COUNTS = (6, 14)
SHOWN = {"max_stations": 6, "station_choice": "random"}


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> WaveformSet:
    """Events of noise at 6 to 14 stations."""
    rng = np.random.default_rng(11)
    folder = tmp_path_factory.mktemp("sets") / "noise"
    with WaveformSetWriter(folder, card={}) as writer:
        for number in range(N_EVENTS):
            n = int(rng.integers(COUNTS[0], COUNTS[1] + 1))
            rows = [
                {
                    "source_id": f"event-{number:03d}",
                    "station_network_code": "XX",
                    "station_code": f"S{station}",
                    "trace_start_time": "2020-01-01T00:00:00Z",
                    "trace_sampling_rate_hz": RATE_HZ,
                    "path_ep_distance_km": float(rng.uniform(20, 800)),
                }
                for station in range(n)
            ]
            writer.add_event(rows, rng.normal(size=(n, 3, N_SAMPLES)).astype(np.float32))
    return WaveformSet(folder)


def samples(noise: WaveformSet, **changes: object) -> EventSamples:
    return EventSamples(noise, noise.source_ids, window=Window(length_s=N_SAMPLES / RATE_HZ), **changes)  # type: ignore[arg-type]


def probe(noise: WaveformSet, view: RecordSection, **changes: object) -> float:
    """ROC AUC with which a linear probe tells many stations from few, by the edges between columns."""
    dataset = samples(noise, **changes)
    picture = view(collate_events([dataset[i] for i in range(len(dataset))]))
    edges = (picture[..., 1:] - picture[..., :-1]).abs().mean((1, 2)).numpy()
    count = np.array([len(noise.rows(source_id)) for source_id in noise.source_ids])
    many = (count > np.median(count)).astype(int)
    half = len(many) // 2
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000)).fit(edges[:half], many[:half])
    score, truth = model.predict_proba(edges[half:])[:, 1], many[half:]
    return float(np.mean(score[truth == 1][:, None] > score[truth == 0][None]))


@pytest.mark.parametrize(
    "settings",
    [
        {"spacing": "rank", "order": "offset"},
        {"spacing": "offset", "offset_range_km": [0.0, 800.0]},
        {"spacing": "offset", "style": "wiggle"},
        {"spacing": "rank", "style": "envelope"},
    ],
    ids=["ranks", "distances", "wiggles", "envelopes"],
)
def test_equally_many_stations_drawn_at_random_hide_how_many_there_were(noise: WaveformSet, settings: dict) -> None:
    view = RecordSection(height=16, width=64, components="Z", **{"style": "density", **settings})
    assert probe(noise, view) > 0.75, "today's default gives the number away"
    # With 100 events on either side the standard error of an area of 0.5 is 0.04.
    assert abs(probe(noise, view, **SHOWN) - 0.5) < 0.12


def test_the_draw_is_one_for_an_event_and_a_seed_and_has_no_favourites(noise: WaveformSet) -> None:
    first, again, other = (samples(noise, **SHOWN, seed=seed) for seed in (1, 1, 2))
    rows = [one.rows(0).tolist() for one in (first, again, other)]
    assert rows[0] == rows[1] != rows[2] and len(set(rows[0])) == 6
    assert all(len(first[i][keys.OFFSET_KM]) == 6 for i in range(5))
    nearest = samples(noise, max_stations=6, station_choice="nearest")
    mean_km = [torch.stack([one[i][keys.OFFSET_KM].mean() for i in range(60)]).mean() for one in (first, nearest)]
    assert mean_km[0] == pytest.approx(410, abs=60) and mean_km[1] < 340


def test_drawing_needs_a_number(noise: WaveformSet) -> None:
    with pytest.raises(ConfigurationError, match="give that number"):
        samples(noise, station_choice="random")


def datamodule(noise: WaveformSet, **changes: Any) -> EventDataModule:
    ids = noise.source_ids
    split = Split({"train": tuple(ids[:21]), "val": tuple(ids[21:30]), "test": tuple(ids[30:40])})
    settings = {"window": Window(length_s=N_SAMPLES / RATE_HZ), **SHOWN}
    return EventDataModule(noise, split, samples=settings, batch_size=4, **changes)


def shown(loader: DataLoader, epoch: int) -> dict[str, tuple[list[float], float]]:
    """By event the distances of the stations that an epoch shows, and the sum of their samples."""
    set_epoch = getattr(loader.batch_sampler.sampler, "set_epoch", None)  # type: ignore[union-attr]
    if set_epoch is not None:
        set_epoch(epoch)
    found = {}
    for batch in loader:
        for i, source_id in enumerate(batch[keys.SOURCE_ID]):
            if keys.COUNTS not in batch or batch[keys.COUNTS][i]:
                found[source_id] = (batch[keys.OFFSET_KM][i].tolist(), float(batch[keys.WAVEFORM][i].double().sum()))
    return found


def test_training_draws_other_stations_in_every_epoch(noise: WaveformSet) -> None:
    data = datamodule(noise)
    loader = data.train_dataloader()
    epochs = [shown(loader, epoch) for epoch in range(3)]
    assert set(epochs[0]) == set(noise.source_ids[:21]) and epochs == [shown(loader, epoch) for epoch in range(3)]
    more = [name for name in epochs[0] if len(noise.rows(name)) > 8]
    assert all(epochs[0][name] != epochs[1][name] != epochs[2][name] for name in more)
    assert all(len(offsets) == len(set(offsets)) == 6 for epoch in epochs for offsets, _ in epoch.values())
    # The six of an epoch are what the set holds of these stations.
    for name, (offsets, total) in epochs[2].items():
        whole = samples(noise)[noise.source_ids.index(name)]
        at = [whole[keys.OFFSET_KM].tolist().index(offset) for offset in offsets]
        assert at == sorted(at) and total == pytest.approx(float(whole[keys.WAVEFORM][at].double().sum()), abs=1e-3)


@pytest.mark.parametrize("settings", [{"num_workers": 2}, {"in_memory": True}], ids=["workers", "in memory"])
def test_the_draw_knows_neither_readers_nor_interruptions_nor_ranks(noise: WaveformSet, settings: dict) -> None:
    expected = datamodule(noise).train_dataloader()
    expected = [shown(expected, epoch) for epoch in range(3)]
    loader = datamodule(noise, **settings).train_dataloader()
    assert [shown(loader, epoch) for epoch in range(3)] == expected
    resumed = datamodule(noise, **settings)
    resumed.first_epoch = 2
    # As Lightning does, which tells the epoch after the reading processes have begun.
    assert shown(resumed.train_dataloader(), 2) == expected[2]
    shares: dict[str, Any] = {}
    for rank in range(2):
        part = datamodule(noise, **settings)
        here = SimpleNamespace(root_device=torch.device("cpu"))
        part.trainer = SimpleNamespace(global_rank=rank, world_size=2, strategy=here)  # type: ignore[assignment]
        shares |= shown(part.train_dataloader(), 1)
    assert shares == expected[1]


def test_validation_and_test_keep_their_stations(noise: WaveformSet) -> None:
    data = datamodule(noise)
    for part in ("val", "test", "train"):
        loader = data.loader(part)
        first = shown(loader, 0)
        assert first == shown(loader, 1)
        for i, name in enumerate(data.parts[part].sample_ids):
            assert first[name][0] == data.parts[part][i][keys.OFFSET_KM].tolist()
