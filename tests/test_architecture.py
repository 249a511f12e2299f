"""Rooms import what lies below them only, and modules do not import in circles: read from every import there is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

import seisvision

Import = ast.Import | ast.ImportFrom
PACKAGE = "seisvision"
ROOT = Path(seisvision.__file__).parent

MAY_IMPORT: dict[str, set[str]] = {
    "base": set(),
    "earth": {"base"},
    "models": {"base"},
    "clustering": {"base"},
    "picking": {"base", "earth"},
    "location": {"base", "earth"},
    "data": {"base", "earth", "picking"},
    "synthesis": {"base", "earth", "data"},
    "views": {"base", "earth", "picking"},
    "evaluation": {"base", "earth", "picking", "location", "data", "views"},
    "catalogues": {"base", "earth", "data"},
    "forecasting": {"base", "earth", "catalogues", "evaluation"},
    "outputs": {"base", "earth", "picking", "evaluation"},
    "tasks": {"base", "earth", "models", "clustering", "views", "outputs"},
    "judging": {"base", "evaluation", "outputs", "tasks", "data"},
    "pages": {"base", "evaluation"},
    "records": {"base", "data", "evaluation", "outputs"},
    "runs": {"base", "evaluation", "records"},
    "experiments": {
        "base",
        "earth",
        "models",
        "clustering",
        "picking",
        "location",
        "data",
        "views",
        "evaluation",
        "catalogues",
        "forecasting",
        "outputs",
        "tasks",
        "judging",
        "pages",
        "records",
        "runs",
    },
    "reports": {"base", "evaluation", "outputs", "judging", "pages", "records", "experiments"},
    "sweeps": {"base", "evaluation", "records", "runs", "experiments"},
    "reviewing": {
        "base",
        "earth",
        "data",
        "evaluation",
        "outputs",
        "pages",
        "records",
        "runs",
        "experiments",
    },
    "archives": {"base", "earth", "picking", "data", "evaluation", "location", "records", "experiments", "sweeps"},
    "atlas": {"base", "clustering", "evaluation", "records", "runs", "experiments", "reports", "sweeps"},
    "api": {
        "base",
        "earth",
        "data",
        "evaluation",
        "outputs",
        "records",
        "runs",
        "experiments",
        "reports",
        "archives",
    },
    "cataloguing": {
        "base",
        "earth",
        "picking",
        "location",
        "data",
        "evaluation",
        "catalogues",
        "pages",
        "records",
        "sweeps",
        "archives",
    },
    "commands": {
        "base",
        "earth",
        "location",
        "data",
        "synthesis",
        "evaluation",
        "catalogues",
        "forecasting",
        "records",
        "runs",
        "experiments",
        "reports",
        "sweeps",
        "reviewing",
        "archives",
        "atlas",
        "api",
        "cataloguing",
    },
}
"""Rooms from the ground up, and the rooms that each may import. Only what stands above a line may stand in it."""

PLACES = {"data.synthesis": "synthesis", "data.synthesis_local": "synthesis", "cli": "commands"}
"""Rooms that are not called like their folder. Other modules beside the folders are ground nouns: room ``base``."""

STILL_UP: dict[tuple[str, str], str] = {
    ("tasks.deep_cluster", "data.serving.datamodule"): "the task makes loaders of its own at the start of an epoch",
    ("tasks.deep_cluster", "data.serving.epoch_sampler"): "and counts the batches of an epoch for its schedule",
}
"""Imports that break the table, each with its reason. This list only gets shorter."""

STILL_CIRCLES: dict[frozenset[str], str] = {
    frozenset({"data.serving.datamodule", "data.samples.still.telling"}): "typed with what calls it",
    frozenset({"data.audit.polarity", "data.audit.samples"}): "one reads samples for the other, which names its check",
    frozenset(
        {"outputs.classes.baselines", "outputs.classes.predictions", "outputs.classes.tables"}
    ): "predictions fit and tabulate what is typed with predictions",
    frozenset(
        {"outputs.angles.predictions", "outputs.numbers.predictions", "outputs.regression_figures"}
    ): "predictions draw themselves, with figures that are typed with predictions",
}
"""Modules that import each other in a circle, each with its reason. This list only gets shorter."""


@cache
def modules() -> dict[str, Path]:
    """Every module by its name below the package; the package itself is ""."""
    files = sorted(ROOT.rglob("*.py"))
    return {
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix("__init__").strip("."): file
        for file in files
    }


@cache
def imports() -> dict[str, set[str]]:
    """What each module imports of the package, at its top, in its functions or for its types."""
    return {name: set(_imported(name)) - {name} for name in modules()}


@cache
def told(module: str) -> tuple[list[Import], list[Import], list[ast.Constant]]:
    """Imports of a module, those within its functions, and its constants, from one walk over its tree."""
    found: tuple[list[Import], list[Import], list[ast.Constant]] = ([], [], [])
    waiting: list[tuple[ast.AST, bool]] = [(ast.parse(modules()[module].read_text()), False)]
    while waiting:
        node, is_within = waiting.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            found[0].append(node)
            found[1].extend([node] if is_within else [])
        elif isinstance(node, ast.Constant):
            found[2].append(node)
        else:
            is_within = is_within or isinstance(node, ast.FunctionDef)
            waiting.extend((child, is_within) for child in ast.iter_child_nodes(node))
    return found


def _imported(module: str) -> Iterator[str]:
    for node in told(module)[0]:
        if isinstance(node, ast.Import):
            yield from (_below(alias.name) for alias in node.names if _is_ours(alias.name))
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "write imports out from the package on"
            for alias in node.names:
                if _is_ours(node.module or ""):
                    # From a package a module may be imported, or a name that the package itself defines.
                    whole = _below(f"{node.module}.{alias.name}")
                    yield whole if whole in modules() else _below(node.module or "")


def _is_ours(name: str) -> bool:
    return name == PACKAGE or name.startswith(f"{PACKAGE}.")


def _below(name: str) -> str:
    return name.removeprefix(PACKAGE).strip(".")


def room(module: str) -> str:
    for place, name in PLACES.items():
        if module == place or module.startswith(f"{place}."):
            return name
    first = module.partition(".")[0]
    return first if (ROOT / first / "__init__.py").is_file() and first else "base"


def circles(graph: Mapping[str, set[str]]) -> list[frozenset[str]]:
    """Largest sets of modules each of which reaches all others of its set (Tarjan 1972)."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    waiting: list[str] = []
    found = []

    def visit(module: str) -> None:
        number[module] = lowest[module] = len(number)
        waiting.append(module)
        for other in graph[module]:
            if other not in number:
                visit(other)
            if other in waiting:
                lowest[module] = min(lowest[module], lowest[other])
        if lowest[module] == number[module]:
            place = waiting.index(module)
            found.append(frozenset(waiting[place:]))
            del waiting[place:]

    for module in graph:
        if module not in number:
            visit(module)
    return [circle for circle in found if len(circle) > 1]


