"""Every command of the documentation is one: it composes, or its parser takes it."""

from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Iterator
from itertools import zip_longest

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf
from tiny_runs import ROOT

from seisvision.cli import build_parser
from seisvision.records.words.quoting import quoted_paths
from seisvision.sweeps.plan import read_plan

COMMAND = re.compile(
    r"(?:python (?P<program>train|evaluate)\.py|(?<!import )seisvision(?= [a-z])) ?(?P<words>.*)", re.DOTALL
)
EXPLAINED = re.compile(r"\s{2,}\S.*$|\s+#\s.*$")
"""What stands behind a command in its line."""
STANDS_FOR = {"<run id>": "0c3f9a1b2d", "<sweep id>": "79e57ec2c0", "dataset=my_set": "dataset=folder"}
STANDS_FOR |= {"model=mine": "model=resnet18", "'tuned=[lr,batch]'": "", "key=value": "seed=1"}
ELLIPSIS = re.compile(r"\S*(?:\.\.\.|…)(?=\s|$)|\$\(.*?\)")
"""Words that leave out what stands there, or are what another command prints."""
PATTERN = re.compile(r"<\w+>|\[--|\[[A-Z]")
"""Lines that show the form of a command."""


def documented() -> Iterator[tuple[str, str, str]]:
    """File, program (empty for seisvision) and words of every command in blocks and within sentences."""
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]:
        text = path.read_text(encoding="utf-8")
        blocks = re.findall(r"```\w*\n(.*?)```", text, re.DOTALL)
        sentences = re.sub(r"```\w*\n.*?```", "", text, flags=re.DOTALL)
        found = [EXPLAINED.sub("", line) for block in blocks for line in re.sub(r" *\\\n *", " ", block).splitlines()]
        found += [re.sub(r"\s+", " ", inline) for inline in re.findall(r"(?<!`)`([^`]+)`(?!`)", sentences)]
        for line in found:
            for part in line.split(" && "):
                if (command := COMMAND.search(part)) and part[: command.start()].count("$(") == 0:
                    words = command["words"]
                    for name, value in STANDS_FOR.items():
                        words = words.replace(name, value)
                    if not PATTERN.search(words):
                        yield path.name, command["program"] or "", ELLIPSIS.sub("", words).strip()


COMMANDS = sorted(set(documented()))


@pytest.fixture(scope="module", autouse=True)
def composing() -> Iterator[None]:
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        yield


def test_the_commands_are_found() -> None:
    assert len(COMMANDS) > 100
    assert {program for _, program, _ in COMMANDS} == {"train", "evaluate", ""}


@pytest.mark.parametrize(("file", "program", "words"), [one for one in COMMANDS if one[1]], ids=lambda one: one)
def test_it_composes(file: str, program: str, words: str) -> None:
    _compose(program, words)


@functools.cache
def _compose(program: str, words: str) -> None:
    """Compose what a command asks for; once, however many pages show it."""
    given = quoted_paths(shlex.split(words))
    overrides = [word for word in given if not word.startswith("-")]
    assert all(word in ("-m", "--help") or "=" in word for word in given)
    if "-m" not in given:
        compose(program, overrides=overrides)
        return
    own = [word for word in overrides if word.startswith(("sweep", "launcher"))]
    over = OmegaConf.to_container(compose(program, overrides=own)["sweep"]).get("over") or {}
    plan = read_plan(overrides, over, _loader())
    assert plan.swept
    # A search draws from its intervals; every value of the others must be one, whatever those of other keys are.
    values = [_values(swept) if swept.is_discrete_sweep() else [f"{key}=1e-4"] for key, swept in plan.swept.items()]
    for point in zip_longest(*values):
        compose(program, overrides=[*plan.fixed, *own, *filter(None, point)])


@pytest.mark.parametrize(("file", "words"), [(one[0], one[2]) for one in COMMANDS if not one[1]], ids=lambda one: one)
def test_the_parser_takes_it(file: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        build_parser().parse_args(shlex.split(words))
    except SystemExit as ended:
        said = capsys.readouterr().err
        # Sentences name a command, or one option of it, without what it is done to.
        assert ended.code == 0 or "arguments are required" in said, said


def _values(swept: object) -> list[str]:
    return [f"{swept.get_key_element()}={value}" for value in swept.sweep_string_iterator()]


def _loader() -> object:
    return GlobalHydra.instance().config_loader()


@pytest.mark.parametrize(
    ("words", "key", "value"),
    [
        (["sweep.over={seed: [1,2], model: [resnet18]}"], "sweep.over", {"seed": [1, 2], "model": ["resnet18"]}),
        (["launcher=slurm", "launcher.sbatch={qos: long, constraint: a100}"], "launcher.sbatch", None),
        (["dataset.select={source_type: [tectonic]}"], "dataset.select", None),
        (["sweep=kfold", "~sweep.over", "+sweep.over={seed: [1,2]}"], "sweep.over", {"seed": [1, 2]}),
        (
            ["dataset=mt_baker", "~dataset.labels.source_type", "+dataset.labels.source_type={a: [x]}"],
            "dataset.labels.source_type",
            {"a": ["x"]},
        ),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_mappings_are_given_in_braces(words: list[str], key: str, value: dict | None) -> None:
    found = OmegaConf.select(compose("train", overrides=words), key)
    assert value is None or found == value


def test_a_deletion_and_what_takes_its_place_both_reach_the_points_of_a_sweep() -> None:
    words = ["~dataset.labels.source_type", "+dataset.labels.source_type={a: [x]}", "seed=1,2"]
    assert read_plan(words, {}).fixed == words[:2]


def test_what_braces_cannot_add_is_told() -> None:
    from hydra.errors import ConfigCompositionException

    from seisvision.runs.hydra_errors import explain_hydra

    words = ["dataset=mt_baker", "dataset.labels.source_type={quake: [earthquake]}"]
    with pytest.raises(ConfigCompositionException) as refused:
        compose("train", overrides=words)
    said = explain_hydra(refused.value, "train", ROOT / "conf", words)
    assert said is not None and "is not a setting" not in said
    assert "'dataset.labels.source_type' holds earthquake, low_frequency" in said
    assert "'~dataset.labels.source_type' and '+dataset.labels.source_type={...}'" in said
