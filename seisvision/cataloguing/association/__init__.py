"""Picks of a network to events."""
