"""The key file: the installation's secrets, one line each, newest first.

A line is `eadm-sync-key-1 <id> <32 bytes as base64>`. The first key encrypts what is new; the others stay for what was
sealed with them before. Empty lines and lines that begin with `#` are skipped.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import secrets
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from eadm_sync.errors import StateError

SECRET_BYTES = 32
_MARK = "eadm-sync-key-1"
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_LARGEST_FILE = 64 * 1024  # some 900 keys; more is not a key file


@dataclass(frozen=True, slots=True)
class Key:
    """One secret of the installation; its repr shows the id only.

    Attributes:
        id: At most 32 lower-case letters, digits and hyphens; stored beside what the key seals.
        secret: 32 random bytes.
    """

    id: str
    secret: bytes = field(repr=False)


def write_key_file(path: Path, *, random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> Key:
    """Writes a new key file with one fresh key, readable by its owner only, and never over an existing one.

    Args:
        path: Where; missing folders are made, readable by their owner only.
        random_bytes: Source of randomness.

    Raises:
        StateError: The file exists already, or cannot be written.
    """
    key = Key(random_bytes(4).hex(), random_bytes(SECRET_BYTES))
    line = f"{_MARK} {key.id} {base64.b64encode(key.secret).decode()}\n"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())  # what is sealed with a key that a power cut took is lost for good
    except OSError as error:
        if path.exists():
            raise StateError(f"key file {path}: exists already and is never overwritten") from error
        raise StateError(f"key file {path}: cannot be written: {error.strerror}") from error
    return key


def read_keys(path: Path) -> tuple[Key, ...]:
    """All keys of a key file, newest first; at least one.

    Raises:
        StateError: The file is missing, others than its owner may read or write it, or a line is not a key (told by
            its number, never by its content).
    """
    keys: dict[str, Key] = {}
    for number, line in enumerate(_read(path).splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        key = _parse(line)
        if key is None:
            raise StateError(f"key file {path}: line {number} is not a key ('{_MARK} <id> <base64 of 32 bytes>')")
        if key.id in keys:
            raise StateError(f"key file {path}: line {number} repeats the id '{key.id}'")
        keys[key.id] = key
    if not keys:
        raise StateError(f"key file {path}: holds no key")
    return tuple(keys.values())


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())  # of the open file: nobody can swap it between test and reading
            if os.name == "posix" and status.st_mode & 0o077:
                mode = stat.S_IMODE(status.st_mode)
                raise StateError(f"key file {path}: mode {mode:04o} lets others at it; run: chmod 600 {path}")
            raw = file.read(_LARGEST_FILE + 1)
    except FileNotFoundError as error:
        advice = "put its copy back, or make one for a new installation with 'eadm-sync key'"
        raise StateError(f"key file {path}: is not there: {advice}") from error
    except OSError as error:
        raise StateError(f"key file {path}: cannot be read: {error.strerror}") from error
    if len(raw) > _LARGEST_FILE or not raw.isascii():
        raise StateError(f"key file {path}: is not a key file")
    return raw.decode("ascii")


def _parse(line: str) -> Key | None:
    match line.split():
        case [mark, id_, encoded] if mark == _MARK and _ID.fullmatch(id_):
            try:
                secret = base64.b64decode(encoded, validate=True)
            except binascii.Error:
                return None
            return Key(id_, secret) if len(secret) == SECRET_BYTES else None
        case _:
            return None
