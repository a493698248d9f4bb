from __future__ import annotations

import gzip
import hashlib
import io
import re
import tarfile
import time

import numpy as np
import pytest

from lightning_modules.data import download
from lightning_modules.data.cifar import cifar10
from lightning_modules.data.download import Archive, Remote, fetch_archive, fetch_files
from lightning_modules.data.errors import DataError
from lightning_modules.data.idx import mnist

CONTENT = np.random.default_rng(0).bytes(300_000)


def checksum(content: bytes) -> str:
    return f"md5:{hashlib.md5(content).hexdigest()}"


def packed(**files: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"folder/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


@pytest.fixture
def get(server, tmp_path):
    """get(): downloads a.bin from the server, checks it and returns the folder."""
    server.files["a.bin"] = CONTENT

    def fetch(known=CONTENT):
        fetch_files({"raw/a.bin": Remote(server.url + "a.bin", checksum(known))}, tmp_path, data="mine")
        assert (tmp_path / "raw/a.bin").read_bytes() == CONTENT
        assert [file.name for file in (tmp_path / "raw").iterdir()] == ["a.bin"], "nothing half written"

    return fetch


def test_what_is_absent_is_downloaded_once(server, get):
    get()
    get()
    assert server.requests == 1


def test_what_is_there_is_used_as_it_is(server, get, tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/a.bin").write_bytes(CONTENT)
    get(known=b"another")
    assert server.requests == 0
    assert [file.name for file in tmp_path.iterdir()] == ["raw"]


def test_a_broken_download_is_tried_once_more_and_then_an_error(server, get, tmp_path):
    server.break_after = [100_000]
    get()
    (tmp_path / "raw/a.bin").unlink()
    server.break_after = [100_000, 0]
    with pytest.raises(DataError, match=r"raw/a.bin is not in .* \(.*a.bin broke off\): try again, or put"):
        get()
    assert server.requests == 4


def test_a_failed_download_leaves_no_empty_folder(server, get, tmp_path):
    del server.files["a.bin"]
    with pytest.raises(DataError, match="answered 404"):
        get()
    assert [file.name for file in tmp_path.iterdir()] == [".mine.lock"]


def test_a_wrong_checksum_leaves_nothing(get, tmp_path):
    with pytest.raises(DataError, match=r"a.bin has a wrong checksum\): try again later, or put"):
        get(known=b"another")
    assert not (tmp_path / "raw").exists()


def test_no_network_is_one_quick_sentence(server, tmp_path):
    server.http.shutdown()
    server.http.server_close()
    before = time.monotonic()
    with pytest.raises(DataError) as caught:
        cifar10(tmp_path, url=server.url + "cifar-10-binary.tar.gz")
    assert time.monotonic() - before < 10
    assert str(caught.value) == (
        f"data=cifar10: cifar-10-batches-bin/data_batch_1.bin is not in {tmp_path} and could not be downloaded "
        "(no network): put the files of cifar-10-binary.tar.gz there, or set data_dir or SKIPBENCH_DATA to the folder "
        "that holds them"
    )
    with pytest.raises(DataError, match=re.escape("data=mnist: MNIST/raw/train-images-idx3-ubyte.gz is not in")):
        mnist(tmp_path, url=server.url)


def test_an_archive_is_unpacked_and_removed(server, tmp_path):
    server.files["x.tar.gz"] = content = packed(a=b"first", b=b"second", c=b"unwanted")
    archive = Archive(server.url + "x.tar.gz", checksum(content))
    fetch_archive(archive, tmp_path, ["folder/a", "folder/b"], data="mine")
    assert (tmp_path / "folder/b").read_bytes() == b"second"
    assert sorted(file.name for file in tmp_path.rglob("*")) == [".mine.lock", "a", "b", "folder"]


def test_an_archive_that_lies_there_is_used_and_kept(tmp_path):
    (tmp_path / "x.tar.gz").write_bytes(packed(a=b"first"))
    fetch_archive(Archive("http://127.0.0.1:1/x.tar.gz", "md5:0"), tmp_path, ["folder/a"], data="mine")
    assert (tmp_path / "x.tar.gz").is_file()


def test_a_users_files_are_never_overwritten(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/a").write_bytes(b"mine")
    (tmp_path / "x.tar.gz").write_bytes(packed(a=b"first", b=b"second"))
    fetch_archive(Archive("http://127.0.0.1:1/x.tar.gz", "md5:0"), tmp_path, ["folder/a", "folder/b"], data="mine")
    assert (tmp_path / "folder/a").read_bytes() == b"mine"
    assert (tmp_path / "folder/b").read_bytes() == b"second"


WHOLE = packed(a=CONTENT, b=CONTENT)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (WHOLE[: len(WHOLE) // 2], "is not a whole x.tar.gz: delete it"),
        (b"<html>", "is not a whole x.tar.gz: delete it"),
        (gzip.compress(b"no tar"), "is not a whole x.tar.gz: delete it"),
        (b"", "is not a whole x.tar.gz: delete it"),
        (packed(a=b"first"), "lacks folder/b: delete it"),
    ],
    ids=["cut", "foreign", "no tar", "empty", "lacking"],
)
def test_a_damaged_archive_is_named_and_leaves_nothing(tmp_path, content, message):
    (tmp_path / "x.tar.gz").write_bytes(content)
    with pytest.raises(DataError, match=f"^data=mine: {tmp_path}/x.tar.gz {message}"):
        fetch_archive(Archive("http://127.0.0.1:1/x.tar.gz", "md5:0"), tmp_path, ["folder/a", "folder/b"], data="mine")
    assert sorted(file.name for file in tmp_path.iterdir()) == [".mine.lock", "x.tar.gz"]


def test_an_interrupted_unpacking_is_completed_by_the_next_call(tmp_path, monkeypatch):
    (tmp_path / "x.tar.gz").write_bytes(packed(a=b"first", b=b"second"))
    archive, names, real = (
        Archive("http://127.0.0.1:1/x.tar.gz", "md5:0"),
        ["folder/a", "folder/b"],
        download.os.replace,
    )

    def once(source, target):
        monkeypatch.setattr(download.os, "replace", interrupt)
        real(source, target)

    def interrupt(source, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(download.os, "replace", once)
    with pytest.raises(KeyboardInterrupt):
        fetch_archive(archive, tmp_path, names, data="mine")
    assert [(tmp_path / name).exists() for name in names] == [True, False]
    monkeypatch.setattr(download.os, "replace", real)
    fetch_archive(archive, tmp_path, names, data="mine")
    assert (tmp_path / "folder/b").read_bytes() == b"second"


def test_an_archive_cannot_point_outside_its_folder(tmp_path):
    out, link = io.BytesIO(), tarfile.TarInfo("folder/a")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        archive.addfile(link)
    (tmp_path / "x.tar.gz").write_bytes(out.getvalue())
    with pytest.raises(DataError, match=r"is not a whole x\.tar\.gz"):
        fetch_archive(Archive("http://127.0.0.1:1/x.tar.gz", "md5:0"), tmp_path, ["folder/a"], data="mine")
    assert not (tmp_path / "folder/a").is_symlink()


def test_a_full_disk_is_one_sentence(server, get, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pooch.core.shutil.move", full)
    with pytest.raises(
        DataError, match=r"\(writing .*a.bin: No space left on device\): free some space or set data_dir"
    ):
        get()


def test_a_folder_that_cannot_be_is_one_sentence(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match=r"is not in .*/file, where nothing can be written"):
        cifar10(tmp_path / "file")
