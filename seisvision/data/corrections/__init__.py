"""Decisions of people about labels: a file that only grows, and sets with its corrections."""
