"""Errors meant for people: what is wrong, which value, what is allowed and what to do next."""

from __future__ import annotations


class SeisvisionError(Exception):
    """Base of every error that a user can cause and mend.

    The command line prints the message alone, without a traceback, and exits with ``exit_code``.
    """

    exit_code = 1


class ConfigurationError(SeisvisionError):
    """A setting is misspelt, missing, contradictory or not allowed."""

    exit_code = 2


class DataError(SeisvisionError):
    """A waveform set or an input recording is missing, damaged or lacks what was asked of it."""


class LeakageError(DataError):
    """A split has one group (event, station, source cell, ...) on two sides."""


class DiskFullError(SeisvisionError):
    """A disk has no room left, a quota is used up, or the disk fails."""


class CheckpointError(SeisvisionError):
    """A checkpoint is missing, damaged, unsafe to load or was not written by seisvision."""


class PrunedError(SeisvisionError):
    """A run of a search was stopped because others were better; not a failure of the run."""


UNFORESEEN = 70
"""Exit code of a fault of seisvision itself, as ``EX_SOFTWARE`` of sysexits.h."""
NO_ROOM = 74
"""Exit code of a worker whose disk is full, as ``EX_IOERR``: there may be no room for the word that it leaves."""


def did_you_mean(name: str, allowed: list[str]) -> str:
    """Sentence that lists ``allowed`` names and, where one is close to ``name``, suggests it."""
    suggestion = closest(name, allowed)
    return f"{suggestion}{' ' * bool(suggestion)}Allowed: {', '.join(sorted(allowed))}."


def closest(name: str, allowed: list[str]) -> str:
    """Question whether the closest of ``allowed`` names is meant; empty where none is close."""
    import difflib

    close = difflib.get_close_matches(name, allowed, n=1, cutoff=0.5)
    return f"Did you mean '{close[0]}'?" if close else ""
