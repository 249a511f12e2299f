"""YAML that may come from a stranger: bombs of aliases, depth, objects and references end in one line."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml
from omegaconf._utils import get_yaml_loader

from seisvision.data.importing.recipe import load_recipe
from seisvision.errors import ConfigurationError, SeisvisionError
from seisvision.records.folder import RunFolder
from seisvision.records.telling import run_names
from seisvision.records.winner import is_selection
from seisvision.yaml_files import FAST_LOADER, read_yaml

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
BOMBS = {
    "aliases": (LAUGHS, "its aliases stand for more than"),
    "depth": ("a: " + "[" * 100_000, "nested deeper than 64 levels"),
    "blocks": ("- " * 5_000 + "a", "nested deeper than 64 levels"),
    "itself": ("a: &a [*a]", r"its alias \*a stands within itself"),
    "object": ("a: !!python/object/apply:os.system ['touch x']", "is not readable YAML"),
    "no yaml": ("a: [1\n", "is not readable YAML"),
    "control": ("a: \0", "is not readable YAML"),
    "large": ("a: " + "x" * 5_000_000, "no settings are|larger than"),
}


@pytest.mark.parametrize(("content", "said"), BOMBS.values(), ids=BOMBS)
@pytest.mark.parametrize("read", [read_yaml, lambda path: read_yaml(path, FAST_LOADER), load_recipe])
def test_bombs_are_refused_in_one_line(read, content: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(content)
    started = time.monotonic()
    with pytest.raises(ConfigurationError, match=said) as refused:
        read(path)
    assert "\n" not in str(refused.value) and refused.value.exit_code == 2
    assert time.monotonic() - started < 30


def test_honest_aliases_and_numbers_are_read(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("a: &a {rate: 1e-3}\nb: *a\nc: {<<: *a, d: [1, null, yes]}\n")
    assert read_yaml(path) == {"a": {"rate": 1e-3}, "b": {"rate": 1e-3}, "c": {"rate": 1e-3, "d": [1, None, True]}}


@pytest.mark.parametrize(
    "text",
    [
        "a: 1e-3\nb: .5\nc: 1_000\nd: 2020-01-01\ne: ~\nf: yes\ng: 1:30\nh: .inf\ni: é\nj: 0x1f\nk: 007\nl: '1e3'\n",
        "a: 'it''s' # c\nb: \"\\u00e9\"\nc: |\n  x\n  y\nd: >-\n  u\n  v\n? z\n: 3\n",
        "base: &b {q: 1, r: [a, 1.0]}\nnext:\n  <<: *b\n  q: ${base.q}\n",
        "",
    ],
    ids=["numbers", "texts", "merges", "nothing"],
)
def test_settings_are_read_as_hydra_reads_them(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    assert repr(read_yaml(path)) == repr(yaml.load(text, Loader=get_yaml_loader()))


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("a: 1\nb: {c: 1, c: 2}\n")
    with pytest.raises(ConfigurationError, match="not readable YAML"):
        read_yaml(path)


def test_a_recipe_does_not_read_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "hunter2")
    path = tmp_path / "recipe.yaml"
    path.write_text("name: x\ndescription: ${oc.env:SECRET}\nsources: [{waveforms: '${root}/x', events: e.csv}]\n")
    with pytest.raises(ConfigurationError, match=r"oc\.env:SECRET.* would be looked up on this machine"):
        load_recipe(path, root=str(tmp_path))
    path.write_text("name: x\nsources: [{waveforms: '${root}/x', events: e.csv}]\n")
    assert load_recipe(path, root="there").sources[0].waveforms == ("there/x",)


def test_what_was_typed_in_a_strangers_run_is_not_looked_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "hunter2")
    folders = []
    for name in ("a", "b"):
        folder = RunFolder(tmp_path / name)
        folder.path.mkdir()
        folder.overrides_file.write_text(f"- name=${{oc.env:SECRET}}{name}\n")
        folder.metrics_file.write_text('{"training": {"model": "m", "seed": 1}}')
        folders.append(folder)
    assert is_selection(folders)
    assert run_names(folders)[0] == "m (seed 1) name=${oc.env:SECRET}a"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("name: ${oc.env:HOME}", "would be looked up on this machine"),
        ("- a", "is no configuration of a run"),
        (LAUGHS, "its aliases stand for more than"),
    ],
)
def test_a_stored_configuration_is_plain(content: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(content)
    with pytest.raises(SeisvisionError, match=said):
        RunFolder(tmp_path).config()
