"""Where the files are: a folder or a zip, also in a folder of its own inside it. Nothing is ever unpacked to disk."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import cast

import msgspec
from msgspec.structs import replace

from connectors.errors import Unreadable
from connectors.textfiles import TextFile, file_on_disk, stamp_of

MAX_RATIO = 200  # rosters compress five- to twentyfold, a zip bomb a thousandfold
RATIO_FROM_BYTES = 1 << 24  # below, even a bomb does no harm

MAX_BYTES = 1 << 33  # unpacked; about fifty million enrolments


class Container(msgspec.Struct, frozen=True):
    """The files of one export.

    Attributes:
        name: The folder or zip as the administrator typed it.
        files: By lower-case name ("users.csv").
    """

    name: str
    files: Mapping[str, TextFile]


def find_files(base: Path, name: str, encoding: str) -> Container:
    """The CSV files in the folder or zip `name`, which is relative to `base`.

    Raises:
        Unreadable: It is missing, no zip, encrypted, suspiciously large, or holds two files of one name.
    """
    path = base / name
    try:
        if path.is_dir():
            return Container(name, _in_folder(path, name, encoding))
        return Container(name, _in_zip(path, name, encoding))
    except OSError as error:
        raise Unreadable(f"cannot be read: {error.strerror or error}", file=name) from error
    except zipfile.BadZipFile as error:
        raise Unreadable(f"is no zip, or cut off: {error}", file=name) from error


def _in_folder(path: Path, name: str, encoding: str) -> dict[str, TextFile]:
    """The folder itself, or else the only folder in it that has a users.csv."""
    folders = [path] if _has_users(path) else [inner for inner in sorted(path.iterdir()) if _has_users(inner)]
    if len(folders) > 1:
        raise Unreadable(f"has users.csv in several folders: {', '.join(folder.name for folder in folders)}", file=name)
    found: dict[str, TextFile] = {}
    for file in sorted((folders or [path])[0].glob("*")):
        if file.suffix.lower() == ".csv":
            typed = str(Path(name) / file.relative_to(path))
            _add(found, name, file.name, file_on_disk(file.parent, file.name, encoding), typed)
    return found


def _has_users(path: Path) -> bool:
    return path.is_dir() and any(inner.name.lower() == "users.csv" for inner in path.iterdir())


def _in_zip(path: Path, name: str, encoding: str) -> dict[str, TextFile]:
    found: dict[str, TextFile] = {}
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            inner = PurePosixPath(member.filename)
            if inner.suffix.lower() != ".csv" or inner.parts[0] == "__MACOSX":
                continue
            _refuse_dangerous(member, name)
            file = TextFile("", encoding, open=partial(_open_member, path, member), stamp=partial(stamp_of, path))
            _add(found, name, inner.name, file, f"{name}/{member.filename}")
    return found


def _add(found: dict[str, TextFile], container: str, name: str, file: TextFile, typed: str) -> None:
    if name.lower() in found:
        raise Unreadable(f"has two files called {name}: {found[name.lower()].name} and {typed}", file=container)
    found[name.lower()] = replace(file, name=typed)


def _refuse_dangerous(member: zipfile.ZipInfo, name: str) -> None:
    """The sizes are what the directory of the zip says; reading stops there even if more would follow.

    Raises:
        Unreadable: The member is encrypted or unpacks to much more than a roster would.
    """
    if member.flag_bits & 1:
        raise Unreadable(f"is encrypted: {member.filename}", file=name)
    bomb = member.file_size > RATIO_FROM_BYTES and member.file_size > MAX_RATIO * max(1, member.compress_size)
    if bomb or member.file_size > MAX_BYTES:
        raise Unreadable(f"unpacks to {member.file_size} bytes, too many: {member.filename}", file=name)


def _open_member(path: Path, member: zipfile.ZipInfo) -> io.BufferedIOBase:
    """Opens one member; the archive is closed with it, since zipfile counts who still reads."""
    with zipfile.ZipFile(path) as archive:
        return cast("io.BufferedIOBase", archive.open(member))  # the stubs know IO only
