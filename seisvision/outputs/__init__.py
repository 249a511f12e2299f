"""What networks say: classes, numbers and angles."""

from seisvision.public import names_of

__all__, __getattr__ = names_of(__name__)
