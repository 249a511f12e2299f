"""What networks learn: Lightning modules and learning-rate schedules."""

from seisvision.public import names_of

__all__, __getattr__ = names_of(__name__)
