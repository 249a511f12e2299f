"""Matched filter: templates correlated with continuous recordings, stacked over the network."""
