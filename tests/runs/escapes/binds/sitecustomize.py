"""Imported by every Python that starts with this folder on its path: notes the addresses to which it binds a socket."""

import os
import sys
from pathlib import Path


def _note(event: str, arguments: tuple) -> None:
    # Sockets of the file system have a name and no address.
    if event == "socket.bind" and isinstance(arguments[1], tuple):
        with Path(os.environ["SEISVISION_TEST_BINDS"]).open("a", encoding="utf-8") as file:
            file.write(f"{arguments[1][0] or '0.0.0.0'}\n")


sys.addaudithook(_note)
