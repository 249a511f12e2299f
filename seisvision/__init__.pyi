from seisvision.api.networks import load as load
from seisvision.api.runs import open_run as open_run
from seisvision.api.sets import open_set as open_set
from seisvision.api.training import compare as compare
from seisvision.api.training import train as train

__version__: str
__all__ = ["compare", "load", "open_run", "open_set", "train"]
