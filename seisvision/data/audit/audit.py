"""The whole audit of a set."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seisvision.data.audit.confounds import Confound, class_confounds, confound_findings, set_confounds
from seisvision.data.audit.findings import Finding, by_severity
from seisvision.data.audit.labels import check_labels
from seisvision.data.audit.origins import check_origins
from seisvision.data.audit.places import check_places
from seisvision.data.audit.table import AuditTable
from seisvision.data.audit.targets import Learnt, check_targets
from seisvision.data.audit.times import check_times
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import DataError
from seisvision.files import parse_json, write_text
from seisvision.plain_files import LARGEST_JSON_BYTES, read_text
from seisvision.seeding import DEFAULT_SEED

Labels = Mapping[str, Sequence[str]] | None
FILE_NAME = "audit.json"
VERSION = 1


@dataclass
class Audit:
    """What an audit found.

    Args:
        path: folder of the set.
        fingerprint: of the set when it was looked at.
        target: column of the class.
        labels: class name to values of that column, None where every value is a class.
        findings: fatal ones first.
        confounds: what tells the class, best first.
        set_confounds: what tells the collection, best first.
        statistics: counts and distributions, plain containers.
        seconds: time it took.
    """

    path: str
    fingerprint: str
    target: str
    labels: dict[str, list[str]] | None
    findings: list[Finding]
    confounds: list[Confound]
    set_confounds: list[Confound] = field(default_factory=list)
    statistics: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def fatal(self) -> list[Finding]:
        """The findings that forbid training."""
        return [finding for finding in self.findings if finding.severity == "fatal"]

    def to_dict(self) -> dict[str, Any]:
        """Plain containers for JSON."""
        return {
            "version": VERSION,
            "path": self.path,
            "fingerprint": self.fingerprint,
            "target": self.target,
            "labels": self.labels,
            "seconds": round(self.seconds, 2),
            "counts": {
                name: len([f for f in self.findings if f.severity == name]) for name in ("fatal", "warning", "note")
            },
            "findings": [finding.to_dict() for finding in self.findings],
            "confounds": [item.to_dict() for item in self.confounds],
            "set_confounds": [item.to_dict() for item in self.set_confounds],
            "statistics": self.statistics,
        }


def check_metadata(
    waveform_set: WaveformSet, target: str = "source_type", labels: Labels = None, seed: int = DEFAULT_SEED
) -> tuple[AuditTable, list[Finding], list[Confound], list[Confound]]:
    """Return table, findings, and what tells the class and the collection, from the metadata alone."""
    table = AuditTable(waveform_set, target, labels)
    findings = [*check_table(table), *check_labels(table)]
    classes, sets = class_confounds(table, seed=seed), set_confounds(table, seed)
    return table, findings, classes, sets


def check_table(table: AuditTable, learnt: Sequence[Learnt] = ()) -> list[Finding]:
    """Return what times, places and numbers tell, which is the same for every class; see :func:`check_set`."""
    return [*check_times(table), *check_origins(table), *check_places(table), *check_targets(table, learnt)]


def check_set(
    waveform_set: WaveformSet, target: str = "source_type", labels: Labels = None, learnt: Sequence[Learnt] = ()
) -> list[Finding]:
    """Return what the metadata tells of a set, fatal findings first, confounds among them; reads no waveform.

    Takes about a second for 100,000 traces, so that it may run before every training. ``labels`` gives the classes of
    the task, class name to values of the column ``target``; by default every value is a class. ``learnt`` names the
    numbers of the task: what is only doubtful elsewhere is fatal in these.
    """
    table = AuditTable(waveform_set, target, labels)
    findings = [*check_table(table, learnt), *check_labels(table)]
    return by_severity([*findings, *confound_findings(class_confounds(table), set_confounds(table))])


def audit_set(
    waveform_set: WaveformSet,
    target: str = "source_type",
    labels: Labels = None,
    max_traces: int | None = 20000,
    seed: int = DEFAULT_SEED,
    thorough: bool = False,
) -> Audit:
    """Look at the metadata and the samples of a set.

    Args:
        waveform_set: the set.
        target: column of the class.
        labels: class name to values of that column; None: every value is a class.
        max_traces: look at the samples of about so many traces, of events evenly chosen; None for all.
        seed: base seed of the folds.
        thorough: compare every file and trace with what was noted of it when it was written.

    Raises:
        DataError: the set has no such column of the class, or cannot be read.
    """
    from seisvision.data.audit.content import check_content, traces_finding
    from seisvision.data.audit.polarity import reversed_stations
    from seisvision.data.audit.samples import check_samples
    from seisvision.data.audit.statistics import statistics

    begun = time.monotonic()
    if target != "source_type" and target not in waveform_set.table:
        raise DataError(f"{waveform_set.path} has no column '{target}'; name the column of the class with --target")
    table, findings, _, sets = check_metadata(waveform_set, target, labels, seed)
    samples = check_samples(waveform_set, table, max_traces)
    classes = class_confounds(table, samples.attributes, seed)
    if thorough:
        content, changed = check_content(waveform_set.path)
        findings += [*content, *traces_finding(changed, waveform_set)]
    findings += [*samples.findings, *reversed_stations(table, samples), *confound_findings(classes, sets)]
    figures = statistics(table) | {"traces_read": samples.n_read}
    named = None if labels is None else {name: list(values) for name, values in labels.items()}
    where = (str(waveform_set.path), waveform_set.fingerprint)
    found = Audit(*where, target, named, by_severity(findings), classes, sets, figures)
    found.seconds = time.monotonic() - begun
    return found


def write_audit(audit: Audit, folder: Path) -> Path:
    """Write ``audit.json`` into ``folder`` and return its path."""
    path = folder / FILE_NAME
    write_text(path, json.dumps(audit.to_dict(), indent=2, ensure_ascii=False, default=str) + "\n")
    return path


def load_audit(path: str | Path) -> Audit:
    """Read ``audit.json``, given as such, as its folder, or as a set that holds it in the folder ``audit``.

    Raises:
        DataError: there is none, or it is damaged.
    """
    given = Path(path)
    for file in (given, given / FILE_NAME, given / "audit" / FILE_NAME):
        if file.is_file():
            break
    else:
        raise DataError(f"no {FILE_NAME} in {given}; make one with 'seisvision data audit {given}'")
    try:
        content = parse_json(read_text(file, LARGEST_JSON_BYTES))
        findings = [Finding.from_dict(item) for item in content["findings"]]
        classes, sets = ([Confound(**item) for item in content[key]] for key in ("confounds", "set_confounds"))
        path, fingerprint, target = (str(content[name]) for name in ("path", "fingerprint", "target"))
        return Audit(
            path,
            fingerprint,
            target,
            content["labels"],
            findings,
            classes,
            sets,
            content["statistics"],
            content["seconds"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{file} is no audit of this version ({error}); make it again with 'seisvision data audit'"
        ) from error
