"""Files are whole or not there, on file systems that do not offer everything as well."""

import errno
import os

import pytest

from linear_grokking.runtime.files import whole_file


def refuse(monkeypatch, call, code):
    def refusing(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, call, refusing)


def write(path):
    with whole_file(path) as temporary:
        temporary.write_text("new")


@pytest.mark.parametrize("code", ["EINVAL", "ENOSYS", "ENOTSUP", "EOPNOTSUPP"])
def test_a_file_system_without_fsync_gets_its_files(tmp_path, monkeypatch, code):
    refuse(monkeypatch, "fsync", getattr(errno, code))
    write(tmp_path / "folder/file.txt")
    assert (tmp_path / "folder/file.txt").read_text() == "new"
    assert os.listdir(tmp_path / "folder") == ["file.txt"]


@pytest.mark.parametrize("code", ["EIO", "ENOSPC", "EDQUOT"])
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_what_was_not_written_is_an_error_and_leaves_the_old_file(
    tmp_path, monkeypatch, call, code
):
    (tmp_path / "file.txt").write_text("old")
    refuse(monkeypatch, call, getattr(errno, code))
    with pytest.raises(OSError, match=os.strerror(getattr(errno, code))):
        write(tmp_path / "file.txt")
    assert (tmp_path / "file.txt").read_text() == "old"
    assert os.listdir(tmp_path) == ["file.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_whatever_fails_leaves_no_temporary(tmp_path, error):
    with pytest.raises(error), whole_file(tmp_path / "file.txt") as temporary:
        temporary.write_text("half")
        raise error
    assert not os.listdir(tmp_path)
