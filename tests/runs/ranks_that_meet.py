"""Two processes as ``srun`` starts them on one machine: they meet, and stay; run by tests."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import torch
from torch import distributed

from seisvision.runs.ranks import current_place, join_group, tell

if __name__ == "__main__":
    if "SLURM_PROCID" not in os.environ:
        # As srun does.
        subprocess.Popen([sys.executable, *sys.argv], env={**os.environ, "SLURM_PROCID": "1", "SLURM_LOCALID": "1"})
        os.environ |= {"SLURM_PROCID": "0", "SLURM_LOCALID": "0"}
    join_group(current_place())
    total = torch.ones(1)
    distributed.all_reduce(total)
    print(tell({"met": int(total)}, "nothing"), os.environ["MASTER_ADDR"], flush=True)
    time.sleep(600)
