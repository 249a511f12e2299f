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
