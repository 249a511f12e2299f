"""Networks that make features of pictures."""

from seisvision.public import names_of

__all__, __getattr__ = names_of(__name__)
