"""Names out of data are text on every page: no element, attribute or address comes from them, and all stay readable."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest
from fake_cluster_runs import make_run, three_groups
from fake_runs import CLASS, SCALAR, fake_clustering, fake_run
from hostile_names import HOSTILE, HOSTILE_NAMES, PLAIN_NAMES, Page, holds_nothing_foreign, one_line, unread
from tiny_runs import ROOT

import seisvision
from seisvision.archives.quakeml import write_picks_quakeml
from seisvision.atlas.presets import Preset, Stage
from seisvision.atlas.report import write_report
from seisvision.atlas.stages import Done
from seisvision.cataloguing.score_page import page as score_page
from seisvision.cataloguing.scoring import Events, score_catalogue
from seisvision.cli import main
from seisvision.evaluation.figure_style import plain_text
from seisvision.evaluation.intervals import Measure
from seisvision.evaluation.tables import ResultRow, RunRow, architecture_table, results_table
from seisvision.experiments.forecasting.comparing import check_forecast, forecasts_section
from seisvision.experiments.forecasting.results import ForecastResult
from seisvision.plain_text import STEERING
from seisvision.records.results import StoredRun
from seisvision.records.stored_values import NotComparableError
from seisvision.records.thumbnails import write_thumbnails
from seisvision.spreadsheets import to_cell

sys.path.insert(0, str(ROOT / "tests" / "data"))
from audited_sets import write_sound_set


def in_a_path(name: str) -> str:
    """A name that a folder can have."""
    return name.replace("/", "\u2215")


def audit(folder: Path, names: Sequence[str]) -> Path:
    """A set in which every name of the metadata is one of ``names``."""

    def each(shift: int) -> Callable[[int, int], str]:
        return lambda event, _: names[(event + shift) % len(names)]

    columns: dict[str, Callable[[int, int], Any]] = {
        "source_id": lambda event, _: f"{names[event % len(names)]}{event:03d}",
        "station_code": lambda _, station: names[station % len(names)],
        "station_network_code": lambda _, station: names[(station + 5) % len(names)],
        "station_location_code": lambda _, station: names[(station + 9) % len(names)],
        "source_type": lambda event, _: names[event % len(names)],
        "source_magnitude": lambda event, _: 99.0 if event % 5 == 3 else 1.0 + event % 5,
        "source_magnitude_type": each(1),
        "source_magnitude_author": each(2),
        "trace_unit": each(3),
        "trace_channel": each(4),
        **{f"trace_{name}_x": each(5) for name in names},
    }
    path = write_sound_set(folder / in_a_path(names[1]), 4 * len(names), **columns).path
    card = json.loads((path / "card.json").read_text())
    (path / "card.json").write_text(json.dumps(card | {"description": " ".join(names), "name": names[0]}))
    assert main(["data", "audit", str(path), "--out", str(folder / "report")]) == 0
    return folder / "report" / "audit.html"


def comparison(folder: Path, names: Sequence[str]) -> Path:
    """Runs whose classes, settings, folders, events, data, baselines and errors are called like ``names``."""
    about = CLASS | {"class_names": list(names[:6])}
    for number, name in enumerate(names):
        settings = {"view.style": name, "optimizer.lr": 0.1 / (number + 1), f"model.{names[0]}": number}
        path = folder / "runs" / f"{number:02d} {in_a_path(name)}"
        run = fake_run(path, settings, about=about, skill=0.9 - 0.03 * number, n=48, overrides=[f"view.style={name}"])
        _rename(run, names, number)
    fake_run(folder / "runs" / "other", about=SCALAR | {"name": names[2], "unit": names[3]})
    failed = fake_run(folder / "runs" / "failed", state="failed")
    (failed / "status.json").write_text(json.dumps({"state": "failed", "attempts": 1, "error": " ".join(names)}))
    cluster = fake_clustering(folder / "runs" / "clusters")
    metrics = json.loads((cluster / "metrics.json").read_text())
    metrics["training"]["model"], metrics["data"]["name"] = names[4], names[5]
    metrics["clustering"]["agreement"] = {names[6]: metrics["clustering"]["agreement"]["source_type"]}
    (cluster / "metrics.json").write_text(json.dumps(metrics))
    assert main(["compare", str(folder / "runs"), "--out", str(folder / "report.html")]) == 0
    return folder / "report.html"


def _rename(run: Path, names: Sequence[str], number: int) -> None:
    """Events, data set, model, commit, host and baselines of a run."""
    for file in run.glob("predictions*.csv"):
        with file.open(newline="", encoding="utf-8") as handle:
            rows = list(csv.reader(handle))
        for place, row in enumerate(rows[1:]):
            row[0] = to_cell(f"{names[place % len(names)]}{place:03d}")
        with file.open("w", newline="", encoding="utf-8") as handle:
            csv.writer(handle).writerows(rows)
    metrics = json.loads((run / "metrics.json").read_text())
    metrics["training"]["model"] = names[7]
    metrics["data"] |= {"name": names[8], "fingerprint": names[9], "split_hash": names[10]}
    measures = metrics["test"]["source_type"]
    metrics["baselines"] = {"source_type": {name: {"test": measures, "val": measures} for name in names}}
    metrics["strongest_baseline"] = {"source_type": {"name": names[11], "chosen_on": names[0], "test": measures}}
    (run / "metrics.json").write_text(json.dumps(metrics))
    (run / "environment.json").write_text(json.dumps({"git": {"commit": names[number], "dirty": False}}))
    table = run / "tables" / "source_type_test_error_against.csv"
    table.write_text(table.read_text().replace('"magnitude"', '"' + names[1].replace('"', '""') + '"'))
    (run / "figures").mkdir()
    for end in ("seen", "test_gradcam"):
        matplotlib.image.imsave(run / "figures" / f"{in_a_path(names[number])}_{end}.png", np.zeros((4, 4)))
    pictures = [(f"{names[i % len(names)]}{i:03d}", np.full((3, 8, 8), i, np.uint8)) for i in range(48)]
    write_thumbnails(run / "figures" / "thumbnails_test.json", pictures)


def clusters(folder: Path, names: Sequence[str]) -> Path:
    """Clustering runs in folders, of events and with one run left out called like ``names``."""
    events = three_groups(120)[0]
    # Events are drawn by the order of their names, which must be that of the twin.
    ids = [f"{i:03d}{names[i % len(names)]}" for i in range(len(events))]
    for k in (2, 3):
        for seed in (1, 2):
            make_run(folder / "runs" / f"{in_a_path(names[k])}{seed}", events, k, seed, ids=ids)
    for name in names:
        make_run(folder / "runs" / in_a_path(name), events[:60], 2, 3, ids=ids[:60])
        (folder / "runs" / in_a_path(name) / "features.npz").write_bytes(b"none")
    assert main(["clusters", str(folder / "runs"), "--out", str(folder / "report")]) == 0
    return folder / "report" / "clusters.html"


PAGES: dict[str, Callable[[Path, Sequence[str]], Path]] = {
    "audit": audit, "compare": comparison, "clusters": clusters,
}  # fmt: skip


@pytest.fixture(scope="module", params=PAGES)
def twins(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A report on hostile names, and one on plain names that is the same otherwise."""
    make, top = PAGES[request.param], tmp_path_factory.mktemp(request.param)
    return make(top / "a", HOSTILE_NAMES), make(top / "b", PLAIN_NAMES)


