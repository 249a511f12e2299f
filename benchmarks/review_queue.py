"""How long a queue of labels takes to open, and how long a decision takes until the next label is there.

    python benchmarks/review_queue.py --items 10000 --stations 12

The queue is made from random lines in a temporary folder and served as ``seisvision review serve`` does. A decision is
one request, which returns when the decision is on the disk, and the request for the next label.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from measuring import spread, tell_machine

from seisvision.leftovers import temporary_folder
from seisvision.reviewing.drawing import COLUMNS
from seisvision.reviewing.queue import Queue, write_queue
from seisvision.reviewing.server import ReviewServer
from seisvision.reviewing.session import Session


def made_queue(path: Path, n_items: int, n_stations: int) -> None:
    """A queue of random drawings."""
    rng = np.random.default_rng(0)
    lines = [
        base64.b64encode(rng.integers(-127, 127, (COLUMNS, 2), dtype=np.int8).tobytes()).decode() for _ in range(40)
    ]
    picture = base64.b64encode(rng.bytes(6000)).decode()

    def items():
        for number in range(n_items):
            drawn = [
                {"row": k, "name": f"XX.S{k:03d}", "component": "Z", "km": 10.0 * k, "seconds": 60.0,
                 "arrivals": {"P": 5.0}, "line": lines[(number + k) % 40]}
                for k in range(n_stations)
            ]  # fmt: skip
            hidden = {"answer": "blast 90 %", "suggested": "blast", "probability": 0.1,
                      "shares": [["blast", 0.9], ["quake", 0.1]], "score": -2.3, "suspect": True, "odd": None,
                      "odd_sigmas": None, "alike": []}  # fmt: skip
            item = {"sample_id": f"e{number}", "source_id": f"e{number}", "column": "source_type",
                    "old": "earthquake", "label": "quake", "run_id": "r", "control": False,
                    "hidden": hidden, "can_change": True}  # fmt: skip
            yield item, {"lines": drawn, "map": None, "picture": picture}

    about = {"column": "source_type", "columns": ["source_type"], "output": "source_type", "kind": "class", "unit": "",
             "choices": [{"name": "quake", "value": "earthquake"}, {"name": "blast", "value": "explosion"}],
             "set": "made", "set_fingerprint": "0" * 16, "runs": ["r"], "n_labels": n_items,
             "n_suspect": n_items, "stations": [], "swaps": []}  # fmt: skip
    write_queue(path, about, items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--stations", type=int, default=12)
    parser.add_argument("--decisions", type=int, default=200)
    asked = parser.parse_args()
    tell_machine()
    with temporary_folder() as folder:
        made_queue(folder / "queue", asked.items, asked.stations)
        size = sum(path.stat().st_size for path in (folder / "queue").iterdir())
        opened = []
        for _ in range(3):
            begun, cpu = time.perf_counter(), time.process_time()
            session = Session(Queue.read(folder / "queue"), folder / "c.csv", "anna")
            opened.append((time.perf_counter() - begun, time.process_time() - cpu))
        server = ReviewServer(session)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        where = urlsplit(server.address)
        line = http.client.HTTPConnection(where.hostname or "", where.port)
        origin = {"Origin": f"http://{where.netloc}", "Content-Type": "application/json"}
        taken, number, cpu = [], 0, time.process_time()
        for _ in range(asked.decisions):
            begun = time.perf_counter()
            told = json.dumps({"number": number, "verdict": "keep", "new": ""})
            line.request("POST", f"{where.path}decide", told, origin)
            number = json.loads(line.getresponse().read())["state"]["next"]
            line.request("GET", f"{where.path}item/{number}")
            line.getresponse().read()
            taken.append(1e3 * (time.perf_counter() - begun))
        cpu = 1e3 * (time.process_time() - cpu) / asked.decisions
        begun = time.perf_counter()
        Session(Queue.read(folder / "queue"), folder / "c.csv", "anna")
        again = time.perf_counter() - begun
        server.shutdown()
    print(f"{asked.items} labels, {asked.stations} stations each, {size / 1e6:.0f} MB")
    walls, processors = zip(*opened, strict=True)
    print(f"opens in {spread(walls, ' s')}, {spread(processors, ' s of processor')}; "
          f"with {asked.decisions} decisions in {again:.2f} s")  # fmt: skip
    print(f"decision to next label: median {spread(taken, ' ms', 1)}, 95 % within "
          f"{sorted(taken)[int(0.95 * len(taken))]:.1f} ms; "
          f"{cpu:.1f} ms of processor")  # fmt: skip


if __name__ == "__main__":
    main()
