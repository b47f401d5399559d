"""The key file: the installation's secrets, one line each, newest first.

A line is `eadm-sync-key-1 <id> <32 bytes as base64>`. The first key encrypts what is new; the others stay for what was
sealed with them before. The word `next` behind it marks a key that is known on every machine before it is used. What
keyed hashes are made with is derived from the last key, or stands in a line of its own once that key has been retired:
`eadm-sync-digest-1 <id> <32 bytes as base64>`. Empty lines and lines that begin with `#` are skipped.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import secrets
import stat
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from eadm_sync.errors import StateError

SECRET_BYTES = 32
_MARK = "eadm-sync-key-1"
_DIGEST_MARK = "eadm-sync-digest-1"
_NEXT = "next"
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_LARGEST_FILE = 64 * 1024  # some 900 keys; more is not a key file


class Use(StrEnum):
    """What a key is for."""

    SEAL = "seal"
    """The first of them seals what is new; all of them open."""
    NEXT = "next"
    """Opens what another machine has sealed with it already; seals nothing here yet."""
    DIGEST = "digest"
    """Makes keyed hashes, and opens nothing."""


@dataclass(frozen=True, slots=True)
class Key:
    """One secret of the installation; its repr shows the id only.

    Attributes:
        id: At most 32 lower-case letters, digits and hyphens; stored beside what the key seals.
        secret: 32 random bytes.
        use: What it is for.
    """

    id: str
    secret: bytes = field(repr=False)
    use: Use = field(default=Use.SEAL, repr=False)


def write_key_file(path: Path, *, random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> Key:
    """Writes a new key file with one fresh key, readable by its owner only, and never over an existing one.

    Args:
        path: Where; missing folders are made, readable by their owner only.
        random_bytes: Source of randomness.

    Raises:
        StateError: The file exists already, or cannot be written.
    """
    key = _fresh(random_bytes)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(path, _line(key) + "\n")
    except OSError as error:
        if path.exists():
            raise StateError(f"key file {path}: exists already and is never overwritten") from error
        raise StateError(f"key file {path}: cannot be written: {error.strerror}") from error
    return key


def prepare_key(path: Path, *, random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> Key:
    """Puts a fresh key on top of a key file that is used by nobody yet, so that the file can be copied first.

    Raises:
        StateError: There is such a key already, or the file is wrong or cannot be written.
    """
    if any(key.use is Use.NEXT for key in read_keys(path)):
        raise StateError(f"key file {path}: holds a key that is not used yet; 'eadm-sync key rotate' uses it")
    key = _fresh(random_bytes, Use.NEXT)
    _rewrite(path, [_line(key), *_lines(path)])
    return key


def rotate_keys(path: Path, *, random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> Key:
    """Has the key that was prepared, or a fresh one, seal all that is new from now on; the others stay for reading.

    Raises:
        StateError: The file is wrong or cannot be written.
    """
    prepared = next((key for key in read_keys(path) if key.use is Use.NEXT), None)
    key = _fresh(random_bytes) if prepared is None else Key(prepared.id, prepared.secret)
    _rewrite(path, [_line(key), *_without(path, {key.id})])
    return key


def remove_keys(path: Path, ids: Collection[str], digest: bytes) -> None:
    """Takes keys out of a key file. What they sealed can be read by nobody any more.

    Args:
        path: The key file.
        ids: Of the keys; what is not there any more is passed over.
        digest: What keyed hashes are made with, to be kept in a line of its own: it may be derived from one of them.

    Raises:
        StateError: The file is wrong or cannot be written.
    """
    keys = read_keys(path)
    rest = _without(path, set(ids))
    if all(key.use is not Use.DIGEST for key in keys):
        rest.append(_line(Key(_DIGEST_ID, digest, Use.DIGEST)))
    _rewrite(path, rest)


_DIGEST_ID = "digest"


def read_keys(path: Path) -> tuple[Key, ...]:
    """All keys of a key file, newest first; at least one that seals.

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
    if not any(key.use is Use.SEAL for key in keys.values()):
        raise StateError(f"key file {path}: holds no key")
    return tuple(keys.values())


def _fresh(random_bytes: Callable[[int], bytes], use: Use = Use.SEAL) -> Key:
    return Key(random_bytes(4).hex(), random_bytes(SECRET_BYTES), use)


def _line(key: Key) -> str:
    mark = _DIGEST_MARK if key.use is Use.DIGEST else _MARK
    words = (mark, key.id, base64.b64encode(key.secret).decode(), *((_NEXT,) if key.use is Use.NEXT else ()))
    return " ".join(words)


def _lines(path: Path) -> list[str]:
    return _read(path).splitlines()


def _without(path: Path, ids: Collection[str]) -> list[str]:
    """The lines of a key file, comments included, but those of some keys."""
    return [line for line in _lines(path) if (key := _parse(line)) is None or key.id not in ids]


def _rewrite(path: Path, lines: list[str]) -> None:
    """Replaces a key file as a whole: at every moment, and after a power cut, it is the old one or the new one."""
    whole = path.resolve()
    fresh = whole.with_name(f"{whole.name}.new")
    try:
        fresh.unlink(missing_ok=True)  # of an attempt that was cut short
        _write(fresh, "\n".join(lines) + "\n")
        fresh.replace(whole)
        _sync_folder(whole.parent)
    except OSError as error:
        raise StateError(f"key file {path}: cannot be replaced: {error.strerror}; it is as it was") from error


def _write(path: Path, text: str) -> None:
    """Writes a file that only its owner can read, and never over another."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())  # what is sealed with a key that a power cut took is lost for good


def _sync_folder(folder: Path) -> None:
    """Makes sure that a new name in a folder outlives a power cut; Windows does so by itself."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())  # of the open file: nobody can swap it between test and reading
            if os.name == "posix" and status.st_mode & 0o077:
                mode = stat.S_IMODE(status.st_mode)
                raise StateError(f"key file {path}: mode {mode:04o} lets others at it; run: chmod 600 {path}")
            raw = file.read(_LARGEST_FILE + 1)
    except FileNotFoundError as error:
        advice = "put its copy back, or make one for a new installation with 'eadm-sync key new'"
        raise StateError(f"key file {path}: is not there: {advice}") from error
    except OSError as error:
        raise StateError(f"key file {path}: cannot be read: {error.strerror}") from error
    if len(raw) > _LARGEST_FILE or not raw.isascii():
        raise StateError(f"key file {path}: is not a key file")
    return raw.decode("ascii")


def _parse(line: str) -> Key | None:
    match line.split():
        case [mark, id_, encoded] if mark == _MARK:
            return _key(id_, encoded, Use.SEAL)
        case [mark, id_, encoded, word] if mark == _MARK and word == _NEXT:
            return _key(id_, encoded, Use.NEXT)
        case [mark, id_, encoded] if mark == _DIGEST_MARK:
            return _key(id_, encoded, Use.DIGEST)
        case _:
            return None


def _key(id_: str, encoded: str, use: Use) -> Key | None:
    if not _ID.fullmatch(id_):
        return None
    try:
        secret = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return None
    return Key(id_, secret, use) if len(secret) == SECRET_BYTES else None