def test_no_element_or_attribute_of_a_page_comes_from_data(twins: tuple[Path, Path]) -> None:
    page, twin = (path.read_text(encoding="utf-8") for path in twins)
    assert holds_nothing_foreign(page, twin)


def test_every_name_can_be_read_on_a_page(twins: tuple[Path, Path]) -> None:
    page = twins[0].read_text(encoding="utf-8")
    names = [in_a_path(name) for name in HOSTILE_NAMES] if "clusters" in twins[0].name else HOSTILE_NAMES
    assert unread(page, names) == []
    assert unread(twins[1].read_text(encoding="utf-8"), names) == names


def test_tables_beside_a_page_compute_nothing_and_steer_nothing(twins: tuple[Path, Path]) -> None:
    tables = list(twins[0].parent.glob("*.csv"))
    for table in tables:
        cells = [cell for row in csv.reader(io.StringIO(table.read_text(), newline="")) for cell in row]
        assert not [cell for cell in cells if cell.startswith(("=", "@", "\t", "\r", "\n"))], table
    assert tables or "audit" in twins[0].name


def rendered(markdown: str) -> Page:
    """Markdown as pages such as GitHub's show it, where markup within the text counts."""
    package = pytest.importorskip("markdown_it", reason="markdown-it-py is not installed")
    return Page(package.MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(markdown))


def is_plain_markdown(text: str, twin: str) -> bool:
    found, wanted = rendered(text), rendered(twin)
    differ = [(a, b) for a, b in zip(found.elements, wanted.elements, strict=False) if a != b]
    assert not differ and len(found.elements) == len(wanted.elements), (differ[:3], text)
    assert found.odd == wanted.odd and not STEERING.search(text)
    return True


