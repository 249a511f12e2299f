"""Recipes of the import: what is understood, and what is refused with which words."""

from pathlib import Path

import pytest

from seisvision.data.importing.recipe import build_recipe, load_recipe
from seisvision.errors import ConfigurationError

CONF = Path(__file__).resolve().parents[2] / "conf" / "import"
SOURCE = {"waveforms": "w", "events": "e.csv"}


@pytest.mark.parametrize("path", sorted(CONF.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_recipes_load_and_hold_no_machine_path(path):
    loaded = load_recipe(path, root="SOMEWHERE")
    assert loaded.name == path.stem
    assert all(pattern.startswith("SOMEWHERE/") for source in loaded.sources for pattern in source.waveforms)
    assert all(source.licence != "not stated" and source.citation != "not stated" for source in loaded.sources)


def test_root_must_be_named():
    with pytest.raises(ConfigurationError, match="--root DIR"):
        load_recipe(CONF / "pnw_exotic.yaml")


def test_settings_can_be_changed_from_the_command_line():
    loaded = load_recipe(CONF / "pnw_exotic.yaml", "x", ["window.length_s=90", "processing.band_hz=[2,8]"])
    assert loaded.window.length_s == 90
    assert loaded.processing.band_hz == (2, 8)
    assert loaded.window.before_s == 20


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"procesing": {}}, "Did you mean 'processing'"),
        ({"processing": {"rate": 20}}, "no setting 'rate'.*rate_hz"),
        ({"processing": {"rate_hz": 20, "band_hz": [1, 10]}}, "9 Hz"),
        ({"processing": {"components": "ENZ"}}, "in that order"),
        ({"processing": {"max_gap_s": "long"}}, "must be a number"),
        ({"window": {"reference": "orgin"}}, "Did you mean 'origin'"),
        ({"window": {"length_s": 0}}, "length_s must be positive"),
        ({"quality": {"clipped": "maybe"}}, "flag, reject"),
    ],
)
def test_contradictions_are_refused(section, message):
    with pytest.raises(ConfigurationError, match=message):
        build_recipe({"name": "x", "sources": [SOURCE]} | section)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"association": {"by": "names"}}, "Did you mean 'name'"),
        ({"response": "yes"}, "none, remove"),
        ({"licence_": "MIT"}, "Did you mean 'licence'"),
        ({"waveforms": []}, "names no waveforms"),
    ],
)
def test_sources_are_checked(source, message):
    with pytest.raises(ConfigurationError, match=message):
        build_recipe({"name": "x", "sources": [SOURCE | source]})


def test_source_names_must_differ():
    with pytest.raises(ConfigurationError, match="must differ"):
        build_recipe({"name": "x", "sources": [SOURCE | {"name": "a"}, SOURCE | {"name": "a"}]})


def test_broken_yaml_is_told(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text("sources: [")
    with pytest.raises(ConfigurationError, match="is not readable YAML"):
        load_recipe(path)
    with pytest.raises(ConfigurationError, match="not found"):
        load_recipe(tmp_path / "none.yaml")


CHANGED = [
    (["association.before_s=40"], lambda recipe: [one.association.before_s for one in recipe.sources], [40, 40]),
    (["sources.b.association.after_s=7"], lambda recipe: [one.association.after_s for one in recipe.sources], [120, 7]),
    (["sources.0.unit=m/s"], lambda recipe: [one.unit for one in recipe.sources], ["m/s", None]),
    (["picks=events"], lambda recipe: [one.picks for one in recipe.sources], ["e.csv", "e.csv"]),
    (["source_type=blast"], lambda recipe: [one.source_type for one in recipe.sources], ["blast", "blast"]),
    (["channel_codes.UD=HHZ"], lambda recipe: [one.channel_codes for one in recipe.sources], [{"UD": "HHZ"}] * 2),
    (["quality.min_stations=3"], lambda recipe: recipe.quality.min_stations, 3),
    (["window.per_station=true", "window.length_s=8"], lambda recipe: recipe.window.per_station, True),
    (["onset_band_hz=[1,5]"], lambda recipe: recipe.onset_band_hz, (1, 5)),
    (["name=2009", "seed=5", "description=of a test"], lambda recipe: (recipe.name, recipe.seed), ("2009", 5)),
]


@pytest.mark.parametrize(("changes", "look", "expected"), CHANGED, ids=lambda value: str(value)[:30])
def test_every_setting_of_a_recipe_may_be_changed_also_one_it_does_not_have_yet(tmp_path, changes, look, expected):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "sources: [{name: a, waveforms: w, events: e.csv}, {name: b, waveforms: [v], events: e.csv}]", encoding="utf-8"
    )
    assert look(load_recipe(path, changes=changes)) == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("association.before=40", "no setting 'before'. Did you mean 'before_s'"),
        ("association.before_s=soon", "association.before_s='soon' must be a number"),
        ("sources.c.unit=m", "Allowed: a, b"),
        ("window", "must be KEY=VALUE"),
        ("window.per_station=maybe", "per_station='maybe' must be true or false"),
        ("window.length_s=.nan", "must be a number"),
        ("processing.corners=2.5", "a whole number"),
        ("processing.band_hz=[1]", "a list of 2, each number"),
        ("processing.channels=HH", "a list, each text"),
        ("quality=5", "quality must be a mapping"),
        ("picks=[a]", "picks=.* must be a text or null"),
        ("seed=today", "seed='today' must be a whole number"),
    ],
)
def test_changes_that_no_recipe_may_have_are_refused_in_one_line(tmp_path, change, message):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "sources: [{name: a, waveforms: w, events: e.csv}, {name: b, waveforms: v, events: e.csv}]", encoding="utf-8"
    )
    with pytest.raises(ConfigurationError, match=message) as told:
        load_recipe(path, changes=[change])
    assert len(str(told.value).splitlines()) == 1


def test_the_settings_of_one_source_without_a_recipe_may_be_changed(tmp_path, capsys):
    from seisvision.cli import main

    words = ["data", "import", "--waveforms", str(tmp_path), "--events", "nowhere.csv", "--out", str(tmp_path / "set")]
    assert main([*words, "--set", "association.before_s=40"]) == 1
    assert "no waveform file" in capsys.readouterr().err, "the setting is understood"
    assert main([*words, "--set", "association.before=40"]) == 2
    assert "before_s" in capsys.readouterr().err
