"""``seisvision pick`` with the network that finds wavelets, in a process that a test can kill.

python tests/archives/pick_ricker.py --ckpt none --waveforms ...
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from ricker_archives import RickerNetwork

from seisvision import cli
from seisvision.archives import picking, shares


def use_ricker() -> None:
    """Let every network that is opened be that one."""
    for module in (picking, shares):
        module.open_picker = lambda path: RickerNetwork()  # type: ignore[attr-defined]


if __name__ == "__main__":
    use_ricker()
    sys.exit(cli.main(["pick", *sys.argv[1:]]))
