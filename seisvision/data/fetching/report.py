"""What became of a fetch; cheap to import, so that a finished set is told at once."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seisvision.data.fetching.recipe import FetchRecipe
from seisvision.files import clear_lock, parse_json

if TYPE_CHECKING:
    from seisvision.data.importing.importer import ImportReport


@dataclass
class FetchReport:
    """What became of a fetch.

    Args:
        out: folder of the set; it does not exist after a dry run.
        already: the set was there, so nothing was done.
        asked: recordings (one sensor of one event each) that were wanted.
        had: those that came.
        estimate_mb: size of those that have not come, for a dry run.
        not_had: outcome to the number of recordings that did not come.
        requests: counts of the request log.
        imported: report of the import; None where there was none.
    """

    out: Path
    already: bool = False
    asked: int = 0
    had: int = 0
    estimate_mb: float = 0.0
    not_had: Counter[str] = field(default_factory=Counter)
    requests: dict[str, Any] = field(default_factory=dict)
    imported: ImportReport | None = None


def download_folder(out: Path) -> Path:
    """Where the raw answers for the set ``out`` are kept."""
    return out.with_name(f"{out.name}.download")


def lock_file(out: Path) -> Path:
    """What a fetch of the set ``out`` holds."""
    return download_folder(out) / ".lock"


def made_by(out: Path, recipe: FetchRecipe) -> bool:
    """Whether ``out`` is the set of this recipe, be its list of rejections written or not."""
    return _about(out).get("recipe") == recipe.fingerprint()


def finished_report(out: Path, recipe: FetchRecipe) -> FetchReport | None:
    """Report of the set of this recipe, where it is there with its list of rejections, which is written last."""
    about = _about(out)
    if about.get("recipe") != recipe.fingerprint() or not (out / "rejected.csv").is_file():
        return None
    # Of a fetch that was killed when all was written.
    clear_lock(lock_file(out))
    kept = {key: about[key] for key in ("asked", "had", "requests")}
    return FetchReport(out, already=True, not_had=Counter(about["not_had"]), **kept)


def _about(out: Path) -> dict[str, Any]:
    """What the card of a set says of its fetch; {} where there is no such set."""
    try:
        card = parse_json((out / "card.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return card.get("fetch", {}) if isinstance(card, dict) else {}
