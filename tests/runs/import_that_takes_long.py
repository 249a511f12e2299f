"""An import whose workers build no event to its end; run by tests."""

from __future__ import annotations

import time
from typing import Any

from seisvision.data.importing import building


class Slow:
    """Stands for a recipe, and keeps a worker that reads its sources at work for ever."""

    @property
    def sources(self) -> Any:
        """Say that a worker works, and work."""
        print("at work", flush=True)
        time.sleep(3600)


if __name__ == "__main__":
    # Workers of an import do not run the script that began it, so what they are sent comes from a module.
    from import_that_takes_long import Slow as Recipe

    list(building.build_events(Recipe(), [], [(0, None)] * 100, workers=2))
