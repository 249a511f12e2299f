"""Cost of one epoch of deep clustering: features, clusters, training.

``python benchmarks/clustering.py``                        1,000, 4,000 and 16,000 pictures of 3 x 32 x 64
``python benchmarks/clustering.py --events 500 1000``      other sizes

Pictures are made of numbers drawn at random, in memory: drawing them from waveforms is benchmarks/rendering.py. The
cost should grow in proportion to the events, and the clusters take less than a tenth of the epoch. Medians of
``--repeats`` epochs, and the least and the largest.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time

import torch
from measuring import spread, tell_machine
from torch.nn import functional

from seisvision.clustering.features import fit_preparation
from seisvision.clustering.kmeans import kmeans
from seisvision.data.serving.cluster_sampler import balanced_order
from seisvision.models.timm_backbone import TimmBackbone

SHAPE = (3, 32, 64)
BATCH = 64


def measure(n_events: int, k: int, pca_dim: int, device: str) -> dict[str, float]:
    """Seconds of the three steps of an epoch on ``n_events`` pictures."""
    torch.manual_seed(0)
    pictures = torch.rand(n_events, *SHAPE)
    network = TimmBackbone("resnet18", SHAPE[0]).to(device)
    head = torch.nn.Linear(network.num_features, k).to(device)
    optimizer = torch.optim.AdamW([*network.parameters(), *head.parameters()], lr=1e-3)

    started = time.perf_counter()
    network.eval()
    with torch.no_grad():
        rows = [network(batch.to(device)).float().cpu() for batch in pictures.split(BATCH)]
    features = torch.cat(rows).numpy()
    extracted = time.perf_counter()
    points = fit_preparation(features, pca_dim, whiten=False)(features)
    labels = kmeans(points, k, seed=0, min_cluster_size=5).labels
    clustered = time.perf_counter()
    network.train()
    for numbers in torch.from_numpy(balanced_order(labels, 0, 0)).split(BATCH):
        logits = head(network(pictures[numbers].to(device)).relu())
        loss = functional.cross_entropy(logits, torch.from_numpy(labels[numbers.numpy()]).to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    loss.item()
    trained = time.perf_counter()
    return {"features": extracted - started, "clusters": clustered - extracted, "training": trained - clustered}


def main() -> None:
    """Measure and print one line a size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, nargs="+", default=[1000, 4000, 16000])
    parser.add_argument("--k", type=int, default=12)
    parser.add_argument("--pca-dim", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    asked = parser.parse_args()
    tell_machine()
    measure(2 * BATCH, asked.k, asked.pca_dim, asked.device)
    print("events  features s  clusters s  training s             ms an event  clusters %  peak memory MB")
    for n_events in asked.events:
        turns = [measure(n_events, asked.k, asked.pca_dim, asked.device) for _ in range(asked.repeats)]
        whole = [sum(seconds.values()) for seconds in turns]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        parts = "".join(f"{statistics.median(one[name] for one in turns):12.2f}" for name in turns[0])
        share = statistics.median(100 * one["clusters"] / total for one, total in zip(turns, whole, strict=True))
        each = spread([1e3 * total / n_events for total in whole])
        print(f"{n_events:6d}{parts}{each:>24s}{share:12.1f}{peak:16.0f}", flush=True)


if __name__ == "__main__":
    main()
