"""Hides packages from the process that is starting, as if they had never been installed.

Python imports this at its start where this folder is in PYTHONPATH, so that programs are run as they are, and whatever
they start is as poor as they are. A second environment would need gigabytes.
"""

import os
import sys

HIDDEN = set(os.environ.get("SEISVISION_TEST_HIDDEN", "").split())
"""Names as one imports them, and as pip calls their distributions."""


class Poorer:
    """Finds what Python finds, but for the hidden ones: not even ``find_spec`` and ``importlib.metadata`` see those."""

    def __init__(self, finders):
        self.finders = finders

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in HIDDEN:
            return None
        found = (finder.find_spec(name, path, target) for finder in self.finders if hasattr(finder, "find_spec"))
        return next((spec for spec in found if spec is not None), None)

    def find_distributions(self, *arguments, **named):
        for finder in self.finders:
            for one in getattr(finder, "find_distributions", lambda *_, **__: ())(*arguments, **named):
                if one.name not in HIDDEN:
                    yield one

    def invalidate_caches(self):
        for finder in self.finders:
            getattr(finder, "invalidate_caches", lambda: None)()


sys.meta_path[:] = [Poorer(list(sys.meta_path))]
