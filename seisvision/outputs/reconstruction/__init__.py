"""The picture that the network saw, as it comes back from its own code."""

KIND = "reconstruction"
OUTPUT = "ReconstructionOutput"
PREDICTIONS = "ReconstructionPredictions"
WORDS = {"loss": ("mse", "huber")}
"""What some of its settings may be; told, too, before torch is imported."""
