"""One of several classes, such as what caused the event."""

KIND = "class"
OUTPUT = "ClassOutput"
PREDICTIONS = "ClassPredictions"

NO_CLASS = -1
"""Class number of a sample without label."""
