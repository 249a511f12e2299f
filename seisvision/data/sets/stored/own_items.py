"""Takes groups and datasets of an HDF5 file only where the file itself holds them, whole.

HDF5 lets a file point elsewhere (external and user-defined links, virtual datasets, external storage), to nothing (soft
links, chunks that were never written, which read as zeros) and to filters that are not here. Each is refused by name.
"""

from __future__ import annotations

import math

import h5py

MAX_SOFT_LINKS = 8
MAX_SAMPLES = 100_000_000
"""Of one trace: eleven days at 100 Hz. More is damage, or a compressed nothing that would fill the memory."""


class NotOwnError(ValueError):
    """An item is not held by its file; the message says what it is and what to do."""


def own_item(group: h5py.Group, name: str, hops: int = MAX_SOFT_LINKS) -> h5py.Group | h5py.Dataset:
    """Return the item of that name, every step of the way to which lies in the file.

    Raises:
        KeyError: there is none.
        NotOwnError: it lies elsewhere, leads in circles, or is not stored whole.
    """
    item: h5py.Group | h5py.Dataset = group.file if name.startswith("/") else group
    for part in [part for part in name.split("/") if part]:
        if not isinstance(item, h5py.Group) or (part not in item and item.get(part, getlink=True) is None):
            raise KeyError(f"'{part}' of '{name}' is not in the file")
        item = _step(item, part, hops)
    if isinstance(item, h5py.Dataset):
        check_whole(item)
    return item


def _step(group: h5py.Group, part: str, hops: int) -> h5py.Group | h5py.Dataset:
    where = f"{group.name.rstrip('/')}/{part}"
    try:
        link = group.get(part, getlink=True)
    except TypeError as error:
        raise NotOwnError(f"'{where}' is a user-defined link; copy what it leads to into the file") from error
    if isinstance(link, h5py.ExternalLink):
        raise NotOwnError(f"'{where}' is an external link to {link.filename}; copy what it leads to into the file")
    if isinstance(link, h5py.SoftLink):
        if hops == 0:
            raise NotOwnError(f"'{where}' is a soft link that leads in circles; remove it")
        try:
            return own_item(group, link.path, hops - 1)
        except KeyError as error:
            raise NotOwnError(
                f"'{where}' is a soft link to '{link.path}', which is not in the file; mend it"
            ) from error
    return group[part]


def check_whole(dataset: h5py.Dataset) -> None:
    """Refuse a dataset that lies in other files, needs a filter that is not here, or of which parts were never written.

    Raises:
        NotOwnError: so it is.
    """
    name, made = dataset.name, dataset.id.get_create_plist()
    if made.get_layout() == h5py.h5d.VIRTUAL:
        raise NotOwnError(f"'{name}' is a virtual dataset, put together from others; copy its samples into the file")
    if made.get_external_count():
        other = made.get_external(0)[0]
        other = other.decode("utf-8", "replace") if isinstance(other, bytes) else other
        raise NotOwnError(f"'{name}' is stored outside, in {other}; copy its samples into the file")
    for number in range(made.get_nfilters()):
        code, _, _, label = made.get_filter(number)
        if not h5py.h5z.filter_avail(code):
            text = label.decode("ascii", "replace") if isinstance(label, bytes) else str(label)
            raise NotOwnError(f"'{name}' needs filter {code} ({text}), which is not here; write it anew with gzip")
    if dataset.dtype.kind == "O":
        raise NotOwnError(f"'{name}' holds {_kind(dataset)}, no numbers; write the samples themselves")
    _check_written(dataset, made)


def _kind(dataset: h5py.Dataset) -> str:
    reference = h5py.check_ref_dtype(dataset.dtype)
    if reference is not None:
        return "region references" if reference is h5py.RegionReference else "object references"
    return "texts" if h5py.check_string_dtype(dataset.dtype) is not None else "arrays of several lengths"


def _check_written(dataset: h5py.Dataset, made: h5py.h5p.PropDCID) -> None:
    if not dataset.shape or not dataset.size:
        return
    if made.get_layout() == h5py.h5d.CHUNKED:
        wanted = math.prod(math.ceil(n / part) for n, part in zip(dataset.shape, dataset.chunks, strict=True))
        # Counting takes a while; a file cannot hold more chunks than bytes.
        there = dataset.id.get_num_chunks() if wanted <= dataset.file.id.get_filesize() else -1
    else:
        # Contiguous storage is there as a whole or not at all.
        wanted, there = 1, int(dataset.id.get_storage_size() > 0)
    if there != wanted:
        said = "part" if there else "nothing"
        said = "less than its shape tells" if there < 0 else said
        raise NotOwnError(
            f"'{dataset.name}' of shape {dataset.shape} holds {said}: {max(there, 0)} of {wanted} blocks were written, "
            "the others would be read as zeros; make, import or download it again"
        )


def check_length(n_samples: int) -> None:
    """Refuse a trace longer than any recording.

    Raises:
        NotOwnError: so it is.
    """
    if n_samples > MAX_SAMPLES:
        raise NotOwnError(f"a trace of {n_samples} samples, where {MAX_SAMPLES} are allowed; cut it into shorter ones")
