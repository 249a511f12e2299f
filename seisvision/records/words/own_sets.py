"""``dataset=NAME`` for a waveform set in the data folder of which no file in ``conf/dataset`` speaks."""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from seisvision import spreadsheets
from seisvision.yaml_files import read_yaml

log = logging.getLogger(__name__)

WORD = re.compile(r"dataset=([A-Za-z0-9_][\w-]*)")
DATA_DIR = "system.data_dir="
TYPE = "source_type"
MOST_TYPES = 20
PLAIN = re.compile(r"[A-Za-z0-9_-]+")
NO_VALUE = ("null", "nan", "inf")
PLAIN_NAME = re.compile(r"(?!(null|true|false|nan|inf)$)[^\W\d]", re.IGNORECASE)
"""How names begin that Hydra takes for text."""
SPAN = re.compile(r":(\d+)\]?$")
"""How the name of a trace in a file ends: its number of samples."""
NEW = (
    "dataset.name", "dataset.source.path", "dataset.labels", "dataset.baselines", "dataset.samples.window.length_s",
    "dataset.traces.window.length_s",
)  # fmt: skip
"""What the file that all sets in folders share leaves to each."""
BANDS_OF_NYQUIST = (0.02, 0.1, 0.3, 0.9)
"""Edges of the three bands of the baselines."""


def with_own_sets(words: Sequence[str], conf: Path) -> list[str]:
    """The words, where one names a set in the data folder, with what is needed to learn from it.

    Its classes are the values of ``source_type``, windows as long as its shortest record where all have one rate, and
    bands of the baselines parts of what that rate can hold. What else was typed wins. A file of the set's own says more
    (docs/extending.md).

    Args:
        words: as for ``train.py``.
        conf: folder of the configuration.
    """
    own = next((name for name in map(_named, words) if name and _is_own(name, words, conf)), None)
    if own is None:
        return list(words)
    typed = {one.partition("=")[0].lstrip("+") for one in words if _named(one) is None}
    brought = _described(_data_dir(words, conf) / own, own)
    kept = [one for one in brought if not _is_typed(one.partition("=")[0], typed)]
    log.info("dataset  %s of the data folder: %s", own, " ".join(kept))
    given = [one for one in words if _named(one) != own]
    # What the file beneath does not have is added, and what it has is set.
    return ["dataset=_folder", *(f"++{one}" if one.startswith(NEW) else one for one in [*kept, *given])]


def _named(word: str) -> str | None:
    found = WORD.fullmatch(word)
    return None if found is None else found[1]


def _is_own(name: str, words: Sequence[str], conf: Path) -> bool:
    is_known = (conf / "dataset" / f"{name}.yaml").is_file()
    return not is_known and (_data_dir(words, conf) / name / "metadata.csv").is_file()


def _is_typed(key: str, typed: set[str]) -> bool:
    return any(f"{one}.".startswith(f"{key}.") or f"{key}.".startswith(f"{one}.") for one in typed)


def _data_dir(words: Sequence[str], conf: Path) -> Path:
    typed = [word.removeprefix(DATA_DIR) for word in words if word.startswith(DATA_DIR)]
    local = conf / "local" / "default.yaml"
    said = (read_yaml(local) or {}).get("system") or {} if local.is_file() else {}
    return Path(typed[-1] if typed else str(said.get("data_dir", "data")))


def _described(folder: Path, name: str) -> list[str]:
    """What is typed for a set."""
    with (folder / "metadata.csv").open(encoding="utf-8", newline="") as file:
        rows = list(spreadsheets.DictReader(file))
    words = [f"dataset.name={name}", f"dataset.source.path={name}"]
    types = sorted({row[TYPE] for row in rows if row.get(TYPE)})
    if types and len(types) <= MOST_TYPES and not any("${" in one for one in types):
        words.append(f"dataset.labels.{TYPE}={{{','.join(_classes(types))}}}")
    rates = {row["trace_sampling_rate_hz"] for row in rows if row.get("trace_sampling_rate_hz")}
    if len(rates) == 1:
        nyquist_hz = float(next(iter(rates))) / 2
        low, first, second, high = (f"{share * nyquist_hz:.4g}" for share in BANDS_OF_NYQUIST)
        lengths = [int(span[1]) for row in rows if (span := SPAN.search(row.get("trace_name") or ""))]
        if lengths:
            length_s = f"{min(lengths) / (2 * nyquist_hz):.6g}"
            words += [f"dataset.{section}.window.length_s={length_s}" for section in ("samples", "traces")]
        words.append(f"dataset.baselines.bands_hz=[[{low},{first}],[{first},{second}],[{second},{high}]]")
    return words


def _classes(types: Sequence[str]) -> list[str]:
    """Each class with the value that it has in the set, as Hydra reads them."""
    if all(PLAIN.fullmatch(one) and one.lower() not in NO_VALUE for one in types):
        return [f"{one}:[{one}]" for one in types]
    return [f"{name}:[{_quoted(one)}]" for name, one in zip(_class_names(types), types, strict=True)]


def _class_names(types: Sequence[str]) -> list[str]:
    """The values as names that can be typed, such as ``quarry_blast`` for ``quarry blast``, each once."""
    names: list[str] = []
    for number, one in enumerate(types, 1):
        bare = unicodedata.normalize("NFKD", one).encode("ascii", "ignore").decode()
        name = bare if PLAIN.fullmatch(bare) else re.sub(r"\W+", "_", bare).strip("_")
        if not PLAIN_NAME.match(name):
            name = f"class_{name}".rstrip("_")
        names.append(f"{name}_{number}" if name in (*names, *types[number:]) else name)
    return names


def _quoted(text: str) -> str:
    """As a word of Hydra's, whatever is in it."""
    return "'" + re.sub(r"(\\*)'", r"\1\1\\'", re.sub(r"(\\+)$", r"\1\1", text)) + "'"
