"""Queues made from numbers alone, and requests to the server of one."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from seisvision.reviewing.drawing import envelope
from seisvision.reviewing.queue import Queue, write_queue

CHOICES = [{"name": "quake", "value": "earthquake"}, {"name": "blast", "value": "explosion"}]
FINGERPRINT = "0123456789abcdef"


def make_queue(
    path: Path, n: int, names: Sequence[str] = (), stations: Sequence[str] = ("XX.A", "XX.B"), **changes: Any
) -> Queue:
    """``n`` labels of class; the networks say blast of every third. ``names`` replace the ids of the first events.

    ``changes`` go into each item.
    """
    lines = [
        {"row": 0, "name": name, "component": "Z", "km": 12.5, "seconds": 60.0, "arrivals": {"P": 5.0},
         "line": base64.b64encode(envelope(np.sin(np.arange(600) / 9.0)).tobytes()).decode()}
        for name in stations
    ]  # fmt: skip
    where = {"stations": [[name, 10.0 * k, -5.0] for k, name in enumerate(stations)], "source": [3.0, 4.0]}
    drawing = {"lines": lines, "map": where, "picture": None}
    items = []
    for number in range(n):
        name = names[number] if number < len(names) else f"ev{number:05d}"
        is_blast = number % 3 == 0
        shares = [["blast", 0.9], ["quake", 0.1]] if is_blast else [["quake", 0.95], ["blast", 0.05]]
        hidden = {
            "answer": f"{shares[0][0]} 90 %", "suggested": shares[0][0], "probability": 0.1 if is_blast else 0.95,
            "shares": shares, "score": -2.3 if is_blast else -0.05, "suspect": is_blast, "odd": stations[0],
            "odd_sigmas": -5.0, "alike": [[name, "blast"]],
        }  # fmt: skip
        item = {"sample_id": name, "source_id": name, "column": "source_type", "old": "earthquake", "label": "quake",
                "run_id": "ab12", "control": number % 7 == 6, "hidden": hidden, "can_change": True}  # fmt: skip
        items.append((item | changes, drawing))
    about = {"column": "source_type", "columns": ["source_type"], "output": "source_type", "kind": "class", "unit": "",
             "choices": CHOICES, "set": "made", "set_fingerprint": FINGERPRINT, "runs": ["ab12"], "n_labels": n,
             "n_suspect": n // 3, "stations": [], "swaps": []}  # fmt: skip
    return write_queue(path, about, items)


def request(
    address: str,
    path: str,
    told: Any = None,
    *,
    host: str | None = None,
    origin: str | None = "own",
    kind: str = "application/json",
) -> tuple[int, Any, dict[str, str]]:
    """Status, content and headers of one request, with ``host`` and ``origin`` as a browser may send them."""
    where = urlsplit(address)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=30)
    headers = {"Host": host or where.netloc}
    body = None
    if told is not None:
        body = told if isinstance(told, bytes) else json.dumps(told).encode()
        headers["Content-Type"] = kind
        if origin is not None:
            headers["Origin"] = f"http://{where.netloc}" if origin == "own" else origin
    whole = path if path.startswith("/") else where.path + path
    connection.request("GET" if told is None else "POST", whole, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    found = dict(answer.getheaders())
    is_json = found.get("Content-Type") == "application/json"
    return answer.status, json.loads(content) if is_json else content.decode(), found
