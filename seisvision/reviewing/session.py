"""One reviewer at a queue: which labels are decided, and what is on the disk before the next one shows."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from seisvision.data.corrections.standing import Label, standing
from seisvision.data.corrections.table import (
    CORRECT,
    DISCARD,
    UNDO,
    VERDICTS,
    Decision,
    append_decisions,
    now,
    read_decisions,
)
from seisvision.errors import ConfigurationError, DataError
from seisvision.reviewing.queue import HIDDEN, Queue

SHOWN_KEYS = ("sample_id", "source_id", "column", "old", "label")
"""Of an item, what a reviewer sees before a decision; that an item is a control is never shown."""


def what_is_shown(item: Mapping[str, Any]) -> dict[str, Any]:
    """Of an item, what a reviewer sees before a decision, with what may be decided and why not more."""
    can_change = bool(item.get("can_change", True))
    allowed = {"can_change": can_change, "can_discard": bool(item.get("can_discard", can_change))}
    return {key: item[key] for key in SHOWN_KEYS} | allowed | {"why_fixed": str(item.get("why_fixed", ""))}


class Session:
    """What the page asks for and tells.

    Args:
        queue: the labels.
        file: ``corrections.csv``, which may hold decisions of others and of other queues.
        reviewer: who decides.
        blind: hide what the networks say until the decision is on the disk.

    Raises:
        ConfigurationError: the reviewer has no name.
        DataError: the file is damaged.
    """

    def __init__(self, queue: Queue, file: Path, reviewer: str, *, blind: bool = True) -> None:
        if not reviewer.strip():
            raise ConfigurationError("--reviewer is empty. Give your name; it stands beside every decision.")
        self.queue, self.file, self.reviewer, self.blind = queue, file, reviewer.strip(), blind
        self._lock = threading.Lock()
        self._number_of: dict[Label, int] = {
            (one["sample_id"], one["column"]): number for number, one in enumerate(queue.items)
        }
        self._stacks: dict[int, list[Decision]] = {}
        self._order: list[int] = []
        for decision in read_decisions(file) if file.exists() else []:
            self._take(decision)

    def _take(self, decision: Decision) -> None:
        """Note a decision that is on the disk."""
        number = self._number_of.get(decision.label)
        if number is None or decision.reviewer != self.reviewer or decision.set_fingerprint != self._fingerprint:
            return
        stack = self._stacks.setdefault(number, [])
        if decision.verdict != UNDO:
            stack.append(decision)
            self._order.append(number)
        elif stack:
            stack.pop()
            del self._order[max(place for place, one in enumerate(self._order) if one == number)]

    @property
    def _fingerprint(self) -> str:
        return str(self.queue.about["set_fingerprint"])

    def state(self) -> dict[str, Any]:
        """Where the review stands."""
        with self._lock:
            return self._state()

    def _state(self) -> dict[str, Any]:
        about = self.queue.about
        done = [number for number, stack in self._stacks.items() if stack]
        return {
            "reviewer": self.reviewer,
            "blind": self.blind,
            "n_items": len(self.queue.items),
            "n_done": len(done),
            "next": next((n for n in range(len(self.queue.items)) if not self._stacks.get(n)), None),
            "column": about["column"],
            "kind": about["kind"],
            "unit": about["unit"],
            "choices": about["choices"],
            "set": about["set"],
            "verdicts": {
                verdict: sum(self._stacks[n][-1].verdict == verdict for n in done)
                for verdict in VERDICTS
                if verdict != UNDO
            },
        }

    def item(self, number: int) -> dict[str, Any]:
        """What is shown of a label; what the networks say only where the review is not blind, or once it is decided.

        Raises:
            DataError: there is no such label, or the queue is damaged.
        """
        known = self._known(number)
        with self._lock:
            stack = self._stacks.get(number)
            decided = stack[-1] if stack else None
        shown = what_is_shown(known) | {"number": number}
        if decided is not None or not self.blind:
            shown[HIDDEN] = known[HIDDEN]
        if decided is not None:
            shown["decided"] = {"verdict": decided.verdict, "new": decided.new}
        return shown | {"drawing": self.queue.drawing(number)}

    def decide(self, number: int, verdict: str, new: str = "", reason: str = "") -> dict[str, Any]:
        """Write a decision, and return what the networks say of it and where to go on, once it is on the disk.

        Raises:
            DataError: there is no such label, verdict or value, or the label cannot be changed so.
        """
        known = self._known(number)
        _check_allowed(known, verdict)
        if verdict == UNDO:
            raise DataError("An undo is asked for by itself.")
        if verdict == CORRECT:
            new = self._checked_value(known, new)
        decision = self._decision(known, verdict, new, reason)
        with self._lock:
            append_decisions(self.file, [decision])
            self._take(decision)
            return {"state": self._state(), "number": number, HIDDEN: known[HIDDEN]}

    def undo(self) -> dict[str, Any]:
        """Take back the last decision that holds, and return which label it was about.

        Raises:
            DataError: there is none.
        """
        with self._lock:
            if not self._order:
                raise DataError("There is no decision to take back.")
            number = self._order[-1]
            decision = replace(self._stacks[number][-1], verdict=UNDO, new="", reason="", time=now())
            append_decisions(self.file, [decision])
            self._take(decision)
            return {"state": self._state(), "number": number}

    def _known(self, number: int) -> dict[str, Any]:
        if not 0 <= number < len(self.queue.items):
            raise DataError(f"There is no label {number} in the queue of {len(self.queue.items)}.")
        return self.queue.items[number]

    def _checked_value(self, known: dict[str, Any], new: str) -> str:
        choices = {one["value"] for one in self.queue.about["choices"]}
        if choices:
            if new not in choices:
                raise DataError(f"'{new[:40]}' is none of the classes {', '.join(sorted(choices))}.")
            return new
        try:
            value = float(new)
        except ValueError:
            value = float("nan")
        if not abs(value) < 1e15:
            raise DataError(f"'{new[:40]}' is no number; give the value of {known['column']}.")
        return new.strip()

    def _decision(self, known: dict[str, Any], verdict: str, new: str, reason: str) -> Decision:
        probability = known[HIDDEN].get("probability")
        return Decision(
            sample_id=known["sample_id"], source_id=known["source_id"], column=known["column"], old=known["old"],
            new=new if verdict == CORRECT else "", verdict=verdict, reviewer=self.reviewer, time=now(), reason=reason,
            run_id=known["run_id"], probability="" if probability is None else f"{probability:.6g}",
            set_fingerprint=self._fingerprint,
        )  # fmt: skip


def _check_allowed(known: Mapping[str, Any], verdict: str) -> None:
    """Refuse what could not be applied, before it stands in a file that is only taken as a whole.

    Raises:
        DataError: says why, and what may be said instead.
    """
    shown = what_is_shown(known)
    allowed = {CORRECT: shown["can_change"], DISCARD: shown["can_discard"]}
    if allowed.get(verdict, True):
        return
    why = shown["why_fixed"] or f"'{known['column']}' cannot be changed in the set."
    rest = "keep, discard or say unsure" if shown["can_discard"] else "keep it, or say unsure"
    raise DataError(f"{why} Of this label {rest}.")


def control_errors(queue: Queue, decisions: list[Decision], reviewer: str) -> tuple[int, int]:
    """Of the controls that a reviewer decided, how many were not kept, and how many there were."""
    controls = {(one["sample_id"], one["column"]) for one in queue.items if one.get("control")}
    own = [said[reviewer] for label, said in standing(decisions).items() if label in controls and reviewer in said]
    return sum(one.verdict in (CORRECT, DISCARD) for one in own), len(own)
