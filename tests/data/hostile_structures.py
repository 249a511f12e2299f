"""Sets, archives and run folders whose structure is damaged or hostile, made from a seed, and what must hold for each.

python tests/data/hostile_structures.py --inputs 1500 --seed 1 [--first NUMBER]

For each input: nothing but a SeisvisionError leaves the reader, nothing is executed, it takes less than a minute, and
what is served are the samples that were written, never zeros in their place.
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import io
import json
import logging
import resource
import shutil
import signal
import sys
import tarfile
import tempfile
import time
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from seisvision.data.audit.audit import audit_set
from seisvision.data.importing.formats.waveform_files import read_segments
from seisvision.data.importing.rejections import Refusal
from seisvision.data.importing.tables.station_table import read_stations
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import SeisvisionError
from seisvision.files import parse_json
from seisvision.records.folder import RunFolder

N_TRACES, N_SAMPLES = 4, 60
LIMIT_S = 60.0
TRACES = 1.0 + np.random.default_rng(0).random((N_TRACES, 3, N_SAMPLES)).astype(np.float32)
executed: list[str] = []


class Hung(BaseException):
    """No answer for twice the limit: a base exception, so that no reader takes it for an error of its own."""


def write_set(folder: Path, row_of_last: int = N_TRACES - 1, n_samples: int = N_SAMPLES) -> Path:
    """Write a set of one bucket and four traces, every sample of which is above 1."""
    folder.mkdir(parents=True)
    rows = [*range(N_TRACES - 1), row_of_last]
    names = [f"ev{row},2020-01-01T00:00:0{row % 10}Z,100,XX,AAA,quake" for row in range(N_TRACES)]
    header = (
        "source_id,trace_start_time,trace_sampling_rate_hz,station_network_code,station_code,source_type,trace_name"
    )
    lines = [f'{name},"bucket0${row},:3,:{n_samples}"' for name, row in zip(names, rows, strict=True)]
    (folder / "metadata.csv").write_text("\n".join([header, *lines]) + "\n")
    with h5py.File(folder / "waveforms.hdf5", "w") as file:
        file["data/bucket0"] = TRACES
        file["data_format/dimension_order"] = "CW"
        file["data_format/component_order"] = "ZNE"
    return folder


def _replace(file: h5py.File, name: str) -> None:
    if name in file:
        del file[name]


def _elsewhere(folder: Path) -> Path:
    other = folder.parent / "other.hdf5"
    with h5py.File(other, "w") as file:
        file["bucket0"] = TRACES
        file.create_group("data")["bucket0"] = TRACES
    return other


def external_link(file: h5py.File, folder: Path, rng: np.random.Generator) -> None:
    """The bucket, or the whole group, lies in another file."""
    name = ("data/bucket0", "data")[int(rng.integers(2))]
    _replace(file, name)
    target = ("/bucket0", "/data", "/nothing")[int(rng.integers(3))]
    file[name] = h5py.ExternalLink(
        (str(_elsewhere(folder)), "/dev/zero", "../other.hdf5")[int(rng.integers(3))], target
    )


def soft_link(file: h5py.File, folder: Path, rng: np.random.Generator) -> None:
    """The bucket is a link to nothing, to itself, or to a link that leads out."""
    _replace(file, "data/bucket0")
    targets = ("/nowhere", "/data/bucket0", "/data", "/out/bucket0", "bucket0", ".")
    file["data/bucket0"] = h5py.SoftLink(targets[int(rng.integers(len(targets)))])
    file["out"] = h5py.ExternalLink(str(_elsewhere(folder)), "/")


def virtual(file: h5py.File, folder: Path, rng: np.random.Generator) -> None:
    """The bucket is put together from another file, or one that is not there."""
    _replace(file, "data/bucket0")
    layout = h5py.VirtualLayout(shape=TRACES.shape, dtype="f4")
    path = str(_elsewhere(folder)) if rng.random() < 0.5 else "gone.hdf5"
    layout[:] = h5py.VirtualSource(path, "bucket0", shape=TRACES.shape)
    file.create_virtual_dataset("data/bucket0", layout)


def external_storage(file: h5py.File, folder: Path, rng: np.random.Generator) -> None:
    """The samples are bytes of another file."""
    _replace(file, "data/bucket0")
    raw = folder.parent / "raw.bin"
    raw.write_bytes(TRACES.tobytes()[: int(rng.integers(0, TRACES.nbytes))])
    file.create_dataset("data/bucket0", TRACES.shape, "f4", external=[(str(raw), 0, TRACES.nbytes)])


def unwritten(file: h5py.File, folder: Path, rng: np.random.Generator) -> None:
    """Blocks that were never written, of a shape as told, or much larger."""
    _replace(file, "data/bucket0")
    shape = [TRACES.shape, (10**12, 3, N_SAMPLES), (N_TRACES, 3, 10**12), (10**6, 3, 10**6)][int(rng.integers(4))]
    bucket = file.create_dataset("data/bucket0", shape, "f4", chunks=(1, 3, 20))
    if rng.random() < 0.5:
        bucket[: int(rng.integers(1, N_TRACES)), :, :N_SAMPLES] = TRACES[0]


def contiguous(file: h5py.File, folder: Path, rng: np.random.Generator) -> None:
    """A shape without any samples behind it."""
    _replace(file, "data/bucket0")
    file.create_dataset("data/bucket0", TRACES.shape, "f4")


def types(file: h5py.File, folder: Path, rng: np.random.Generator) -> None:
    """References, texts, complex numbers, scalars, structures, groups where numbers are meant."""
    _replace(file, "data/bucket0")
    shape = TRACES.shape
    kinds = [h5py.ref_dtype, h5py.regionref_dtype, h5py.string_dtype(), np.dtype("c8"), np.dtype("S3"),
             np.dtype([("a", "f4")]), h5py.vlen_dtype(np.float32), np.dtype(bool)]  # fmt: skip
    which = int(rng.integers(len(kinds) + 4))
    if which < len(kinds):
        file.create_dataset("data/bucket0", shape, kinds[which])
    elif which == len(kinds):
        file["data/bucket0"] = 3.0
    elif which == len(kinds) + 1:
        file.create_group("data/bucket0")
    elif which == len(kinds) + 2:
        file["data/bucket0"] = h5py.Empty("f4")
    else:
        file["data/bucket0"] = TRACES[0] if rng.random() < 0.5 else TRACES[None]


def cycle(file: h5py.File, folder: Path, rng: np.random.Generator) -> None:
    """A group that holds itself."""
    file["data/again"] = file["data"]
    if rng.random() < 0.5:
        _replace(file, "data/bucket0")
        file["data/bucket0"] = file["data"]


def described(file: h5py.File, folder: Path, rng: np.random.Generator) -> None:
    """A data_format of other shapes."""
    name = ("component_order", "dimension_order", "sampling_rate")[int(rng.integers(3))]
    _replace(file, f"data_format/{name}")
    values: list[Any] = [np.zeros((50, 50)), 7, b"\xff\xfe", "ZZZ", "", np.nan, [b"Z", b"N", b"E"], h5py.Empty("f4")]
    which = int(rng.integers(len(values) + 2))
    if which < len(values):
        file[f"data_format/{name}"] = values[which]
    else:
        file[f"data_format/{name}"] = h5py.ExternalLink("gone", "/x") if which % 2 else h5py.SoftLink("/gone")


def filters(file: h5py.File, folder: Path, rng: np.random.Generator) -> None:
    """A filter that is not here."""
    _replace(file, "data/bucket0")
    made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    made.set_chunk(TRACES.shape)
    made.set_filter(int(rng.integers(30000, 32000)), h5py.h5z.FLAG_OPTIONAL, ())
    space = h5py.h5s.create_simple(TRACES.shape)
    h5py.h5d.create(file["data"].id, b"bucket0", h5py.h5t.IEEE_F32LE, space, made)


CHANGES = (external_link, soft_link, virtual, external_storage, unwritten, contiguous, types, cycle, described, filters)


def hostile_set(folder: Path, rng: np.random.Generator) -> tuple[Path, str]:
    """A set with one change of its structure, or a table that tells more than there is, or a cut or damaged file."""
    which = int(rng.integers(len(CHANGES) + 3))
    longer = which == len(CHANGES)
    path = write_set(
        folder / "set",
        int(rng.integers(N_TRACES, 10**6)) if longer and rng.random() < 0.5 else N_TRACES - 1,
        int(rng.integers(N_SAMPLES + 1, 10**9)) if longer else N_SAMPLES,
    )
    file = path / "waveforms.hdf5"
    if which < len(CHANGES):
        with h5py.File(file, "r+") as content:
            CHANGES[which](content, path, rng)
        return path, CHANGES[which].__name__
    if which == len(CHANGES) + 1:
        content = file.read_bytes()
        file.write_bytes(content[: int(rng.integers(0, len(content)))])
        return path, "cut"
    if longer:
        return path, "longer than it is"
    texts = ["", "\n", "_a _b", "../x", "a\x00b", "_gone", "\ud800".encode("utf-8", "surrogatepass").decode("latin-1")]
    text = texts[int(rng.integers(len(texts)))]
    (path / "chunks").write_text(text, encoding="utf-8")
    return path, f"chunks {text!r}"


def use_set(path: Path) -> str:
    """Read every trace; each is what was written, or refused."""
    read = WaveformSet(path)
    for row in range(len(read.metadata)):
        waveform, mask = read.read_trace(row)
        if mask.all() and (waveform.shape != (3, N_SAMPLES) or not (waveform >= 1).all()):
            return "zeros"
    audit_set(read, max_traces=10)
    return "read"


def _bomb(rng: np.random.Generator) -> tuple[str, bytes]:
    """Zeros, a thousand times smaller than they are."""
    zeros = bytes((150 + int(rng.integers(0, 50))) << 20)
    if rng.random() < 0.5:
        return "x.gz", gzip.compress(zeros, 1)
    return "x.bz2", bz2.compress(zeros, 1)


def hostile_archive(folder: Path, rng: np.random.Generator) -> tuple[Path, str]:
    """A bomb, nested archives, names that climb, links, lies about sizes."""
    which = int(rng.integers(6))
    if which == 0 and rng.random() < 0.15:
        name, content = _bomb(rng)
        path = folder / ("stations.xml.gz" if rng.random() < 0.3 and name.endswith("gz") else name)
        path.write_bytes(content)
        return path, "bomb"
    path = folder / ("x.zip" if which in (1, 2) else "x.tar")
    inner = b"no recording " * 100
    if which in (1, 2):
        for _ in range(int(rng.integers(1, 6)) if which == 1 else 1):
            held = io.BytesIO()
            with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr(("../../climbed", "/tmp/climbed", "a")[int(rng.integers(3))], inner)
            inner = held.getvalue()
        content = bytearray(inner)
        for _ in range(int(rng.integers(0, 4))):
            content[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
        path.write_bytes(bytes(content))
        return path, f"zip of {len(content)} bytes"
    with tarfile.open(path, "w") as tar:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.REGTYPE):
            item = tarfile.TarInfo(("../climbed", "a", "/etc/x")[int(rng.integers(3))])
            item.type, item.linkname = kind, ("/etc/passwd", "../../x", "a")[int(rng.integers(3))]
            item.size = len(inner) if kind == tarfile.REGTYPE else 0
            tar.addfile(item, io.BytesIO(inner) if item.size else None)
    content = path.read_bytes()
    path.write_bytes(content[: int(rng.integers(1, len(content)))] if rng.random() < 0.5 else content)
    return path, f"tar of {path.stat().st_size} bytes"


def use_archive(path: Path) -> str:
    """Read it as recordings, or as stations."""
    if path.name == "stations.xml.gz":
        read_stations(str(path))
        return "read"
    losses: list[Refusal] = []
    read_segments(path, losses=losses)
    return "read" if losses else "silent"


def _nested(depth: int, rng: np.random.Generator) -> str:
    return "[" * depth + "]" * depth if rng.random() < 0.5 else '{"a":' * depth + "1" + "}" * depth


def hostile_json(folder: Path, rng: np.random.Generator) -> tuple[Path, str]:
    """A status.json of another shape."""
    values: list[Any] = [[], 3, "x", None, {}, {"state": 3}, {"state": "running", "attempts": "x"}, True,
                         {"state": "finished", "attempts": [1]}, {"state": "finished", "attempts": 1, "error": {}},
                         {"state": "running", "attempts": 1, "seconds": "x"}, [[]], {"attempts": 1}]  # fmt: skip
    which = int(rng.integers(len(values) + 3))
    text = json.dumps(values[which]) if which < len(values) else _nested(int(rng.integers(101, 50_000)), rng)
    content = text.encode()
    if which == len(values) + 2:
        content = b"\xff" + content[: int(rng.integers(1, 50))]
    (folder / "status.json").write_bytes(content)
    return folder / "status.json", f"{content[:40]!r}"


def use_json(path: Path) -> str:
    """Ask for the status, and end the run."""
    folder = RunFolder(path.parent)
    folder.is_finished()
    folder.mark_finished()
    parse_json(path.read_bytes())
    return "read"


KINDS = ((hostile_set, use_set), (hostile_archive, use_archive), (hostile_json, use_json))


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event in ("os.system", "subprocess.Popen", "os.exec", "pickle.find_class"):
        executed.append(f"{event} {str(arguments)[:80]}")


def _too_long(number: int, frame: Any) -> None:
    raise Hung


def search(n_inputs: int, seed: int, first: int = 0) -> Counter[str]:
    """Go through inputs and count what went wrong, beside what was read or refused; tells faults as they come."""
    import obspy  # noqa: F401 - asks the system what it is when it is imported

    sys.addaudithook(_watch)
    logging.getLogger("seisvision").setLevel(logging.CRITICAL)
    found: Counter[str] = Counter()
    previous = signal.signal(signal.SIGALRM, _too_long)
    for number in range(first, first + n_inputs):
        make, use = KINDS[number % len(KINDS)]
        folder = Path(tempfile.mkdtemp(prefix="hostile-"))
        begun, n_executed, said, error_said = time.monotonic(), len(executed), "", ""
        signal.alarm(int(2 * LIMIT_S))
        try:
            path, said = make(folder, np.random.default_rng([seed, number]))
            outcome = use(path)
        except (SeisvisionError, Refusal):
            outcome = "refused"
        except Hung:
            outcome = "hung"
        except Exception as error:
            outcome, error_said = "traceback", f"{type(error).__name__}: {str(error)[:200]}"
        finally:
            signal.alarm(0)
            shutil.rmtree(folder, ignore_errors=True)
        outcomes = [outcome]
        if time.monotonic() - begun > LIMIT_S:
            outcomes.append("slow")
        if len(executed) > n_executed:
            outcomes.append("executed")
        for one in outcomes:
            found[one] += 1
            if one not in ("read", "refused"):
                print(f"{one}: input {number}: {make.__name__}: {said}: {error_said}")
        found["inputs"] += 1
        found["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        if found["inputs"] % 100 == 0:
            print(f"so far: {dict(found)}")
    signal.signal(signal.SIGALRM, previous)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first input, to repeat one")
    asked = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    print(dict(search(asked.inputs, asked.seed, asked.first)), executed[:3])
