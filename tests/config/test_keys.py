"""The key file: written once, read strictly, never shown."""

import base64
import os
import stat
from pathlib import Path

import pytest

from eadm_sync.config.keys import (
    SECRET_BYTES,
    Key,
    Use,
    prepare_key,
    read_keys,
    remove_keys,
    rotate_keys,
    write_key_file,
)
from eadm_sync.errors import StateError

SECRET = base64.b64encode(bytes(range(32))).decode()


def key_file(folder: Path, text: str, mode: int = 0o600) -> Path:
    """A key file with this text and mode."""
    path = folder / "test.key"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_written_key_is_read_back(tmp_path: Path) -> None:
    """A fresh file holds one key of 32 bytes, in a folder made for it, for its owner's eyes only."""
    path = tmp_path / "var" / "new.key"
    key = write_key_file(path)
    assert read_keys(path) == (key,)
    assert len(key.secret) == SECRET_BYTES
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_every_key_is_fresh(tmp_path: Path) -> None:
    """Two installations never share a key."""
    first, second = write_key_file(tmp_path / "a"), write_key_file(tmp_path / "b")
    assert first.secret != second.secret
    assert first.id != second.id


def test_a_key_file_is_never_overwritten(tmp_path: Path) -> None:
    """Running the set-up twice cannot destroy the only key to the data."""
    path = tmp_path / "a.key"
    key = write_key_file(path)
    with pytest.raises(StateError, match="exists already"):
        write_key_file(path)
    assert read_keys(path) == (key,)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """A file where a folder should be gives an error of ours."""
    (tmp_path / "var").write_text("")
    with pytest.raises(StateError, match="cannot be written"):
        write_key_file(tmp_path / "var" / "a.key")


def test_older_keys_follow_the_newest(tmp_path: Path) -> None:
    """The order of the lines is the order of the keys; comments and empty lines count for nothing."""
    path = key_file(tmp_path, f"# rotated in May\neadm-sync-key-1 new {SECRET}\n\neadm-sync-key-1 old {SECRET}\n")
    assert [key.id for key in read_keys(path)] == ["new", "old"]


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o602, 0o660])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    """The error says what to type."""
    path = key_file(tmp_path, f"eadm-sync-key-1 a {SECRET}\n", mode)
    with pytest.raises(StateError, match=f"{mode:04o}.*chmod 600"):
        read_keys(path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        # lines that are not keys
        (f"eadm-sync-key-1 a {SECRET}\nhunter2\n", "line 2 is not a key"),
        (f"eadm-sync-key-2 a {SECRET}\n", "line 1 is not a key"),
        ("eadm-sync-key-1 a AAAA\n", "line 1 is not a key"),
        ("eadm-sync-key-1 a hunter2!\n", "line 1 is not a key"),
        (f"eadm-sync-key-1 A/b {SECRET}\n", "line 1 is not a key"),
        # keys that cannot be told apart
        (f"eadm-sync-key-1 a {SECRET}\neadm-sync-key-1 a {SECRET}\n", "line 2 repeats"),
        # no keys at all
        ("", "holds no key"),
        ("æ", "is not a key file"),
        ("#" * 70_000, "is not a key file"),
    ],
)
def test_a_broken_key_file_is_told_by_line_and_never_quoted(tmp_path: Path, text: str, says: str) -> None:
    """Whatever stands in the file may be a secret, so the error shows the number of the line only."""
    with pytest.raises(StateError, match=says) as caught:
        read_keys(key_file(tmp_path, text))
    assert "hunter2" not in str(caught.value)


def test_a_missing_key_file_is_told(tmp_path: Path) -> None:
    """No key, no run."""
    with pytest.raises(StateError, match="is not there: put its copy back"):
        read_keys(tmp_path / "none.key")


def test_a_key_never_shows_its_secret() -> None:
    """Neither in a log nor in a traceback."""
    assert repr(Key("a", b"hunter2")) == "Key(id='a')"


# ---------------------------------------------------------------- rotation


def test_a_rotated_file_keeps_everything_else(tmp_path: Path) -> None:
    """The new key stands on top; older keys and comments stay; nobody else can read it."""
    path = key_file(tmp_path, f"# kept in the safe, too\neadm-sync-key-1 old {SECRET}\n")

    key = rotate_keys(path)

    assert [one.id for one in read_keys(path)] == [key.id, "old"]
    assert "# kept in the safe, too" in path.read_text(encoding="ascii")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_a_prepared_key_is_the_one_that_is_rotated_to(tmp_path: Path) -> None:
    """It opens before it seals."""
    path = key_file(tmp_path, f"eadm-sync-key-1 old {SECRET}\n")

    prepared = prepare_key(path)

    assert [(key.id, key.use) for key in read_keys(path)] == [(prepared.id, Use.NEXT), ("old", Use.SEAL)]
    assert rotate_keys(path) == Key(prepared.id, prepared.secret)
    assert [(key.id, key.use) for key in read_keys(path)] == [(prepared.id, Use.SEAL), ("old", Use.SEAL)]


def test_what_hashes_are_made_with_outlives_its_key(tmp_path: Path) -> None:
    """It is written down once, when the first key goes."""
    path = key_file(tmp_path, f"eadm-sync-key-1 new {SECRET}\neadm-sync-key-1 old {SECRET}\n")

    remove_keys(path, ["old"], b"d" * 32)
    remove_keys(path, ["gone"], b"e" * 32)

    assert read_keys(path) == (
        Key("new", read_keys(path)[0].secret),
        Key("digest", b"d" * 32, Use.DIGEST),
    )


@pytest.mark.parametrize("broken", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_file_that_cannot_be_replaced_is_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: BaseException
) -> None:
    """A full disk, or Ctrl-C, in the middle loses no key; the next attempt succeeds."""
    path = key_file(tmp_path, f"eadm-sync-key-1 old {SECRET}\n")
    before = path.read_bytes()

    def fails(_descriptor: int) -> None:
        raise broken

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fails)
        with pytest.raises((StateError, KeyboardInterrupt)):
            rotate_keys(path)

    assert path.read_bytes() == before
    rotate_keys(path)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    "text",
    [
        # nothing seals
        f"eadm-sync-digest-1 digest {SECRET}\n",
        f"eadm-sync-key-1 a {SECRET} next\n",
        # no such word, no such mark
        f"eadm-sync-key-1 a {SECRET} later\n",
        f"eadm-sync-digest-1 digest {SECRET} next\n",
    ],
)
def test_a_file_that_nothing_can_be_sealed_with_is_refused(tmp_path: Path, text: str) -> None:
    """Neither a prepared key nor the one of hashes is enough."""
    with pytest.raises(StateError):
        read_keys(key_file(tmp_path, text))
