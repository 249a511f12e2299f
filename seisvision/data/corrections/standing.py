"""What holds of many decisions: those taken back are gone, later ones replace earlier ones, reviewers may disagree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from seisvision.data.corrections.table import CORRECT, DISCARD, KEEP, UNDO, UNSURE, Decision
from seisvision.errors import ConfigurationError, DataError, did_you_mean

Label = tuple[str, str]
"""Sample and column."""
REFUSE, LEAVE, MAJORITY, LAST = "refuse", "leave", "majority", "last"
RULES = (REFUSE, LEAVE, MAJORITY, LAST)
"""What becomes of a label on which reviewers disagree: ``refuse`` all of the file until somebody has settled it;
``leave`` the label as it is; the ``majority`` decides, and a tie leaves it; the ``last`` decision counts."""
SHOWN = 3


@dataclass(frozen=True)
class Rule:
    """How reviewers who disagree are brought to one answer.

    Args:
        rule: one of :data:`RULES`.
        arbiter: reviewer whose decision stands over those of all others, wherever there is one.

    Raises:
        ConfigurationError: there is no such rule.
    """

    rule: str = REFUSE
    arbiter: str | None = None

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise ConfigurationError(f"rule='{self.rule}' is not known. {did_you_mean(str(self.rule), list(RULES))}")


@dataclass(frozen=True)
class Outcome:
    """What is to become of labels.

    Attributes:
        changes: label to its new value, or None where it is emptied.
        conflicts: labels on which reviewers disagree, with the decision of each, whether or not they were settled.
        unsettled: of these, the ones that no rule has settled.
        decided: how many labels have a decision that counts, those that were kept included.
    """

    changes: dict[Label, str | None]
    conflicts: dict[Label, dict[str, Decision]] = field(default_factory=dict)
    unsettled: tuple[Label, ...] = ()
    decided: int = 0


def joined(files: Iterable[Sequence[Decision]]) -> list[Decision]:
    """Decisions of several files, of which some may hold those of others.

    Two undos within one second are two equal rows, so that each row comes as often as in the file that holds it most.
    """
    found: list[Decision] = []
    held: Counter[Decision] = Counter()
    for decisions in files:
        own: Counter[Decision] = Counter()
        for one in decisions:
            own[one] += 1
            if own[one] > held[one]:
                held[one] = own[one]
                found.append(one)
    return found


def rounds_of(decisions: Iterable[Decision]) -> dict[str, list[Decision]]:
    """Decisions by the set that was looked at, whose rounds are brought to one answer each."""
    found: dict[str, list[Decision]] = {}
    for one in decisions:
        found.setdefault(one.set_fingerprint, []).append(one)
    return found


def standing(decisions: Iterable[Decision]) -> dict[Label, dict[str, Decision]]:
    """The decision of each reviewer that holds, by label; an ``undo`` brings back what that reviewer said before."""
    said: dict[Label, dict[str, list[Decision]]] = {}
    for one in decisions:
        stack = said.setdefault(one.label, {}).setdefault(one.reviewer, [])
        if one.verdict != UNDO:
            stack.append(one)
        elif stack:
            stack.pop()
    # Reviewers in the order of their last decision that holds.
    return {
        label: {name: stack[-1] for name, stack in of_label.items() if stack}
        for label, of_label in said.items()
        if any(of_label.values())
    }


def outcome(decisions: Sequence[Decision], rule: Rule) -> Outcome:
    """Bring the decisions about labels of one state of a set to one answer for each label.

    ``unsure`` is no vote. Where all others agree, or one alone has decided, that holds.

    Raises:
        DataError: reviewers disagree, and the rule refuses that.
    """
    held = standing(decisions)
    order = {id(one): number for number, one in enumerate(decisions)}
    changes: dict[Label, str | None] = {}
    conflicts: dict[Label, dict[str, Decision]] = {}
    left: list[Label] = []
    n_decided = 0
    for label, by_reviewer in held.items():
        votes = {name: one for name, one in by_reviewer.items() if one.verdict != UNSURE}
        if not votes:
            continue
        chosen = _agreed(votes)
        if chosen is None:
            conflicts[label] = votes
            chosen = _settled(votes, rule, order)
            if chosen is None:
                left.append(label)
                continue
        n_decided += 1
        if chosen.verdict == CORRECT and chosen.new != chosen.old:
            changes[label] = chosen.new
        elif chosen.verdict == DISCARD:
            changes[label] = None
    if left and rule.rule == REFUSE:
        _refuse(left, conflicts)
    return Outcome(changes, conflicts, tuple(left), n_decided)


def answer(decision: Decision) -> tuple[str, str]:
    """What a decision comes to, to be compared: a correction to what stands there is none."""
    if decision.verdict == CORRECT and decision.new == decision.old:
        return KEEP, ""
    return decision.verdict, decision.new


def _agreed(votes: Mapping[str, Decision]) -> Decision | None:
    return next(iter(votes.values())) if len({answer(one) for one in votes.values()}) == 1 else None


def _settled(votes: Mapping[str, Decision], rule: Rule, order: Mapping[int, int]) -> Decision | None:
    if rule.arbiter is not None and rule.arbiter in votes:
        return votes[rule.arbiter]
    if rule.rule == LAST:
        return max(votes.values(), key=lambda one: order[id(one)])
    if rule.rule == MAJORITY:
        counts = Counter(answer(one) for one in votes.values()).most_common()
        if len(counts) == 1 or counts[0][1] > counts[1][1]:
            return next(one for one in votes.values() if answer(one) == counts[0][0])
    return None


def _refuse(left: Sequence[Label], conflicts: Mapping[Label, Mapping[str, Any]]) -> None:
    some = "; ".join(
        f"{column} of {sample}: " + ", ".join(f"{name} {' '.join(answer(one)).strip()}" for name, one in said.items())
        for (sample, column), said in ((label, conflicts[label]) for label in left[:SHOWN])
    )
    raise DataError(
        f"Reviewers disagree on {len(left)} labels ({some}{'; ...' if len(left) > SHOWN else ''}). See them with "
        "'seisvision review agree', let a third reviewer decide (arbiter), or choose a rule: leave, majority or last."
    )
