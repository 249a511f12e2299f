"""The examples of the page on Python and the notebooks run, one after the other, as they stand there.

The notebooks are executed without a kernel, for Jupyter is no dependency of the tests. All share one folder, in which a
run that is asked for again is found.
"""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest
from tiny_runs import ROOT

import seisvision as sv

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def folder(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all of them run, with the sets that other tests have made."""
    path = tmp_path_factory.mktemp("python_page")
    (path / "data").mkdir()
    for made in data_dir.glob("synthetic-*"):
        (path / "data" / made.name).symlink_to(made)
    return path


def cells(notebook: Path) -> list[str]:
    book = json.loads(notebook.read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in book["cells"] if cell["cell_type"] == "code"]


def shown(cell: str, name: str, known: dict[str, object]) -> object:
    """Execute a cell as a notebook does; the value of its last line where that is an expression."""
    tree = ast.parse(cell, name)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, name, "exec"), known)
    return eval(compile(ast.Expression(last.value), name, "eval"), known) if isinstance(last, ast.Expr) else None


def test_its_examples_run_in_their_order(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 5
    monkeypatch.chdir(folder)
    known: dict[str, object] = {}
    for number, block in enumerate(blocks):
        exec(compile(block, f"python.md, example {number + 1}", "exec"), known)
    for name in ("section.png", "predictions.csv", "report.html"):
        assert (folder / name).stat().st_size > 100


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_run(notebook: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    known: dict[str, object] = {}
    values = [shown(cell, f"{notebook.name}, cell {i}", known) for i, cell in enumerate(cells(notebook))]
    told = [value for value in values if value is not None]
    assert len(told) >= 2 and all(repr(value) for value in told)
    if notebook.stem == "own_data":
        assert len(known["own"]) == 16 and (folder / "answers.csv").read_text().startswith("source_id")  # type: ignore[arg-type]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_stored_without_outputs(notebook: Path) -> None:
    assert len(NOTEBOOKS) == 3 and notebook.stat().st_size < 100_000
    book = json.loads(notebook.read_text(encoding="utf-8"))
    code = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
    assert code and all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


def test_it_names_what_the_package_offers() -> None:
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `sv\.(\w+)\(", page, re.MULTILINE)) == set(sv.__all__)
