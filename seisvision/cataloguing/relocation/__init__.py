"""Differential times of pairs of events, and places relative to each other."""
