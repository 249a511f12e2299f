"""Samples in batches: in which order, to how many processes."""
