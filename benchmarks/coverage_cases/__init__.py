"""Populations with known truth for ``benchmarks/coverage.py``, a module a family."""
