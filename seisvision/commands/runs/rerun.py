"""Do a stored run again and say whether its numbers agree.

RUN is a folder of a finished run. It is repeated from its stored configuration into a folder of its own beside it, with
this code, on this machine, without dashboards. Exit code 1 tells that a measure differs.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from seisvision.plain_text import say

SHOWN = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``seisvision rerun``."""
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a finished run")
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="folder of all sets (default: that of the run)")
    parser.add_argument("--runs-dir", type=Path, metavar="DIR", help="where the copy goes (default: beside the run)")


def run(args: argparse.Namespace) -> int:
    """Run again, print the measures that differ and, last, the folder of the copy."""
    from seisvision.api.runs import open_run
    from seisvision.errors import ConfigurationError

    stored = open_run(args.run)
    if not stored.folder.is_finished():
        raise ConfigurationError(f"{args.run} is not finished; the command of the run goes on with it.")
    from seisvision.records.trust.machine import machine_settings
    from seisvision.records.trust.stored import checked_config
    from seisvision.runs.ensure import ensure_run

    config = checked_config(stored.config, stored.path)
    name = Path(str(config["name"]))
    beside = stored.path.absolute().parents[len(name.parts)]
    if args.runs_dir is None and beside / name != stored.path.absolute().parent:
        raise ConfigurationError(f"{args.run} does not lie in a folder called {name}, as it did. Give --runs-dir DIR.")
    system = machine_settings(config, args.data_dir, stored.path) | {"runs_dir": str(args.runs_dir or beside)}
    again = {**config, "system": system, "logger": {}, "run": {**config["run"], "fresh": True}}
    folder = ensure_run(again, [])
    differences = _differing(_measured(stored.metrics), _measured(open_run(folder.path).metrics))
    if folder.run_id.partition("-")[0] != stored.id.partition("-")[0]:
        say(f"The data or settings are others: this is run {folder.run_id}, that was {stored.id}.")
    for path, (before, now) in list(differences.items())[:SHOWN]:
        say(f"  {path}: {before}, now {now}")
    n_more = len(differences) - SHOWN
    say(f"  and {n_more} more" if n_more > 0 else f"{len(differences) or 'no'} measures differ")
    say(folder.path)
    return 1 if differences else 0


def _measured(metrics: dict[str, Any]) -> dict[str, Any]:
    """What is said of samples: times and the code that was used may differ."""
    return {name: metrics[name] for name in ("val", "test", "baselines", "location") if metrics.get(name)}


def _differing(before: Any, now: Any, path: str = "") -> dict[str, tuple[Any, Any]]:
    """Values that two stored results do not share, by their path."""
    if isinstance(before, dict) and isinstance(now, dict):
        found: dict[str, tuple[Any, Any]] = {}
        for name in {**before, **now}:
            found |= _differing(before.get(name), now.get(name), f"{path}.{name}" if path else str(name))
        return found
    return {} if before == now else {path: (before, now)}
