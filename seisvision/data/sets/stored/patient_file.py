"""A file that HDF5 writes to without ever hearing of a full disk, for it ends the process when a write fails."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np


class PatientFile:
    """A new file, given to ``h5py.File`` in place of a name.

    The first error is kept, and what is written from then on stays in memory, so that HDF5 finds what it wrote.
    :meth:`check` raises the error; ask after every piece of work, so that little is kept.

    Args:
        path: the file; what it held is lost.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666)
        self._place = 0
        self._end = 0
        self._error: OSError | None = None
        self._unwritten: list[tuple[int, np.ndarray]] = []

    def check(self) -> None:
        """Raise the error of the disk, if there was one.

        Raises:
            OSError: the disk is full or cannot be written to; it names the file.
        """
        if self._error is not None:
            raise self._error

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place, as other files do."""
        self._place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._end}[whence]
        return self._place

    def tell(self) -> int:
        """The place."""
        return self._place

    def write(self, data: memoryview) -> int:
        """Write all of ``data``."""
        content = np.frombuffer(data, dtype=np.uint8)
        n_done = 0
        while n_done < len(content) and self._error is None:
            try:
                n_done += os.pwrite(self._handle, content[n_done:].data, self._place + n_done)
            except OSError as error:
                self._keep(error)
        if n_done < len(content):
            self._unwritten.append((self._place + n_done, content[n_done:].copy()))
        self._place += len(content)
        self._end = max(self._end, self._place)
        return len(content)

    def readinto(self, buffer: memoryview) -> int:
        """Read as much as there is room for; zeros where nothing was written."""
        content = np.frombuffer(buffer, dtype=np.uint8)
        content[:] = 0
        n_read = 0
        while n_read < len(content):
            n = os.preadv(self._handle, [content[n_read:].data], self._place + n_read)
            if n == 0:
                break
            n_read += n
        for place, unwritten in self._unwritten:
            first, last = max(place, self._place), min(place + len(unwritten), self._place + len(content))
            if first < last:
                content[first - self._place : last - self._place] = unwritten[first - place : last - place]
        self._place += len(content)
        return len(content)

    def read(self, size: int) -> bytes:
        """Read ``size`` bytes; what makes this a file to h5py, which then uses :meth:`readinto`."""
        buffer = bytearray(size)
        self.readinto(memoryview(buffer))
        return bytes(buffer)

    def truncate(self, size: int) -> int:
        """Let the file end there."""
        try:
            os.ftruncate(self._handle, size)
        except OSError as error:
            self._keep(error)
        self._end = size
        return size

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Close the file, and forget what could not be written."""
        os.close(self._handle)
        self._unwritten = []

    def _keep(self, error: OSError) -> None:
        if self._error is None:
            self._error = OSError(error.errno, error.strerror, str(self.path))
