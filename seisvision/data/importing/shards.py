"""A large import in parts that need not know of each other, one job each, and the parts to one chunked set."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from seisvision.data.importing.association import Association
from seisvision.data.importing.importer import (
    ImportReport,
    NothingLeftError,
    Progress,
    associate_all,
    event_jobs,
    run_import,
)
from seisvision.data.importing.recipe import Recipe, content_of
from seisvision.data.importing.rejections import FILE_NAME, Rejection, write_rejections
from seisvision.data.sets.set_files import describe_files, find_chunks, read_card, set_fingerprint
from seisvision.data.sets.stored.hashes import content_hashes, remember
from seisvision.data.sets.stored.placing import EMPTY, check_place, whole_set
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import ConfigurationError, DataError
from seisvision.files import parse_json, told_when_full
from seisvision.plain_files import LARGEST_JSON_BYTES, check_plain, read_text

log = logging.getLogger(__name__)

SUFFIX = ".shards"
MOST_SHARDS = 1_000_000
SUMMED = ("n_events", "n_traces", "n_samples")


def parse_shard(text: str) -> tuple[int, int]:
    """Parse ``2/8``: the second of eight shards.

    Raises:
        ConfigurationError: it is not of this form.
    """
    index, _, number = text.partition("/")
    if not (index.isdecimal() and number.isdecimal() and 1 <= int(index) <= int(number)):
        raise ConfigurationError(f"--shard {text} must be like 2/8, the second of eight; the first is 1/8")
    return int(index), int(number)


def shard_folder(out: str | Path, index: int, number: int) -> Path:
    """Folder of one shard of the set ``out``."""
    out = Path(out)
    return out.with_name(out.name + SUFFIX) / f"{index:04d}-of-{number:04d}"


def import_shard(
    recipe: Recipe,
    out: str | Path,
    index: int,
    number: int,
    *,
    workers: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> tuple[Path, ImportReport | None]:
    """Import the events of one shard: neighbours in the catalogue, so that the shards in order are the whole.

    Returns:
        Folder of the shard, and the report; None where it was finished before, and left as it is.

    Raises:
        DataError: as :func:`run_import`, or the shard is there but of another recipe.
    """
    folder = shard_folder(out, index, number)
    about = {"index": index, "of": number, "recipe": _recipe_hash(recipe)}
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
    check_place(folder, overwrite=True)
    present = _shard_of(folder)
    if present == about and not overwrite:
        if not _lacks(folder):
            return folder, None
        log.info("%s lacks %s, so it is made again", folder, ", ".join(_lacks(folder)))
    elif folder.exists() and not overwrite:
        raise DataError(f"{folder} is of another recipe; add --overwrite, or choose another --out")
    found = _part(associate_all(recipe), recipe, index, number)
    try:
        return folder, run_import(
            recipe, folder, workers=workers, progress=progress, overwrite=True, found=found, about={"shard": about},
            list_beside=False,
        )  # fmt: skip
    except NothingLeftError as nothing:
        # A part may well hold only what is refused; it must not be done again and again for that.
        with told_when_full(folder), whole_set(folder, overwrite=True) as partial:
            write_rejections(partial / FILE_NAME, nothing.report.rejections)
            empty = {"shard": about, "import": {"counts": nothing.report.counts()}}
            (partial / EMPTY).write_text(json.dumps(empty), encoding="utf-8")
        return folder, nothing.report


def _recipe_hash(recipe: Recipe) -> str:
    return hashlib.sha256(json.dumps(content_of(recipe), sort_keys=True, default=str).encode()).hexdigest()[:16]


def _lacks(shard: Path) -> list[str]:
    """Files that a finished shard has and this one does not, as when somebody or an earlier version lost them."""
    if (shard / EMPTY).is_file():
        wanted = [FILE_NAME]
    else:
        described = read_card(shard).get("files", {"metadata.csv": {}, "waveforms.hdf5": {}})
        if not isinstance(described, dict):
            raise DataError(f"{shard / 'card.json'} does not say which files the shard has; make it again")
        wanted = [*described, FILE_NAME]
    return [name for name in wanted if not (shard / name).is_file()]


def _shard_of(folder: Path) -> dict[str, Any] | None:
    """What a shard says of itself: its ``index``, ``of`` how many, and the hash of its ``recipe``.

    Raises:
        DataError: its card is damaged, or something in its folder leads out of it.
    """
    check_plain(folder)
    shard = _card_of(folder).get("shard")
    kinds = {"index": int, "of": int, "recipe": str}
    if shard is not None and not (
        isinstance(shard, dict) and set(shard) == set(kinds) and all(type(shard[key]) is kinds[key] for key in kinds)
    ):
        raise DataError(f"what the card of the shard {folder} says of it is damaged; make it again")
    if shard is not None and not 1 <= shard["index"] <= shard["of"] <= MOST_SHARDS:
        raise DataError(f"shard {folder} says that it is {shard['index']} of {shard['of']}; make it again")
    return shard


def _card_of(folder: Path) -> dict[str, Any]:
    empty = folder / EMPTY
    if not empty.is_file():
        return read_card(folder)
    try:
        content = parse_json(read_text(empty, LARGEST_JSON_BYTES))
    except ValueError as error:
        raise DataError(f"{empty} is not valid JSON ({error}); remove {folder}, and make the shard again") from error
    return content if isinstance(content, dict) else {}


def _part(found: list[Association], recipe: Recipe, index: int, number: int) -> list[Association]:
    """The associations with the events of one shard; what found no partner is told by the first shard only."""
    jobs = event_jobs(recipe, found, ImportReport())
    mine = jobs[(index - 1) * len(jobs) // number : index * len(jobs) // number]
    parts = []
    for i, association in enumerate(found):
        events = [files for source, files in mine if source == i]
        understood = Association(columns=association.columns, notes=association.notes)
        first = association if index == 1 else understood
        parts.append(replace(first, events=events))
    return parts


def merge_shards(folder: str | Path, out: str | Path | None = None, overwrite: bool = False) -> Path:
    """Make one chunked set of all shards in ``folder``; the samples are linked where the disk allows, else copied.

    Args:
        folder: ``NAME.shards``, as :func:`import_shard` fills it.
        out: folder of the set; ``NAME`` by default.
        overwrite: replace a set of that path.

    Raises:
        DataError: a shard is missing or damaged, the shards differ in their recipe, or all are empty.
    """
    folder = Path(folder)
    if out is None and not folder.name.endswith(SUFFIX):
        raise DataError(f"{folder} is no folder of shards, whose name would end in {SUFFIX}; name the set with --out")
    target = folder.with_name(folder.name.removesuffix(SUFFIX)) if out is None else Path(out)
    shards = _all_shards(folder)
    check_place(target, overwrite)
    full = [shard for shard in shards if not (shard / EMPTY).is_file()]
    if not full:
        raise DataError(f"every event of all shards in {folder} was refused; see {FILE_NAME} in each of them")
    for shard in full:
        # What cannot be read is told before there is a set of it.
        WaveformSet(shard)
    with told_when_full(target), whole_set(target, overwrite=overwrite) as partial:
        _join(shards, full, partial)
    return target


def _all_shards(folder: Path) -> list[Path]:
    present = {path: _shard_of(path) for path in sorted(folder.glob("[0-9]*-of-*")) if path.is_dir()}
    about = [shard for shard in present.values() if shard is not None]
    if not about:
        raise DataError(f"{folder} holds no finished shard; make them with 'seisvision data import --shard 1/8 ...'")
    if len({(shard["of"], shard["recipe"]) for shard in about}) > 1:
        raise DataError(f"the shards in {folder} differ in number or recipe; remove those that do not belong there")
    missing = sorted(set(range(1, about[0]["of"] + 1)) - {shard["index"] for shard in about})
    if missing:
        shown = ", ".join(f"{index}/{about[0]['of']}" for index in missing[:10])
        raise DataError(f"{folder} lacks {len(missing)} of {about[0]['of']} shards: {shown}; run these first")
    shards = {path: shard for path, shard in present.items() if shard is not None}
    if len(shards) > about[0]["of"]:
        raise DataError(f"{folder} holds {len(shards)} shards of {about[0]['of']}; remove those that are there twice")
    without = [str(path) for path, shard in present.items() if shard is None]
    if without:
        log.warning("Not finished, and left out: %s", ", ".join(without))
    for path, shard in shards.items():
        if _lacks(path):
            raise DataError(
                f"shard {path} lacks {', '.join(_lacks(path))}; make it again with 'seisvision data import --shard "
                f"{shard['index']}/{shard['of']} ...' and the recipe that it was made with"
            )
    return list(shards)


def _join(shards: list[Path], full: list[Path], partial: Path) -> None:
    names: list[str] = []
    # Before files are linked, which changes the time of their inodes: they would be read again.
    prints = [set_fingerprint(shard) for shard in full]
    hashes: dict[str, str] = {}
    for shard in full:
        for chunk in find_chunks(shard):
            name = str(len(names))
            known = content_hashes([chunk.metadata_path, chunk.waveforms_path])
            hashes |= {
                f"metadata{name}.csv": known[chunk.metadata_path.name],
                f"waveforms{name}.hdf5": known[chunk.waveforms_path.name],
            }
            _link(chunk.waveforms_path, partial / f"waveforms{name}.hdf5")
            shutil.copy2(chunk.metadata_path, partial / f"metadata{name}.csv")
            names.append(name)
    (partial / "chunks").write_text("\n".join(names) + "\n", encoding="utf-8")
    remember(partial, hashes)
    with (partial / FILE_NAME).open("w", encoding="utf-8") as file:
        for i, shard in enumerate(shards):
            head, *lines = _rejected(shard / FILE_NAME)
            file.writelines(lines if i else [head, *lines])
    card = _joint_card(shards, full, prints) | {"files": describe_files(partial)}
    text = json.dumps(card, indent=2, sort_keys=True, default=str, ensure_ascii=False)
    (partial / "card.json").write_text(text + "\n", encoding="utf-8")


def _rejected(path: Path) -> list[str]:
    """Lines of ``rejected.csv``, the first of which names its columns, each with its end.

    Raises:
        DataError: it is none.
    """
    try:
        # Not by splitlines: texts of people may hold other signs that end a line there.
        lines = read_text(path).removesuffix("\n").split("\n")
    except ValueError as error:
        raise DataError(f"{path} cannot be read ({error}); make the shard again") from error
    if lines[0] != ",".join(field.name for field in fields(Rejection)):
        raise DataError(f"{path} is no list of what was rejected; make the shard again")
    return [f"{line}\n" for line in lines]


def _link(source: Path, target: Path) -> None:
    source = source.resolve()  # of a link, the samples and not the link
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _joint_card(shards: list[Path], full: list[Path], prints: list[str]) -> dict[str, Any]:
    cards = [_checked_card(shard) for shard in full]
    card = {key: value for key, value in cards[0].items() if key != "shard"}
    card["counts"] = {key: sum(one["counts"][key] for one in cards) for key in SUMMED}
    counts: dict[str, Any] = {}
    for shard in shards:
        counts = _sum(counts, _checked_card(shard)["import"]["counts"])
    card["import"] = card["import"] | {"counts": counts, "shards": len(shards)}
    card["unit"] = " or ".join(sorted(counts["units"]))
    return card | {"fingerprint": hashlib.sha256("".join(prints).encode()).hexdigest()[:16]}


def _checked_card(shard: Path) -> dict[str, Any]:
    """The card of a shard with numbers where they are added up.

    Raises:
        DataError: it lacks them.
    """
    card = _card_of(shard)
    is_empty = (shard / EMPTY).is_file()
    own, imported = card.get("counts"), card.get("import")
    counted = imported.get("counts") if isinstance(imported, dict) else None
    has_own = is_empty or (isinstance(own, dict) and all(type(own.get(key)) is int for key in SUMMED))
    if not has_own or not isinstance(counted, dict) or not _are_numbers(counted):
        raise DataError(f"the card of the shard {shard} does not say how much there is in it; make it again")
    if not is_empty and not isinstance(counted.get("units"), dict):
        raise DataError(f"the card of the shard {shard} does not say its units; make it again")
    return card


def _are_numbers(node: dict[str, Any]) -> bool:
    return all(_are_numbers(one) if isinstance(one, dict) else type(one) in (int, float) for one in node.values())


def _sum(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Add numbers of nested mappings."""
    total = dict(one)
    for key, value in other.items():
        total[key] = _sum(total.get(key, {}), value) if isinstance(value, dict) else total.get(key, 0) + value
    return total
