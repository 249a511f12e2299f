"""What networks say: one folder for each kind, with everything that is particular to it.

The ``__init__.py`` of a folder names the kind and its classes: ``KIND`` is the word in stored descriptions, ``OUTPUT``
the class in its ``output.py`` (head, loss, decoding) and ``PREDICTIONS`` that in its ``predictions.py`` (measures,
columns, averaging, baselines, figures, what a comparison shows). A folder that is here is found; nothing else names it.
"""

from typing import Any


def __getattr__(name: str) -> Any:
    # Public names are made from the folders here, so that they can be asked for only later.
    from seisvision.public import find_in

    return find_in(__name__, name)
