"""What a GPU makes of this: throughput with drawing included, equal pictures, exact resumption, memory, processes.

    python benchmarks/gpu.py [--out FOLDER] [--seconds 480] [--dry]

At most ten minutes on one GPU. Each row is measured by itself: one that fails says why, and the others go on; rows that
would begin after ``--seconds`` are left out and say so. ``--dry`` does the same on the processor with the smallest
sizes, to see that the script runs; its figures mean nothing. One table is printed, and ``gpu.json`` written, with all
of it.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.gpu_rows import checks, processes, throughput  # noqa: E402
from benchmarks.gpu_rows.setting import Setting  # noqa: E402

ROWS: dict[str, Callable[[Setting], dict[str, Any]]] = {
    "pictures": checks.pictures,
    "step": throughput.step_profile,
    "default 128 x 64, 32 a batch, 32-true": lambda setting: throughput.ratio(setting, (128, 64), 32, "32-true"),
    "default 128 x 64, 32 a batch, bf16": lambda setting: throughput.ratio(setting, (128, 64), 32, "bf16-mixed"),
    "224 x 224, 128 a batch, bf16": lambda setting: throughput.ratio(setting, (224, 224), 128, "bf16-mixed"),
    "224 x 224, 128 a batch, bf16, compiled": lambda setting: throughput.ratio(
        setting, (224, 224), 128, "bf16-mixed", compile=True
    ),
    "224 x 224, 128 a batch, bf16, from disk": lambda setting: throughput.ratio(
        setting, (224, 224), 128, "bf16-mixed", memory_gb=0.0
    ),
    "resume": checks.resume,
    "noise": checks.noise_is_the_same_again,
    "two processes": processes.two_processes,
    "two cards": processes.two_cards,
    "FSDP": processes.fsdp,
    "leases": processes.leases,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(), help="folder of gpu.json")
    parser.add_argument("--seconds", type=float, default=480.0, help="no row begins after so many")
    parser.add_argument("--only", nargs="*", help="words that the rows wanted begin with")
    parser.add_argument("--dry", action="store_true", help="on the processor, in the smallest sizes")
    asked = parser.parse_args()
    started = time.monotonic()
    warnings.filterwarnings("ignore")
    for name in ("pytorch_lightning", "lightning_fabric", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as scratch:
        setting = Setting(Path(scratch), is_dry=asked.dry)
        result: dict[str, Any] = {"machine": machine(setting), "rows": {}}
        print(json.dumps(result["machine"]))
        for name, measure in ROWS.items():
            if asked.only and not name.startswith(tuple(asked.only)):
                continue
            if time.monotonic() - started > asked.seconds:
                result["rows"][name] = {"left out": f"began after {asked.seconds:g} s"}
                continue
            before = time.monotonic()
            try:
                row = measure(setting)
            except Exception as error:  # a row that fails must not lose the others
                row = {"failed": f"{type(error).__name__}: {error}"[:500], "where": traceback.format_exc()[-1500:]}
            row["row_s"] = round(time.monotonic() - before, 1)
            result["rows"][name] = row
            shown = {key: value for key, value in row.items() if key != "where"}
            print(f"{name:44s} {json.dumps(shown)}", flush=True)
            asked.out.mkdir(parents=True, exist_ok=True)
            (asked.out / "gpu.json").write_text(json.dumps(result, indent=2) + "\n")
            setting.forget()
    print(f"\n{'row':44s} {'what came out':60s}")
    for name, row in result["rows"].items():
        told = row.get("failed") or row.get("left out") or row.get("says", "")
        print(f"{name:44s} {told}")


def machine(setting: Setting) -> dict[str, Any]:
    """What the figures were measured on."""
    gpu = None
    if setting.device.type == "cuda":
        known = torch.cuda.get_device_properties(0)
        gpu = {"name": known.name, "memory_gb": round(known.total_memory / 1e9, 1), "count": torch.cuda.device_count()}
    return {
        "gpu": gpu,
        "processors": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load": os.getloadavg()[0],
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    main()
