"""Where splits lay before they had a room of their own; scripts written for it go on working."""

import warnings

from seisvision.data.splitting.splits import make_split as make_split

warnings.warn("seisvision.data.splits is now seisvision.data.splitting.splits", DeprecationWarning, stacklevel=2)
