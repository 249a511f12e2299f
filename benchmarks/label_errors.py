"""How many planted label errors the scores of a review find, beside cleanlab, and what a review is worth.

    python benchmarks/label_errors.py --data-dir data --noise-db -20 --shares 0 0.05 0.1

Six source types; events are drawn once by ``view=stack`` and learnt by a small network, so that the five folds of many
planted sets take minutes. Every network sees planted labels only. A fifth of the events is never planted, never
reviewed and never learnt from. The reviewer is simulated: of each label that is likely wrong he knows the truth.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from measuring import tell_machine
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader

from seisvision.data.samples.events import EventSamples
from seisvision.data.samples.window import Window
from seisvision.data.serving.collate import collate_events
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.synthesis.source import SyntheticSource
from seisvision.reviewing.class_scores import likely_errors, normalised_margin, self_confidence
from seisvision.seeding import numpy_stream
from seisvision.views import StackedSpectrogram

TYPES = ["tectonic", "glacial", "landslide", "explosion", "collapse", "volcanic"]
CHANNELS = [
    {"component": "Z", "align": "P", "start_s": -60.0},
    {"component": "Z", "align": 3.6, "start_s": -380.0},
    {"component": "T", "align": 4.2, "start_s": -380.0},
]
N_FOLDS = 5
SIDE = 16
"""Pictures are averaged to so many rows and columns."""


def pictures(data_dir: Path, noise_db: float, n_events: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures float32 (N, 3, SIDE, SIDE) of the events, kept beside the set, and true classes int (N,)."""
    source = SyntheticSource(
        n_events=n_events, classes=TYPES, noise_db=noise_db, seed=3407, sampling_rate_hz=2.0, length_s=1800.0,
        lead_s=0.0, n_stations=[6, 8], offset_range_deg=[2.0, 45.0], magnitude=[4.6, 5.2], geometry="random",
        heterogeneity=1.0, fault=1.0, coda=1.0, earth_model="ak135f_no_mud", processes=1,
    )  # fmt: skip
    waveform_set = WaveformSet(source.prepare(data_dir))
    kept = data_dir / f"label-errors-{waveform_set.fingerprint}.npz"
    if not kept.is_file():
        view = StackedSpectrogram(
            height=32, width=32, step_s=24.0, channels=CHANNELS, frequency_range_hz=[0.006667, 0.95],
            range_db=[2.0, 62.0], components="ZNE",
        )  # fmt: skip
        samples = EventSamples(
            waveform_set, waveform_set.source_ids, window=Window(reference="origin", start_s=0.0, length_s=1800.0),
            components="ZNE",
        )  # fmt: skip
        loader = DataLoader(samples, batch_size=32, collate_fn=collate_events)
        with torch.inference_mode():
            drawn = torch.cat([functional.adaptive_avg_pool2d(view(batch), SIDE) for batch in loader])
        np.savez(kept, pictures=drawn.numpy())
    said = waveform_set.event_table()["source_type"]
    return np.load(kept)["pictures"], np.array([TYPES.index(str(value)) for value in said])


def network(n_types: int) -> nn.Module:
    """Two layers, 200,000 weights."""
    n_values = 3 * SIDE**2
    return nn.Sequential(
        nn.Flatten(), nn.Dropout(0.2), nn.Linear(n_values, 256), nn.ReLU(), nn.Dropout(0.3), nn.Linear(256, n_types)
    )


