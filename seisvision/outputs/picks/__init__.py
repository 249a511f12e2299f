"""Times of P and S in a window, from curves along it."""

KIND = "pick"
OUTPUT = "PickOutput"
PREDICTIONS = "PickPredictions"
WORDS = {
    "label": ("gaussian", "triangle", "box"),
    "loss": ("cross_entropy", "bce", "focal"),
    "unlabelled": ("unknown", "noise"),
}
"""What some of its settings may be; told, too, before torch is imported."""
