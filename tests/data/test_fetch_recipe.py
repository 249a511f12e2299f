"""Recipes of the fetch: what is refused, how it is said, and what decides which set it is."""

import argparse
from pathlib import Path

import pytest
from recorded_trees import write_events

from seisvision.commands.sets import data_fetch as command
from seisvision.data.fetching.recipe import build_recipe, load_recipe
from seisvision.data.fetching.servers import read_server
from seisvision.errors import ConfigurationError

CONF = Path(__file__).resolve().parents[2] / "conf" / "fetch"
PLAIN = {
    "name": "plain",
    "servers": ["http://127.0.0.1:8080"],
    "events": [{"name": "quakes", "query": {"starttime": "2020-01-01"}}],
    "stations": {"radius_km": [0, 100]},
}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"servers": ["GEOFONE"]}, r"servers\[0\]='GEOFONE' is no data centre.*Did you mean 'GEOFON'"),
        ({"servers": ["ftp://x.org"]}, r"'ftp://x.org' must be an address"),
        ({"servers": [{"base": "IRIS", "waveforms": "x"}]}, r"servers\[0\] has no setting 'waveforms'"),
        ({"servers": [{"station": "http://a/b"}]}, r"servers\[0\] needs 'base'"),
        ({"servers": []}, "needs 'servers'"),
        ({"events": None}, "needs 'events'"),
        ({"events": [{"name": "x"}]}, r"events\[0\] needs either 'file' or 'query'"),
        ({"events": [{"query": {"minmag": 3}}]}, r"events\[0\].query has no setting 'minmag'.*minmagnitude"),
        ({"events": [{"file": "none.csv"}]}, "file 'none.csv' of events 'events0' not found.*--root"),
        ({"events": ["quakes"]}, r"events\[0\] must be a mapping"),
        ({"stations": {}}, "one of file, radius_km"),
        ({"stations": {"radius_km": [100, 0]}}, r"radius_km=\(100, 0\) must be two rising"),
        ({"stations": {"box_deg": [1, 2, 3]}}, "must be .south, north, west, east."),
        ({"stations": {"radius_km": [0, 9], "channels": ["HHZ"]}}, "holds 'HHZ'"),
        ({"stations": {"radius_km": [0, 9], "networks": "UW"}}, "stations.networks='UW' must be a list"),
        ({"stations": {"radius_km": [0, 9], "networks": [False]}}, "put codes such as NO"),
        ({"stations": {"radius_km": [0, 9], "maximum": 0}}, "stations.maximum=0"),
        ({"stations": {"radius_km": [0, 9], "choice": "far"}}, "stations.choice='far' is not allowed"),
        ({"stations": {"radius": [0, 9]}}, "stations has no setting 'radius'. Did you mean 'radius_km'"),
        ({"span": {"reference": "onset"}}, "span.reference='onset' is not allowed"),
        ({"span": {"earth_model": "ak135x"}}, "Did you mean 'ak135'"),
        ({"span": {"before_s": "30 s"}}, "span.before_s='30 s' must be a number"),
        ({"span": {"before_s": -10, "after_s": 5}}, "before it starts"),
        ({"requests": {"max_concurrent": 20}}, "max_concurrent=20 must be a whole number from 1 to 5"),
        ({"requests": {"attempts": 0}}, "requests.attempts=0"),
        ({"requests": {"timeout_s": 0}}, "timeout_s=0 must be positive"),
        ({"requests": {"min_interval_s": -1}}, "min_interval_s=-1 must not be negative"),
        ({"response": "all"}, "response of source 'quakes'='all' is not allowed"),
        ({"processing": {"components": "EN"}}, "processing.components='EN'"),
        ({"windows": {}}, "recipe has no setting 'windows'. Did you mean 'window'"),
        (
            {"window": {"reference": "origin", "before_s": 20, "length_s": 300}},
            "from 20 s before to 280 s after .* only from 60 s to 180 s; raise span",
        ),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(changes, message):
    with pytest.raises(ConfigurationError, match=message):
        build_recipe(PLAIN | changes)


def test_data_centres_by_name_by_address_and_by_service():
    assert read_server("GEOFON", "x").url("dataselect").endswith("gfz.de/fdsnws/dataselect/1/query")
    assert read_server("http://127.0.0.1:80/", "x").url("event") == "http://127.0.0.1:80/fdsnws/event/1/query"
    mixed = read_server({"base": "USGS", "station": "http://127.0.0.1:1/st"}, "x")
    assert mixed.url("station") == "http://127.0.0.1:1/st/query" and "usgs.gov" in mixed.url("event")
    assert mixed.name == "USGS"


def test_the_fingerprint_follows_what_is_asked_for_and_the_files_but_not_the_manners(tmp_path):
    events = write_events(tmp_path / "events.csv", ["a", "b"])
    plain = PLAIN | {"events": [{"name": "list", "file": str(events)}]}
    first = build_recipe(plain).fingerprint()
    assert build_recipe(plain | {"requests": {"attempts": 9}}).fingerprint() == first
    assert build_recipe(plain | {"span": {"after_s": 99}}).fingerprint() != first
    write_events(events, ["a", "c"])
    assert build_recipe(plain).fingerprint() != first


def test_settings_may_stand_anywhere_in_the_command():
    parser = argparse.ArgumentParser()
    command.add_arguments(parser.add_subparsers().add_parser("fetch"))
    words = ["fetch", "r.yaml", "seed=1", "--out", "set", "span.after_s=9", "--dry-run", "name=x"]
    args = parser.parse_args(words)
    assert (args.recipe, args.out, args.dry_run) == ("r.yaml", "set", True)
    assert args.changes == ["seed=1", "span.after_s=9", "name=x"]
    with pytest.raises(ConfigurationError, match="'span' is no setting"):
        command.run(argparse.Namespace(changes=["span"]))


def test_the_recipes_that_come_along_are_sound(tmp_path):
    write_events(tmp_path / "greenland_events.csv", ["a"])
    write_events(tmp_path / "exotic_events.csv", ["b"])
    recipes = {path.stem: load_recipe(path, str(tmp_path)) for path in sorted(CONF.glob("*.yaml"))}
    assert set(recipes) == {"greenland", "pnw_exotic", "socal_blasts"}
    for name, recipe in recipes.items():
        assert recipe.name == name and recipe.citation != "not stated" and recipe.window is not None
        assert recipe.requests.max_concurrent <= 3 and recipe.requests.min_interval_s >= 0.2
