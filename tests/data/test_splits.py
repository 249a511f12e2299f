"""Sizes as published, no leaks, same draw every time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seisvision.data.splitting.splits import Split, check_leakage, make_split
from seisvision.errors import ConfigurationError, DataError, LeakageError


def events(n: int, n_cells: int = 12, seed: int = 0) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    days = draw.permutation(n)
    return pd.DataFrame(
        {
            "source_type": np.where(draw.random(n) < 0.2, "glacial", "tectonic"),
            "source_cell": [f"c{cell}" for cell in draw.zipf(1.5, n) % n_cells],
            "source_origin_time": [str(pd.Timestamp("2000-01-01", tz="UTC") + pd.Timedelta(days=int(d))) for d in days],
        },
        index=pd.Index([f"ev{i:04d}" for i in range(n)], name="source_id"),
    )


def sizes(split: Split) -> dict[str, int]:
    return {part: len(ids) for part, ids in split.parts.items()}


@pytest.mark.parametrize(
    ("n", "train", "val"), [(881, 492, 212), (882, 493, 212), (883, 494, 212), (884, 494, 213), (885, 495, 213)]
)
def test_published_sizes(n: int, train: int, val: int) -> None:
    split = make_split(events(n))
    assert sizes(split) == {"train": train, "val": val, "test": 177}
    assert split.seed == 3407 and split.unit == "event"


def test_the_draw_depends_on_the_seed_alone() -> None:
    table = events(100)
    assert make_split(table) == make_split(table.copy())
    assert make_split(table).hash == make_split(table).hash != make_split(table, seed=1).hash
    assert list(make_split(table).parts["test"]) != sorted(table.index)[:20]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("stratify_by", [None, "source_type"])
@pytest.mark.parametrize("by", ["source_cell", "event"])
def test_groups_stay_whole_and_parts_near_their_share(seed: int, stratify_by: str | None, by: str) -> None:
    table = events(400, n_cells=40, seed=seed)
    split = make_split(table, by=by, stratify_by=stratify_by, seed=seed)
    everything = [name for ids in split.parts.values() for name in ids]
    assert sorted(everything) == sorted(table.index)
    cells = {part: set(table.loc[list(ids), "source_cell"]) for part, ids in split.parts.items()}
    if by == "source_cell":
        assert not (cells["train"] & cells["val"] | cells["train"] & cells["test"] | cells["val"] & cells["test"])
    largest = table["source_cell"].value_counts().max()
    tolerance = max(0.04, largest / 400 - 0.15) if by == "source_cell" else 0.005
    for part, share in (("test", 0.2), ("val", 0.24), ("train", 0.56)):
        assert len(split.parts[part]) / 400 == pytest.approx(share, abs=tolerance)


def test_strata_keep_their_share_exactly_where_nothing_is_grouped() -> None:
    table = events(400)
    split = make_split(table, stratify_by="source_type")
    share = (table["source_type"] == "glacial").mean()
    for ids in split.parts.values():
        assert (table.loc[list(ids), "source_type"] == "glacial").mean() == pytest.approx(share, abs=0.01)


def test_rare_classes_reach_every_part() -> None:
    table = events(200, n_cells=60)
    table["source_type"] = ["rare" if i % 20 == 0 else "common" for i in range(200)]
    split = make_split(table, by="source_cell", stratify_by="source_type")
    for ids in split.parts.values():
        assert (table.loc[list(ids), "source_type"] == "rare").any()


@pytest.mark.parametrize("by", ["event", "source_cell"])
def test_folds_share_one_test_part_and_cover_the_rest_once(by: str) -> None:
    table = events(300, n_cells=50)
    folds = [make_split(table, by=by, fold=fold, n_folds=5) for fold in range(5)]
    assert len({split.parts["test"] for split in folds}) == 1
    validated = [name for split in folds for name in split.parts["val"]]
    assert len(validated) == len(set(validated))
    assert set(validated) | set(folds[0].parts["test"]) == set(table.index)
    assert folds[0].parts["test"] == make_split(table, by=by).parts["test"]


def test_time_order() -> None:
    table = events(200)
    split = make_split(table, by="time")
    assert sizes(split) == {"train": 112, "val": 48, "test": 40}
    times = {part: pd.to_datetime(table.loc[list(ids), "source_origin_time"]) for part, ids in split.parts.items()}
    assert times["train"].max() < times["val"].min() and times["val"].max() < times["test"].min()
    table.loc["ev0007", "source_origin_time"] = None
    with pytest.raises(DataError, match="1 rows have no source_origin_time, first 'ev0007'"):
        make_split(table, by="time")


def traces() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "source_id": [f"e{i // 5}" for i in range(200)],
            "station_network_code": "XX",
            "station_code": [f"S{i % 5}{i % 3}" for i in range(200)],
            "source_origin_time": [f"2000-01-{1 + i // 10:02d}T00:00:00Z" for i in range(200)],
        }
    )


@pytest.mark.parametrize("by", ["event", "time"])
def test_traces_of_an_event_stay_together(by: str) -> None:
    table = traces()
    split = make_split(table, by=by, unit="trace")
    found = {part: set(table["source_id"].iloc[[int(i) for i in ids]]) for part, ids in split.parts.items()}
    assert sum(len(members) for members in found.values()) == 40 and all(found.values())


def test_stations_divide_traces_but_not_events() -> None:
    table = traces()
    split = make_split(table, by="station", unit="trace")
    stations = {part: set(table["station_code"].iloc[[int(i) for i in ids]]) for part, ids in split.parts.items()}
    assert sum(len(members) for members in stations.values()) == 15
    with pytest.raises(ConfigurationError, match="one event is recorded by many stations"):
        make_split(events(20), by="station")


def test_leaks_are_refused_by_name() -> None:
    parts = {"train": ("a", "b"), "test": ("c", "d")}
    split = Split(parts)
    check_leakage(split, {"a": "g1", "b": "g2", "c": "g3"})
    with pytest.raises(LeakageError, match=r"1 groups \(event\) lie in more than one part: g1 \(test, train\)"):
        check_leakage(split, {"a": "g1", "c": "g1"})
    with pytest.raises(LeakageError, match=r"1 event ids appear twice in the split: b \(train, val\)"):
        Split({"train": ("a", "b"), "val": ("b",)})
    many = {name: tuple(f"{name}{i}" for i in range(9)) for name in ("train", "val")}
    groups = {name: f"g{name[-1]}" for ids in many.values() for name in ids}
    with pytest.raises(LeakageError, match=r"9 groups \(source_cell\).*g4") as caught:
        Split(many, by="source_cell", group_of=groups)
    assert "g5" not in str(caught.value)


def test_missing_groups_stand_alone(caplog: pytest.LogCaptureFixture) -> None:
    table = events(60, n_cells=30)
    table.loc[table.index[:20], "source_cell"] = None
    split = make_split(table, by="source_cell")
    assert sum(sizes(split).values()) == 60
    assert "20 of 60 rows have no source_cell" in caplog.text


def test_files_keep_split_and_hash(tmp_path: Path) -> None:
    split = make_split(events(50), by="source_cell", seed=7)
    split.save(tmp_path / "sub" / "split.csv")
    text = (tmp_path / "sub" / "split.csv").read_text()
    assert text.startswith(f"# hash: {split.hash}\n") and "id,part,group\n" in text
    loaded = Split.load(tmp_path / "sub" / "split.csv")
    assert loaded == split and loaded.hash == split.hash
    assert [path.name for path in (tmp_path / "sub").iterdir()] == ["split.csv"]


def test_ids_with_commas_and_quotes_survive(tmp_path: Path) -> None:
    split = Split({"train": ('a,"b"', "c d"), "test": ("é", "# hash: no")})
    split.save(tmp_path / "split.csv")
    assert Split.load(tmp_path / "split.csv").parts == split.parts


def test_changed_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "split.csv"
    split = make_split(events(50, n_cells=12), by="source_cell")
    split.save(path)
    text = path.read_text()
    moved = split.parts["test"][0]
    path.write_text("\n".join(line for line in text.splitlines() if not line.startswith(moved)) + "\n")
    with pytest.raises(DataError, match="was changed since it was written"):
        Split.load(path)
    path.write_text(text.replace(f"{moved},test", f"{moved},train"))
    with pytest.raises(LeakageError, match="source_cell"):
        Split.load(path)
    path.write_text("id,part\n")
    with pytest.raises(DataError, match="is not a split file"):
        Split.load(path)
    with pytest.raises(DataError, match="does not exist"):
        Split.load(tmp_path / "other.csv")


def test_a_set_may_bring_its_own_split() -> None:
    table = pd.DataFrame({"source_id": list("aabbc"), "split": ["train", "train", "dev", "dev", "test"]})
    assert Split.from_column(table).parts == {"train": ("a",), "val": ("b",), "test": ("c",)}
    by_trace = Split.from_column(table, unit="trace")
    assert by_trace.parts == {"train": ("0", "1"), "val": ("2", "3"), "test": ("4",)}
    table.loc[1, "split"] = None
    assert Split.from_column(table, unit="trace").parts["train"] == ("0",)
    table.loc[1, "split"] = "test"
    for unit in ("event", "trace"):
        with pytest.raises(LeakageError, match=r"a \("):
            Split.from_column(table, unit=unit)
    table.loc[1, "split"] = "holdout"
    with pytest.raises(DataError, match=r"holds \['holdout'\]; allowed"):
        Split.from_column(table)
    with pytest.raises(DataError, match="no column 'fold'"):
        Split.from_column(table, "fold")


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"test_fraction": 1.0}, ConfigurationError, "test_fraction=1.0"),
        ({"val_fraction": -0.1}, ConfigurationError, "val_fraction=-0.1"),
        ({"fold": 1}, ConfigurationError, "given together"),
        ({"fold": 5, "n_folds": 5}, ConfigurationError, "fold=5"),
        ({"by": "time", "stratify_by": "source_type"}, ConfigurationError, "neither stratified"),
        ({"unit": "image"}, ConfigurationError, "unit='image'"),
        ({"by": "source_cel"}, DataError, "Did you mean 'source_cell'.*split.by=event"),
        ({"stratify_by": "type"}, DataError, "no column 'type'"),
        ({"by": "source_type"}, DataError, "2 groups .* too few: nothing is left for val"),
    ],
)
def test_settings_are_checked(settings: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make_split(events(40), **settings)


def test_parts_may_be_left_out() -> None:
    assert sizes(make_split(events(40), test_fraction=0.0, val_fraction=0.25)) == {"train": 30, "val": 10, "test": 0}
    assert sizes(make_split(events(40), by="source_cell", val_fraction=0.0))["val"] == 0


def test_a_split_by_station_needs_stations_that_recorded_several_events() -> None:
    table = pd.DataFrame({"source_id": [f"e{i // 4}" for i in range(40)], "station_code": [f"S{i}" for i in range(40)]})
    with pytest.raises(DataError, match="would deal traces at random"):
        make_split(table, by="station", unit="trace")
