"""Intervals that hold: what each method assumes and where it was published. Measured by ``benchmarks/coverage.py``."""
