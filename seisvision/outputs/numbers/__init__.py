"""A number in physical units, such as an offset, a depth or a magnitude."""

KIND = "scalar"
OUTPUT = "ScalarOutput"
PREDICTIONS = "ScalarPredictions"
WORDS = {
    "transform": ("none", "log1p", "log"),
    "loss": ("huber", "mse", "l1", "gaussian", "laplace", "evidential"),
}
"""What some of its settings may be; told, too, before torch is imported."""