def learn(shown: torch.Tensor, labels: np.ndarray, seed: int, n_epochs: int) -> nn.Module:
    """A network trained on pictures and the labels that stand there."""
    torch.manual_seed(seed)
    model, targets = network(labels.max() + 1), torch.from_numpy(labels)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.5)
    n_batches = -(-len(shown) // 64)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=n_epochs * n_batches)
    model.train()
    for _ in range(n_epochs):
        for some in torch.randperm(len(shown)).tensor_split(n_batches):
            optimizer.zero_grad()
            noisy = shown[some] + 0.3 * torch.randn_like(shown[some])
            functional.cross_entropy(model(noisy), targets[some]).backward()
            optimizer.step()
            schedule.step()
    return model.eval()


def shares_of(model: nn.Module, shown: torch.Tensor) -> np.ndarray:
    """Class probabilities (N, K)."""
    with torch.inference_mode():
        return model(shown).double().softmax(1).numpy()


def folds(shown: torch.Tensor, labels: np.ndarray, test: torch.Tensor, seed: int, n_epochs: int) -> tuple:
    """Probabilities out of fold (N, K), and of the test events, the mean of all folds."""
    fold_of = numpy_stream(seed, "folds").permutation(len(labels)) % N_FOLDS
    out, tested = (np.zeros((n, labels.max() + 1)) for n in (len(labels), len(test)))
    for fold in range(N_FOLDS):
        held = fold_of == fold
        model = learn(shown[~held], labels[~held], seed + fold, n_epochs)
        out[held] = shares_of(model, shown[held])
        tested += shares_of(model, test) / N_FOLDS
    return out, tested


def planted(truth: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Labels of which a share was given another class, each other class alike."""
    stream = numpy_stream(seed, "planted")
    labels = truth.copy()
    wrong = stream.choice(len(truth), round(share * len(truth)), replace=False)
    n_types = truth.max() + 1
    labels[wrong] = (labels[wrong] + stream.integers(1, n_types, len(wrong))) % n_types
    return labels


def found(labels: np.ndarray, truth: np.ndarray, shares: np.ndarray) -> dict[str, float]:
    """Precision at the number planted by two orders; precision and recall of the likely errors; and cleanlab's."""
    wrong, n = labels != truth, int((labels != truth).sum())
    measures: dict[str, float] = {"planted": n}
    flagged = likely_errors(labels, shares)
    measures["flagged"] = int(flagged.sum())
    measures["flagged share of right labels"] = float((flagged & ~wrong).sum() / (~wrong).sum())
    if not n:
        return measures
    for name, score in (("self-confidence", self_confidence), ("margin", normalised_margin)):
        order = np.argsort(score(labels, shares), kind="stable")[:n]
        measures[f"precision at n, {name}"] = float(wrong[order].mean())
    measures |= {"precision": float(wrong[flagged].mean()), "recall": float(flagged[wrong].mean())}
    try:
        from cleanlab.filter import find_label_issues
        from cleanlab.rank import get_label_quality_scores
    except ImportError:
        return measures
    order = np.argsort(get_label_quality_scores(labels, shares), kind="stable")[:n]
    measures["cleanlab precision at n"] = float(wrong[order].mean())
    for name in ("confident_learning", "both"):
        issues = find_label_issues(labels, shares, filter_by=name, n_jobs=1)
        measures[f"cleanlab {name}: precision"] = float(wrong[issues].mean()) if issues.any() else float("nan")
        measures[f"cleanlab {name}: recall"] = float(issues[wrong].mean())
    return measures


def interval(before: np.ndarray, after: np.ndarray) -> tuple[float, float, float]:
    """Difference of two shares of right answers about the same events, with its normal interval of 95 %."""
    change = after.astype(float) - before.astype(float)
    error = 1.96 * change.std(ddof=1) / np.sqrt(len(change))
    return float(change.mean()), float(change.mean() - error), float(change.mean() + error)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument("--noise-db", type=float, default=-20.0)
    parser.add_argument("--events", type=int, default=1200)
    parser.add_argument("--shares", type=float, nargs="+", default=[0.0, 0.05, 0.1])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--types", nargs="+", choices=TYPES, default=TYPES, help="only events of these")
    parser.add_argument("--save", type=Path, help="folder for labels and probabilities, for another program to judge")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    tell_machine()
    drawn, truth = pictures(asked.data_dir, asked.noise_db, asked.events)
    kept = np.isin(truth, [TYPES.index(name) for name in asked.types])
    drawn, truth = drawn[kept], truth[kept]
    truth = np.searchsorted(np.unique(truth), truth)
    shown = torch.from_numpy((drawn - drawn.mean(0)) / (drawn.std(0) + 0.05))
    for seed in asked.seeds:
        order = numpy_stream(seed, "untouched test").permutation(len(truth))
        test, rest = order[: len(truth) // 5], order[len(truth) // 5 :]
        for share in asked.shares:
            begun = time.perf_counter()
            labels = planted(truth[rest], share, seed)
            out, tested = folds(shown[rest], labels, shown[test], seed, asked.epochs)
            print(f"{len(asked.types)} types, noise {asked.noise_db:g} dB, seed {seed}, {100 * share:g} % planted:")
            print(f"  accuracy out of fold against the truth {100 * (out.argmax(1) == truth[rest]).mean():.1f} %")
            for name, value in found(labels, truth[rest], out).items():
                print(f"  {name} {value:.3f}" if isinstance(value, float) else f"  {name} {value}")
            if asked.save:
                asked.save.mkdir(parents=True, exist_ok=True)
                name = f"{len(asked.types)}types{asked.noise_db:g}dB-{share:g}-{seed}.npz"
                np.savez(asked.save / name, labels=labels, truth=truth[rest], shares=out)
            if share:
                flagged = likely_errors(labels, out)
                cleaned = np.where(flagged, truth[rest], labels)
                _, again = folds(shown[rest], cleaned, shown[test], seed, asked.epochs)
                before, after = tested.argmax(1) == truth[test], again.argmax(1) == truth[test]
                change, low, high = (100 * one for one in interval(before, after))
                print(f"  untouched test {100 * before.mean():.1f} % before, {100 * after.mean():.1f} % after review; "
                      f"change {change:.1f} points [{low:.1f}, {high:.1f}]")  # fmt: skip
                for stage, given in (("raw", labels), ("cleaned", cleaned)):
                    print(f"  labels right, {stage}: {100 * (given == truth[rest]).mean():.1f} %; accuracy out of fold "
                          f"against {stage} labels {100 * (out.argmax(1) == given).mean():.1f} %")  # fmt: skip
            print(f"  {time.perf_counter() - begun:.0f} s", flush=True)


if __name__ == "__main__":
    main()
