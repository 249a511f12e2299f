"""A place, told as a volume of values about the network, and decoded to what places have."""

KIND = "volume"
OUTPUT = "VolumeOutput"
PREDICTIONS = "VolumePredictions"