def upward() -> list[tuple[str, str]]:
    """Imports that the table does not allow."""
    pairs = [(module, other) for module, others in imports().items() for other in sorted(others)]
    return [
        (module, other)
        for module, other in pairs
        if room(module) != room(other) and room(other) not in MAY_IMPORT[room(module)]
    ]


def test_the_table_itself_points_down_only() -> None:
    rooms = list(MAY_IMPORT)
    for number, name in enumerate(rooms):
        assert MAY_IMPORT[name] <= set(rooms[:number]), name


def test_every_module_has_a_room_and_every_room_modules() -> None:
    assert {room(module) for module in modules()} == set(MAY_IMPORT)


def test_no_room_imports_from_above() -> None:
    lines = [f"{module} imports {other}: {room(module)} may not know {room(other)}" for module, other in upward()]
    allowed = [f"{module} imports {other}" for module, other in STILL_UP]
    assert [line for line in lines if line.partition(":")[0] not in allowed] == []


def test_modules_do_not_import_in_circles() -> None:
    new = [sorted(circle) for circle in circles(imports()) if not any(circle <= known for known in STILL_CIRCLES)]
    assert new == []


def test_what_is_still_allowed_is_still_needed() -> None:
    """An exception that is mended leaves the list, so that it cannot come back."""
    assert sorted(set(STILL_UP) - set(upward())) == []
    assert [sorted(circle) for circle in set(STILL_CIRCLES) - set(circles(imports()))] == []


def test_the_drawing_in_the_documentation_has_every_room_above_what_it_imports() -> None:
    drawing = (ROOT.parent / "docs" / "architecture.md").read_text()
    lines = re.findall(r"^│ (\d+) +(.*)│$", drawing, re.MULTILINE)
    floor_of = {name: int(floor) for floor, content in lines for name in re.findall(r"\b(\w+)/ ", content)}
    for name in set(MAY_IMPORT) - {"synthesis"}:
        assert all(floor_of[other] < floor_of[name] for other in MAY_IMPORT[name] - {"synthesis"}), name


