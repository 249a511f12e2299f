"""Paths of any letters reach Hydra as they are, unquoted on the command line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import ready_python
from hydra.core.override_parser.overrides_parser import OverridesParser
from tiny_runs import ROOT

from seisvision.records.words.quoting import quoted_paths

NAMES = [
    "epoch=3-step=100 (ä).ckpt",
    "run [1], best.ckpt",
    "{last}.ckpt",
    "it's mine.ckpt",
    'the "best" one.ckpt',
    """both ' and " =.ckpt""",
    "a,b.ckpt",
    "back\\slash=\\",
    "12345e6789",
    "0123456",
    "true",
    "grønland/été=1/最好.ckpt",
    "a:b=c;d&e|f%g#h",
    " blank before and after= ",
]


def _value(word: str) -> object:
    return OverridesParser.create().parse_override(word).value()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("key", ["ckpt", "dataset.source.path", "system.runs_dir", "+offset_ckpt"])
def test_a_path_that_exists_arrives_as_it_is(
    name: str, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    for words in ([f"{key}={name}"], ["-m", f"{key}={name}"]):
        (word,) = (word for word in quoted_paths(words) if word != "-m")
        assert _value(word) == name


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("system.runs_dir=new (2)/a=1", "new (2)/a=1"),
        ("system.data_dir=2024", "2024"),
        ("system.runs_dir=one,two", "one,two"),
        ("ckpt=gone=3.ckpt", "gone=3.ckpt"),
        ("ckpt=[a=1.ckpt,b (2).ckpt]", ["a=1.ckpt", "b (2).ckpt"]),
        ("ckpt='already=quoted'", "already=quoted"),
        ("system.scratch=null", None),
    ],
)
def test_what_does_not_exist_is_quoted_where_it_cannot_be_read(word: str, value: object) -> None:
    assert _value(quoted_paths([word])[0]) == value


@pytest.mark.parametrize(
    "word",
    [
        "ckpt=runs/default/3f2a9c01de",
        "ckpt=[a.ckpt,b.ckpt]",
        "ckpt=${oc.env:HOME}/a=1",
        "optimizer.lr=1e-3",
        "name=a=b",
        "dataset.labels.source_type={a: [x], b: [y]}",
        "--help",
        "~logger",
        "ckpt=",
    ],
)
def test_other_words_stay(word: str) -> None:
    assert quoted_paths([word]) == [word]


def test_a_sweep_takes_commas_for_choices() -> None:
    assert quoted_paths(["-m", "dataset.source.path=a,b"])[1] == "dataset.source.path=a,b"
    assert quoted_paths(["-m", "dataset.source.path=a=1,b"])[1] == "dataset.source.path='a=1',b"


@pytest.mark.parametrize(
    ("script", "word", "said"),
    [
        ("evaluate.py", "ckpt=no=such (ä).ckpt", "There is no checkpoint no=such (ä).ckpt"),
        ("train.py", "name=a=b", """quotes of its own, inside those of the shell: 'name="a=b"'."""),
    ],
)
def test_the_command_line_answers_in_one_message(script: str, word: str, said: str, tmp_path: Path) -> None:
    done = ready_python.run([sys.executable, ROOT / script, word], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode in (1, 2) and "Traceback" not in done.stderr
    assert said in done.stderr
