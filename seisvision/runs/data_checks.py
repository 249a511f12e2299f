"""What is checked of a waveform set before a network is trained on it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from seisvision.data.audit.audit import check_set
from seisvision.data.audit.findings import Finding
from seisvision.data.waveform_set import WaveformSet
from seisvision.errors import DataError

log = logging.getLogger(__name__)

MAX_WARNINGS = 5
CONFOUND = "confound_"


def check_data(config: Mapping[str, Any], waveform_set: WaveformSet) -> None:
    """Refuse sets whose metadata show a fatal fault, and warn of what tells the class without the waveform.

    Looks at the classes of every output that has classes; reads no waveform. ``dataset.allow_findings`` lists the
    codes of faults that are known and accepted.

    Raises:
        DataError: the audit has a fatal finding that is not allowed.
    """
    findings: dict[tuple[str, str], Finding] = {}
    for output in config["task"].get("outputs") or []:
        if "class_names" not in output:
            continue
        labels = config["dataset"]["labels"].get(output["target"])
        for finding in check_set(waveform_set, output["target"], labels):
            findings.setdefault((finding.code, finding.title), finding)
    fatal = [finding for finding in findings.values() if finding.severity == "fatal"]
    allowed = {str(code) for code in config["dataset"].get("allow_findings") or ()}
    _refuse([finding for finding in fatal if finding.code not in allowed], allowed, waveform_set)
    for finding in fatal:
        log.warning("Allowed although fatal: %s", finding.sentence())
    _warn(
        [item for item in findings.values() if item.severity == "warning" and item.code.startswith(CONFOUND)],
        waveform_set,
    )


def _refuse(fatal: list[Finding], allowed: set[str], waveform_set: WaveformSet) -> None:
    if not fatal:
        return
    codes = ",".join(sorted({*allowed, *(finding.code for finding in fatal)}))
    said = " ".join(f"{finding.code}: {finding.sentence()}" for finding in fatal)
    raise DataError(
        f"{waveform_set.path} would give wrong results. {said} Look at it with 'seisvision data audit "
        f"{waveform_set.path}' and mend it, or train all the same with +dataset.allow_findings=[{codes}]"
    )


def _warn(confounds: list[Finding], waveform_set: WaveformSet) -> None:
    for finding in confounds[:MAX_WARNINGS]:
        log.warning("Without a look at the waveform: %s", finding.title)
    more = len(confounds) - MAX_WARNINGS
    if more > 0:
        log.info("And %d more: seisvision data audit %s", more, waveform_set.path)
