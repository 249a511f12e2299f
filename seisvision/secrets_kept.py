"""Passwords, tokens and keys stay out of everything that is written or shown.

What counts as secret: the value of an environment variable whose name says so, user and password within an address,
and what follows a word such as ``password=`` or ``--token``.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from seisvision.errors import ConfigurationError

MASK = "***"
SHORTEST = 8
"""Characters of a value that is looked for everywhere: ``true`` or ``default`` would be found in every second line."""
SHORTEST_WITHIN = 12
"""Characters of a value that is looked for within longer settings, which are refused where they hold it."""
SECRET_WORDS = frozenset(
    ("key", "keys", "apikey", "token", "tokens", "secret", "secrets", "jwt", "password", "passwd", "passphrase")
) | {"credential", "credentials"}
"""Parts of the names of environment variables, between underscores; others may end in one, as PGPASSWORD does."""
SECRET_ENDS = ("password", "token", "secret", "apikey")
SECRET_NAME = (
    r"(?:password|passwd|passphrase|client_?secret|secret|api[_-]?key|access[_-]?key|private[_-]?key"
    r"|(?:auth|access|api|bearer|session|hf|wandb)[_-]?token|(?<!\w)token)"
)
USER_IN_ADDRESS = re.compile(r"(\b[a-zA-Z][a-zA-Z0-9+.-]+:/{1,2})[^/\s@'\"<>]+@")
"""With one stroke where an address was taken for the path of a file."""
SAID = re.compile(rf"({SECRET_NAME}['\"]?\s*[=:]\s*['\"]?|--[\w-]*{SECRET_NAME}\s+)[^\s'\"&,;]+", re.IGNORECASE)
ASKS_FOR_VALUE = re.compile(rf"--[\w-]*{SECRET_NAME}", re.IGNORECASE)
NAMED_SECRET = re.compile(rf"(?:^|[._-]){SECRET_NAME}$", re.IGNORECASE)


def redact(text: str) -> str:
    """The text with everything secret in it masked."""
    for value in secret_values():
        text = text.replace(value, MASK)
    text = USER_IN_ADDRESS.sub(rf"\1{MASK}@", text)
    return SAID.sub(rf"\1{MASK}", text)


def redact_words(words: Sequence[str]) -> list[str]:
    """Words of a command line with everything secret in them masked."""
    before = ["", *words]
    return [MASK if ASKS_FOR_VALUE.fullmatch(last) else redact(word) for last, word in zip(before, words, strict=False)]


def refuse_secrets(settings: Iterable[tuple[str, Any]]) -> None:
    """Refuse settings that hold something secret: runs keep, show and send them.

    Args:
        settings: names and values.

    Raises:
        ConfigurationError: names the setting, and not its value.
    """
    hidden = secret_values()
    for name, value in settings:
        if not isinstance(value, str) or not value:
            continue
        if any(one == value or (one in value and len(one) >= SHORTEST_WITHIN) for one in hidden):
            found = "what the environment holds as a secret"
        elif USER_IN_ADDRESS.search(value) and not re.match(r"(ssh|sftp|git)\S*://[^:@/]*@", value):
            found = "an address with a user or a password in it"
        elif NAMED_SECRET.search(name) or ASKS_FOR_VALUE.search(value):
            found = "a secret, by its name"
        else:
            continue
        raise ConfigurationError(
            f"{redact(name)} holds {found}, and a run keeps, shows and sends its settings. Leave it out, and let the "
            "code that needs it read the environment, ~/.netrc or a file of its own."
        )


def refuse_secret_words(words: Sequence[str]) -> None:
    """The same for the words of a command line, ``key=value`` and others.

    Raises:
        ConfigurationError: names the key, and not its value.
    """
    pairs = [word.partition("=") for word in words]
    refuse_secrets(
        (key.lstrip("+~") if is_pair else "a word", value if is_pair else key) for key, is_pair, value in pairs
    )


def secret_values() -> list[str]:
    """Values to hide that this process finds in its environment, the longest first."""
    found = set()
    for name, value in os.environ.items():
        if _is_secret(name):
            found.add(value)
        if name.lower().endswith("_proxy") or "://" in value:
            for user in re.findall(r"://([^/\s@]+)@", value):
                found |= {user, user.partition(":")[2]}
    return sorted((one for one in found if len(one) >= SHORTEST and not Path(one).exists()), key=len, reverse=True)


@contextlib.contextmanager
def out_of_environment(prefix: str) -> Iterator[None]:
    """Keep secret variables from processes that are started meanwhile.

    Args:
        prefix: with which their names begin.
    """
    hidden = {name: value for name, value in os.environ.items() if name.startswith(prefix) and _is_secret(name)}
    for name in hidden:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(hidden)


def _is_secret(name: str) -> bool:
    words = name.lower().split("_")
    return bool(SECRET_WORDS & set(words)) or words[-1].endswith(SECRET_ENDS)
