"""A place, told as a volume of values about the network, and decoded to what places have."""

KIND = "volume"
OUTPUT = "VolumeOutput"
PREDICTIONS = "VolumePredictions"
WORDS = {"loss": ("bce", "cross_entropy"), "decode": ("argmax", "centroid", "mean")}
"""What some of its settings may be; told, too, before torch is imported."""
