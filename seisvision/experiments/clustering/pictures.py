"""What the clusters of a run look like: figures, tables, and what else would explain them.

Works from ``clusters.csv`` and ``features.npz`` of a finished clustering run.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from seisvision import keys, spreadsheets
from seisvision.data.samples.arrivals import column_numbers
from seisvision.data.samples.events import EventSamples
from seisvision.evaluation.cluster_figures import map_figure, sections_figure, times_figure
from seisvision.evaluation.cluster_tables import (
    Column,
    columns_of,
    cross_rows,
    explain_clusters,
    isolation,
    sizes_over_time,
    summarise_clusters,
    table_text,
    warn_of_confounds,
)
from seisvision.evaluation.figure_style import plain_text
from seisvision.evaluation.figures import samples_figure
from seisvision.experiments.waveforms.figures import Samples, pictures
from seisvision.files import safe_name, write_text
from seisvision.records.folder import RunFolder
from seisvision.seeding import DEFAULT_SEED, numpy_stream, stream_seed
from seisvision.stored_arrays import read_arrays
from seisvision.views.view import View

log = logging.getLogger(__name__)

N_NEAREST = 4
N_BORDER = 4
N_SECTIONS = 2
N_STRANGE = 20
MOST_CLUSTERS = 20
"""Clusters of which pictures are drawn, the largest; all are in the tables."""
MOST_MEASURED = 500
"""Samples whose waveforms are read for frequency and duration."""
FEWEST_FOR_UMAP = 100
OWN_COLUMNS = ("cluster", "distance", "margin", "strangeness", "map_x", "map_y")
CONFOUNDS = ("offset_median_km", "stations", "hour_of_day_utc", "time", "network", "rate_hz")
"""Columns of network, file and clock: clusters that follow these are no kinds of sources."""
TABLES = ("clusters_summary", "clusters_explained", "clusters_strangest", "clusters_over_time")


def draw_clusters(folder: RunFolder, samples: Samples, view: View, seed: int = DEFAULT_SEED) -> dict[str, Any]:
    """Write what a person needs to judge the clusters of a run.

    Writes the tables ``clusters_summary``, ``clusters_explained``, ``clusters_strangest``, ``clusters_over_time`` and
    ``clusters_by_<label>`` as CSV into the run folder, and maps, contact sheets and record sections into ``figures/``.

    Args:
        folder: a run with ``clusters.csv`` and ``features.npz``.
        samples: what was clustered; the order does not matter.
        view: draws the pictures that the network saw.
        seed: of the samples that are measured, and of UMAP.

    Returns:
        Plain values for ``metrics.json``: ``explained_by``, the columns that say most about the clusters, and
        ``warning`` where these belong to the recording rather than to the source.
    """
    text = pd.read_csv(folder.path / "clusters.csv", dtype=str, keep_default_na=False)
    table = spreadsheets.frame_from_cells(text).set_index("sample_id")
    number_of = {sample_id: number for number, sample_id in enumerate(samples.sample_ids)}
    table = table.loc[[sample_id for sample_id in table.index if sample_id in number_of]]
    numbers = np.array([number_of[sample_id] for sample_id in table.index])
    labels = table["cluster"].to_numpy(dtype=int)
    names = _label_columns(table)
    columns, time_s = _columns(samples, numbers, seed)
    _draw_maps(folder, table, labels, names, seed)
    _write_strangest(folder, table, names)
    for name in names:
        write_text(
            folder.path / f"clusters_by_{safe_name(name)}.csv", table_text(*cross_rows(labels, table[name].tolist()))
        )
    _write_times(folder, labels, time_s)
    write_text(folder.path / "clusters_summary.csv", table_text(*summarise_clusters(labels, columns)))
    _draw_members(folder.figures, table, labels, numbers, samples, view)
    explained = explain_clusters(labels, columns)
    head = ["column", "confound", "cramers_v", "information", "p_value", "values"]
    rows = [[one.name, one.confound, one.cramers_v, one.information, one.p_value, one.n_values] for one in explained]
    write_text(folder.path / "clusters_explained.csv", table_text(head, rows))
    warning = warn_of_confounds(explained)
    if warning:
        log.warning("%s", warning)
    best = {one.name: {"cramers_v": one.cramers_v, "confound": one.confound} for one in explained[:5]}
    return {"explained_by": best, "warning": warning}


def send_cluster_tables(loggers: Sequence[Any], folder: RunFolder) -> None:
    """Put the tables that :func:`draw_clusters` wrote on the dashboards that can show tables."""
    files = [folder.path / f"{name}.csv" for name in TABLES] + sorted(folder.path.glob("clusters_by_*.csv"))
    for path in files:
        if path.exists():
            with path.open(newline="", encoding="utf-8") as handle:
                head, *rows = spreadsheets.Reader(handle)
            for logger in loggers:
                if hasattr(logger, "log_table"):
                    logger.log_table(path.stem, head, rows)


def _label_columns(table: pd.DataFrame) -> list[str]:
    """Columns of known classes, which stand behind the map."""
    columns = table.columns.tolist()
    return columns[columns.index(OWN_COLUMNS[-1]) + 1 :]


def _columns(samples: Samples, numbers: np.ndarray, seed: int) -> tuple[list[Column], np.ndarray]:
    """What is known of every sample, and its time in seconds since 1970."""
    metadata = samples.waveform_set.table
    rows = [np.atleast_1d(samples.rows(int(number))) for number in numbers]
    first = np.array([one[0] for one in rows])
    time_s = _times_s(metadata.iloc[first])
    values = {
        "dominant_frequency_hz": np.full(len(rows), np.nan),
        "duration_s": np.full(len(rows), np.nan),
        "magnitude": column_numbers(metadata, "source_magnitude")[first],
        "depth_km": column_numbers(metadata, "source_depth_km")[first],
        "offset_median_km": _medians(column_numbers(metadata, "path_ep_distance_km"), rows),
        "stations": np.array([float(len(one)) for one in rows]),
        "hour_of_day_utc": time_s % 86400 // 3600,
        "time": time_s,
        "rate_hz": column_numbers(metadata, "trace_sampling_rate_hz")[first],
    }
    if "station_network_code" in metadata:
        networks = metadata["station_network_code"].fillna("").astype(str).to_numpy()
        values["network"] = np.array([_commonest(networks[one]) for one in rows])
    chosen = numpy_stream(seed, "measured samples").permutation(len(rows))[:MOST_MEASURED]
    for place in chosen:
        measured = _measure(samples[int(numbers[place])])
        values["dominant_frequency_hz"][place], values["duration_s"][place] = measured
    return columns_of(values, CONFOUNDS), time_s


def _times_s(events: pd.DataFrame) -> np.ndarray:
    """Origin times, else starts of the recordings, in seconds since 1970; NaN where there is neither."""
    found = np.full(len(events), np.nan)
    for column in ("source_origin_time", "trace_start_time"):
        if column in events:
            times = pd.to_datetime(events[column], errors="coerce", utc=True, format="ISO8601")
            stamps = times.to_numpy(dtype="datetime64[ns]")
            seconds = np.where(np.isnat(stamps), np.nan, stamps.astype(np.int64) / 1e9)
            found = np.where(np.isnan(found), seconds, found)
    return found


def _medians(values: np.ndarray, rows: Sequence[np.ndarray]) -> np.ndarray:
    known = [values[one][np.isfinite(values[one])] for one in rows]
    return np.array([np.median(some) if len(some) else np.nan for some in known])


def _commonest(names: np.ndarray) -> str:
    values, counts = np.unique(names, return_counts=True)
    return str(values[counts.argmax()])


def _measure(sample: dict[str, Any]) -> tuple[float, float]:
    """Medians over stations of the mean frequency of the power and of the time that holds 5 to 95 % of the energy."""
    rate_hz = float(sample[keys.SAMPLING_RATE_HZ])
    traces = sample[keys.WAVEFORM][sample[keys.STATION_MASK]][:, 0].numpy().astype(float)
    traces = traces - traces.mean(axis=-1, keepdims=True)
    energy = traces**2
    live = energy.sum(axis=-1) > 0
    if not live.any():
        return np.nan, np.nan
    power = np.abs(np.fft.rfft(traces[live], axis=-1)) ** 2
    frequency_hz = (power * np.fft.rfftfreq(traces.shape[-1], 1 / rate_hz)).sum(axis=-1) / power.sum(axis=-1)
    share = energy[live].cumsum(axis=-1) / energy[live].sum(axis=-1, keepdims=True)
    samples = (share < 0.95).sum(axis=-1) - (share < 0.05).sum(axis=-1)
    return float(np.median(frequency_hz)), float(np.median(samples)) / rate_hz


def _draw_maps(folder: RunFolder, table: pd.DataFrame, labels: np.ndarray, names: list[str], seed: int) -> None:
    colourings = {"cluster": [str(label) for label in labels], **{name: table[name].tolist() for name in names}}
    places = table[["map_x", "map_y"]].to_numpy(dtype=float)
    map_figure(folder.figures / "clusters_map.png", places, colourings, "principal component")
    stored = read_arrays(folder.path / "features.npz", ["sample_ids", "points"])
    row_of = {sample_id: row for row, sample_id in enumerate(stored["sample_ids"].tolist())}
    points = stored["points"][[row_of[sample_id] for sample_id in table.index]]
    table["isolation"] = isolation(points)
    if len(points) < FEWEST_FOR_UMAP:
        return
    try:
        from umap import UMAP
    except ImportError:
        log.info("no UMAP map of the clusters: pip install 'seisvision[clusters]'")
        return
    plane = UMAP(random_state=stream_seed(seed, "umap") % 2**31, n_jobs=1).fit_transform(points)
    map_figure(folder.figures / "clusters_umap.png", np.asarray(plane), colourings, "UMAP")


def _write_strangest(folder: RunFolder, table: pd.DataFrame, names: list[str]) -> None:
    """The samples farthest from their centres, next to how lonely they are."""
    strange = table.assign(number=table["strangeness"].astype(float)).nlargest(N_STRANGE, "number")
    head = ["source_id", "cluster", "distance", "strangeness", "isolation", *names]
    rows = [[sample_id, *row] for sample_id, row in zip(strange.index, strange[head].to_numpy().tolist(), strict=True)]
    write_text(folder.path / "clusters_strangest.csv", table_text(["sample_id", *head], rows))


def _write_times(folder: RunFolder, labels: np.ndarray, time_s: np.ndarray) -> None:
    bins, counts = sizes_over_time(labels, time_s)
    if len(bins) < 2:
        return
    times_figure(folder.figures / "clusters_over_time.png", bins, counts)
    rows = [[name, *[values[place] for values in counts.values()]] for place, name in enumerate(bins)]
    write_text(folder.path / "clusters_over_time.csv", table_text(["time", *counts], rows))


def _draw_members(
    figures: Path, table: pd.DataFrame, labels: np.ndarray, numbers: np.ndarray, samples: Samples, view: View
) -> None:
    """Per cluster the members nearest to the centre and those nearest to another cluster: pictures, record sections."""
    clusters = sorted(np.unique(labels), key=lambda cluster: -(labels == cluster).sum())[:MOST_CLUSTERS]
    distance = table["distance"].to_numpy(dtype=float)
    margin = pd.to_numeric(table["margin"], errors="coerce").to_numpy(dtype=float)
    for cluster in clusters:
        members = np.flatnonzero(labels == cluster)
        nearest = members[np.argsort(distance[members], kind="stable")][:N_NEAREST]
        others = members[~np.isin(members, nearest)]
        border = others[np.argsort(margin[others], kind="stable")][:N_BORDER]
        chosen = np.concatenate([nearest, border])
        kinds = ["centre"] * len(nearest) + ["border"] * len(border)
        captions = [
            f"{kind}\n{plain_text(table.index[place])}\ndistance {distance[place]:.3g}"
            for kind, place in zip(kinds, chosen, strict=True)
        ]
        samples_figure(figures / f"cluster_{cluster}_pictures.png", pictures(samples, view, numbers[chosen]), captions)
        if isinstance(samples, EventSamples):
            shown = [place for place, kind in enumerate(kinds) if kind == "centre"][:N_SECTIONS]
            shown += [place for place, kind in enumerate(kinds) if kind == "border"][:N_SECTIONS]
            sections = [_section(samples[int(numbers[chosen[place]])]) for place in shown]
            length_s = samples.n_samples / samples.sampling_rate_hz
            path = figures / f"cluster_{cluster}_sections.png"
            sections_figure(path, sections, [captions[place] for place in shown], length_s)


def _section(sample: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Offsets (S,) and vertical traces (S, T) of the stations that recorded."""
    live = sample[keys.STATION_MASK]
    return sample[keys.OFFSET_KM][live].numpy().astype(float), sample[keys.WAVEFORM][live][:, 0].numpy()
