"""One run: find its folder, do what is missing, show the result."""

from __future__ import annotations

import itertools
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seisvision.errors import ConfigurationError, SeisvisionError
from seisvision.files import check_writable
from seisvision.records.data_source import refuse_columns, source_of
from seisvision.records.folder import MEASURE_AGAIN, RunFolder, read_json
from seisvision.records.identity import run_identity, scientific_part
from seisvision.records.integrity.attempts import changed_since
from seisvision.records.integrity.manifest import COMPARED, warn_if_altered
from seisvision.records.kinds import experiment_class, kind_of_config
from seisvision.records.telling import describe_result
from seisvision.runs.ranks import current_place
from seisvision.runs.terminal import copied_to, quick_imports, quiet_libraries, show
from seisvision.runs.work import do_run, work_together

log = logging.getLogger(__name__)


def identify(config: dict[str, Any]) -> RunFolder:
    """Return the folder that belongs to a resolved configuration; it need not exist yet.

    Which set the corrections of a configuration make now is noted in it, for their file may grow while the run waits.

    Raises:
        ConfigurationError: the experiment's name would lead out of ``system.runs_dir``.
    """
    config["name"] = name = str(config["name"])
    if not re.fullmatch(r"[\w-][\w.-]*(/[\w-][\w.-]*)*", name):
        raise ConfigurationError(
            f"name='{name}' is not allowed; give letters, digits, -, _ and . with / for sub-folders."
        )
    data_dir = Path(config["system"]["data_dir"])
    source = source_of(config["dataset"]["source"], config["dataset"].get("corrections"))
    refuse_columns(config, source, data_dir)
    fingerprint = source.fingerprint(data_dir)
    if config["dataset"].get("corrections") is not None:
        config["dataset"] = config["dataset"] | {"corrections": source.kept(data_dir)}
    for described in (config["dataset"].get("beside") or {}).values():
        # Kept with the configuration, as of other files that a run begins with.
        further = source_of(described["source"], described.get("corrections"))
        described["fingerprint"] = further.fingerprint(data_dir)
        if described.get("corrections") is not None:
            described["corrections"] = further.kept(data_dir)
    run_id = run_identity(scientific_part(config, fingerprint))
    path = Path(config["system"]["runs_dir"]) / name / run_id
    folder = RunFolder(path)
    if config["run"]["fresh"] and path.exists():
        # The first copy that is not finished, so that an interrupted fresh run is resumed by the same command.
        copies = (RunFolder(path.with_name(f"{run_id}-{number}")) for number in itertools.count(2))
        folder = next(copy for copy in copies if not copy.is_finished())
    return folder


def ensure_run(config: dict[str, Any], overrides: list[str]) -> RunFolder:
    """Return the finished run of ``config``: stored, resumed or new.

    Args:
        config: resolved configuration.
        overrides: what was typed, for the record.

    Raises:
        SeisvisionError: the run cannot be done; its ``status.json`` says why.
        KeyboardInterrupt: it was interrupted; the same call resumes.
    """
    check_folders(config["system"])
    if current_place().n_ranks > 1:
        folder = work_together(lambda: identify(config), lambda found: _prepare_whole(found, config, overrides))
        _show_finished(folder)
        return folder
    folder = identify(config)
    folder.check_shape()
    if folder.is_finished() and not config.get("explain"):
        # A result is shown also where nothing can be written.
        folder.clear_lock()
        _tell_stored(folder)
        return folder
    with folder.locked():
        if folder.is_finished():
            if config.get("explain"):
                _explain_finished(folder, config)
            _tell_stored(folder)
            return folder
        _prepare_whole(folder, config, overrides)
        with copied_to(folder.log_file):
            do_run(folder)
            _show_finished(folder)
    return folder


def _tell_stored(folder: RunFolder) -> None:
    log.info("Run %s is finished; showing its stored result (run.fresh=true runs it again).", folder.run_id)
    changed = changed_since(folder)
    if changed:
        log.info("It was made by other code: %s.", "; ".join(changed))
    show_result(folder)


def check_folders(system: Mapping[str, Any]) -> None:
    """Refuse folders of this machine in which a run could not write, before any work.

    That of the data need not be: a set that lies there is read, and what would save time is computed anew.

    Raises:
        ConfigurationError: names the folder and the setting.
    """
    check_writable(system["runs_dir"], "system.runs_dir")
    if system.get("scratch"):
        check_writable(system["scratch"], "system.scratch")


def _prepare_whole(folder: RunFolder, config: dict[str, Any], overrides: list[str]) -> None:
    """Write what was asked for; a run that is asked for by itself goes to its end, whatever a search made of it."""
    folder.prepare(config, overrides)
    folder.limits_file.unlink(missing_ok=True)


def _show_finished(folder: RunFolder) -> None:
    """Show the result of a run that was just done.

    Raises:
        SeisvisionError: it ended before it was finished.
    """
    if not folder.is_finished():
        status = folder.status()
        raise SeisvisionError(
            f"Run {folder.path} is {status['state']}, not finished: {status.get('error')}. The same command goes on "
            "with it."
        )
    show_result(folder)


def _explain_finished(folder: RunFolder, config: dict[str, Any]) -> None:
    """Explain a run whose result is stored, unless it has been; that a run is asked to explain does not rename it."""
    metrics = read_json(folder.metrics_file)
    part = next((part for part in ("test", "val") if part in metrics), "train")
    if any(folder.explain.glob(f"*_{part}.json")):
        log.info("Explained already; for other samples, parts or layers: seisvision explain %s", folder.path)
        return
    with quick_imports():
        experiment = experiment_class(kind_of_config(config))
    quiet_libraries()
    experiment.explain_stored(folder, config["explain"], part, Path(config["system"]["data_dir"]))


def objective(folder: RunFolder) -> float | None:
    """Best monitored validation value of a finished run; None without a validation split."""
    return read_json(folder.metrics_file)["training"]["best_value"]


def show_result(folder: RunFolder) -> None:
    """Print the stored results of a finished run as a table."""
    metrics = read_json(folder.metrics_file, MEASURE_AGAIN)
    warn_if_altered(folder, COMPARED)
    try:
        text = describe_result(metrics)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise SeisvisionError(
            f"{folder.metrics_file} does not hold the result of a run ({type(error).__name__}: {error}). "
            f"{MEASURE_AGAIN}"
        ) from error
    show(text)