def test_markdown_beside_a_page_is_text(twins: tuple[Path, Path]) -> None:
    for path in twins[0].parent.glob("*.md"):
        assert is_plain_markdown(path.read_text(), (twins[1].parent / path.name).read_text())


def atlas(folder: Path, names: Sequence[str]) -> str:
    """The report of a preset whose stages, runs and errors are called like ``names``."""
    stages = [Stage("offset_models", names[0], "careful", ["A-33"], sweep={"model": list(names[:3])})]
    stages += [Stage(f"{name}x", name, "paper", [names[1]]) for name in names]
    done = {f"{name}x": Done("failed", {}, name, 1.0) for name in names}
    complete = {"split.stratify": False, "split.refit": False, "split.test_fraction": 0.2, "split.val_fraction": 0.3}
    complete |= {"view.width": 32, "trainer.max_epochs": 5}
    about = SCALAR | {"name": names[10]}
    runs = [str(fake_run(folder / f"{number} {in_a_path(name)}", complete | {"model.name": name}, about=about,
                         skill=0.9 - 0.2 * number)) for number, name in enumerate(names[:3])]  # fmt: skip
    done["offset_models"] = Done("finished", {"runs": runs}, "", 1.0)
    preset = Preset(names[2], " ".join(names), [], stages)
    return write_report(preset, done, folder / "atlas", folder).read_text()


def test_the_report_of_the_atlas_is_text(tmp_path: Path) -> None:
    text = atlas(tmp_path / "a", HOSTILE_NAMES)
    assert is_plain_markdown(text, atlas(tmp_path / "b", PLAIN_NAMES))
    said = rendered(text).said()
    assert not [name for name in HOSTILE_NAMES if STEERING.search(name) is None and one_line(name) not in said]


def results(names: Sequence[str]) -> str:
    measure = Measure(0.5, 0.4, 0.6, 10)
    rows = [ResultRow(name, {"accuracy": measure}, name) for name in names]
    runs = [RunRow(name, 1, measure, measure, 1.0, name) for name in names]
    return results_table(rows, "markdown") + "\n\n" + architecture_table(runs, "markdown")


def test_tables_of_results_are_text_and_have_a_row_a_name() -> None:
    text = results(HOSTILE_NAMES)
    assert is_plain_markdown(text, results(PLAIN_NAMES))
    for name in HOSTILE_NAMES:
        lines = results_table([ResultRow(name, {}, name)], "text").splitlines()
        assert len(lines) == 3 and not any(map(STEERING.search, lines))


@pytest.mark.parametrize("name", HOSTILE)
def test_names_in_figures_are_drawn_as_they_are(name: str) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    text = plain_text(f"{HOSTILE[name]}$x_1$")
    figure = Figure()
    axes = figure.subplots()
    axes.plot([0, 1], label=text)
    axes.set_title(text)
    legend = axes.legend()
    FigureCanvasAgg(figure).draw()
    assert [entry.get_text() for entry in legend.get_texts()] == [text], "names that begin with _ are not left out"
    assert "\n" not in text and not STEERING.search(text)


