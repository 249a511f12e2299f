"""The picture that the network saw, as it comes back from its own code."""

KIND = "reconstruction"
OUTPUT = "ReconstructionOutput"
PREDICTIONS = "ReconstructionPredictions"
