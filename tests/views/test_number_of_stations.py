"""What a picture of nothing but noise tells about how many stations recorded it."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from seisvision import keys
from seisvision.data.collate import collate_events
from seisvision.data.samples import EventSamples, Window
from seisvision.data.waveform_set import WaveformSet
from seisvision.data.writer import WaveformSetWriter
from seisvision.errors import ConfigurationError
from seisvision.views.record_section import RecordSection

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