@pytest.mark.parametrize("name", sorted(set(MAY_IMPORT) - {"synthesis"}))
def test_the_table_of_rooms_in_the_documentation_names_it(name: str) -> None:
    page = ROOT.parent / "docs" / "architecture.md"
    assert f"| `seisvision/{name}/` |" in page.read_text()


def test_the_size_of_the_earth_is_written_once() -> None:
    """Radii, and kilometres a degree, in any rounding."""
    repeated = []
    for name in modules():
        for node in told(name)[2]:
            value = node.value
            is_size = isinstance(value, float) and (111 < value < 111.4 or 6350 < value < 6380)
            if is_size and name != "earth.constants":
                repeated.append(f"{name}:{node.lineno}: {value}")
    assert repeated == []


def test_circles_are_found_however_they_are_entered() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set(), "e": {"f"}, "f": {"g"}, "g": {"e", "c"}}
    assert set(circles(graph)) == {frozenset("bc"), frozenset("efg")}


HEAVY = {
    "captum", "dascore", "faiss", "h5py", "hydra", "matplotlib", "numpy", "obspy", "omegaconf", "onnx", "onnxruntime",
    "optuna", "pandas", "pymseed", "pytorch_lightning", "rich", "scipy", "seisbench", "sklearn", "submitit",
    "threadpoolctl", "timm", "torch", "torchvision", "trackio", "umap", "wandb",
}  # fmt: skip
"""Libraries that take long to import, or are extras: whoever does not need them should not wait for them."""
OF_SYSTEM = {"difflib", "fcntl", "importlib", "pickle"}
"""Modules of Python that some machines lack, or that no reader should think are in general use."""
BEFORE_HEAVY: dict[str, str] = {
    "api": "a set is opened without torch, and a stream is only turned where there is one",
    "atlas": "its stages are listed without importing what does them",
    "cli": "imports the module of the one command that was typed",
    "commands": "words are parsed before anything heavy is imported",
    "sweeps": "a sweep is composed, and handed over, in processes without torch",
    "runs.hydra_errors": "messages come before anything else",
    "runs.terminal": "messages come before anything else",
    "runs.work": "a wrong folder is told before torch is imported; the process that starts others never needs it",
    "runs.ranks": "which process this is, is asked without torch",
    "records.checkpoint": "finding a checkpoint needs no torch",
    "records.data_source": "a configuration is shown without tables, and most sets have no corrections",
    "records.winner": "naming the best run needs no predictions where they are not asked for",
    "data.fetching.source": "what a set is known by needs no ObsPy",
    "data.sources": "what a set is known by needs no waveforms",
    "data.sets.cards": "a card is read without HDF5",
    "data.synthesis.source": "what a set is known by needs no synthesis",
    "data.synthesis_local.source": "what a set is known by needs no synthesis",
    "experiments.clustering.results": "one result is told without the report over many",
    "outputs": "kinds are found when they are asked for, figures and baselines when they are drawn and fitted",
    "evaluation.baselines.feature_table": "features that are kept are read without torch",
    "forecasting.references": "references are named without torch",
    "forecasting.sources": "what a catalogue is known by needs no events read",
    "data.audit.audit": "some checks read waveforms and some only the table",
}
"""Rooms and modules whose functions may import further modules of the house, each with its reason."""


def test_imports_hidden_in_functions_have_a_reason() -> None:
    hidden = []
    for name in modules():
        for node in told(name)[1]:
            named = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            for one in named:
                has_reason = any(name == early or name.startswith(f"{early}.") for early in BEFORE_HEAVY)
                if not (has_reason if _is_ours(one) else one.partition(".")[0] in HEAVY | OF_SYSTEM):
                    hidden.append(f"{name}:{node.lineno}: {one}")
    assert hidden == []


def test_files_and_folders_can_be_looked_over() -> None:
    """A file of more than 400 lines or a folder of more than 20 modules holds something with a name of its own."""
    modules = sorted(ROOT.rglob("*.py"))
    lines = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in modules}
    assert {name: n for name, n in lines.items() if n > 400} == {}
    folders = {str(path.parent.relative_to(ROOT)): len(list(path.parent.glob("*.py"))) for path in modules}
    assert {name: n for name, n in folders.items() if n > 20} == {}
