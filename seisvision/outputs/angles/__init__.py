"""A direction, such as a force azimuth or a back azimuth."""

KIND = "angle"
OUTPUT = "AngleOutput"
PREDICTIONS = "AnglePredictions"
WORDS = {"loss": ("cosine", "von_mises", "scalar_mse")}
"""What some of its settings may be; told, too, before torch is imported."""