def test_quakeml_is_valid_whatever_events_are_called(tmp_path: Path) -> None:
    from obspy import read_events
    from obspy.io.quakeml.core import _validate

    names = [name.strip() for name in HOSTILE_NAMES]
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(["event_id", "station_id", "station_latitude_deg", "station_longitude_deg", "offset_km"])
    for name in names:
        writer.writerows([to_cell(name), to_cell(name), 2.0 * (i % 2), 2.0 * (i // 2), 157.0] for i in range(4))
    (tmp_path / "obs.csv").write_text(table.getvalue(), newline="")
    words = ["--out", str(tmp_path / "loc.csv"), "--quakeml", str(tmp_path / "loc.xml")]
    assert main(["locate", str(tmp_path / "obs.csv"), *words]) == 0
    assert _validate(str(tmp_path / "loc.xml"))
    events = read_events(str(tmp_path / "loc.xml"))
    said = [event.event_descriptions[0].text for event in events]
    assert len({event.resource_id.id for event in events}) == len(names) == len(said)
    for name in names:
        assert one_line(STEERING.sub(" ", name)).strip() in [one_line(text).strip() for text in said], name
    for path in (tmp_path / "loc.csv", tmp_path / "loc.rejected.csv"):
        cells = [cell for row in csv.reader(io.StringIO(path.read_text(), newline="")) for cell in row]
        assert not [cell for cell in cells if cell.startswith(("=", "@", "\t", "\r", "\n"))]


def forecasts(folder: Path, names: Sequence[str]) -> str:
    """The section of a comparison on forecasts whose models, data, references and leaks are called like ``names``."""
    runs, measure = [], Measure(0.5, 0.4, 0.6, 10).to_dict()
    for number, name in enumerate(names):
        own = {"gain_over": dict.fromkeys(names, measure), "alarms": {"hits": 3, "missed": 4, "area": 0.1}}
        metrics = {
            "training": {"model": name, "seed": 1, "seconds": 2.0, "parameters": 9},
            "data": {"name": names[1], "fingerprint": names[2], "split_hash": names[3]},
            "leak": name,
            "test": {"events": {"pr_auc": measure, name: measure}},
            "forecasts": {"forecasts": {"network": own | {"reliability": []}}, "base_rate": 0.01, "events": 5},
        }
        check_forecast(metrics)
        runs.append(StoredRun(folder / f"{number:02d} {in_a_path(name)}", metrics, [name], ForecastResult()))
    return forecasts_section(runs)


def test_forecasts_of_a_comparison_are_text(tmp_path: Path) -> None:
    page, twin = (forecasts(tmp_path, names) for names in (HOSTILE_NAMES, PLAIN_NAMES))
    assert holds_nothing_foreign(page, twin)
    assert unread(page, HOSTILE_NAMES) == []
    own = {"gain_over": {}, "reliability": [], "alarms": {"hits": "<b>", "missed": "x", "area": 0.1}}
    found = {"forecasts": {"network": own}, "base_rate": 0.1, "events": 1}
    training = {"model": "m", "seed": 1, "seconds": 1.0, "parameters": 1}
    data = {"name": "d", "fingerprint": "f", "split_hash": "s"}
    with pytest.raises(NotComparableError, match=r"alarms\.hits is '<b>', not a whole number"):
        check_forecast({"leak": "none", "training": training, "data": data, "test": {"events": {}}, "forecasts": found})


PICK_COLUMNS = (
    *("network", "station", "location", "channels", "phase", "time"),
    *("probability", "amplitude", "amplitude_unit"),
)


def test_picks_of_an_archive_are_valid_quakeml_whatever_stations_are_called(tmp_path: Path) -> None:
    from obspy import read_events

    table = tmp_path / "picks.csv"
    with table.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(PICK_COLUMNS)
        for name in HOSTILE_NAMES:
            code = to_cell(name)
            writer.writerow([code, code, "", "HHZ", "P", "2020-01-01T00:00:01.000000Z", "0.5", "1", code])
    assert write_picks_quakeml(table, tmp_path / "picks.xml") == len(HOSTILE_NAMES)
    (event,) = read_events(str(tmp_path / "picks.xml"))
    assert len(event.picks) == len(HOSTILE_NAMES)


def scored(names: Sequence[str]) -> str:
    """The page about a catalogue of events called like ``names``, against one that holds every second of them."""

    def called(chosen: Sequence[str], times_s: np.ndarray) -> Events:
        n = len(chosen)
        zero, one = np.zeros(n), np.ones(n)
        time_ns = (times_s * 1e9).astype(np.int64)
        return Events(np.array(chosen, object), time_ns, zero + 38, zero + 20, 8 * one, one, np.ones(n, bool))

    times_s = 100.0 * np.arange(len(names))
    judged, reference = called(names, times_s), called(names[::2], times_s[::2])
    return score_page(names[0], judged, reference, score_catalogue(judged, reference))


def test_ids_of_events_are_text_on_the_page_of_a_catalogue() -> None:
    page = scored(HOSTILE_NAMES)
    assert holds_nothing_foreign(page, scored(PLAIN_NAMES))
    assert unread(page, HOSTILE_NAMES) == []


MARKUP = re.compile(r"<(td|th|tr|svg|html|div|p|table|text|figure|section)[ >]|\"markdown\"|mimetype|wandb\.Html")


def test_nobody_writes_markup_past_these_pages() -> None:
    """Who writes a page that is new here has its names in a test first: above, of reviews or of notebooks."""
    package = Path(seisvision.__file__).parent
    writers = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if any(MARKUP.search(line) for line in path.read_text(encoding="utf-8").splitlines())
    }
    comparing = {"more_sections", "page", "samples", "sections", "tables"}
    assert writers == {
        "data/audit/page.py", "data/audit/svg.py", "evaluation/tables.py", "atlas/agreement.py", "atlas/report.py",
        "experiments/clustering/comparing.py", "experiments/clustering/report/page.py",
        "experiments/clustering/report/report.py", "experiments/forecasting/comparing.py", "pages/charts.py",
        "archives/quakeml.py", "reviewing/page.py", "api/shown.py", "cataloguing/score_page.py",
        *(f"reports/comparing/{name}.py" for name in comparing),
    }  # fmt: skip
