"""Downloads against a local server that cuts, lies, changes its mind or is not there."""

import errno
import hashlib
import io
import os
import socket
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from web_server import Server

from lessons.data import download
from lessons.data.download import download_voc
from lessons.downloads import disk, fetch, fetching, unpacked
from lessons.errors import DataError, LessonsError

CONTENT = bytes(range(256)) * 400  # 102,400 bytes
MD5 = hashlib.md5(CONTENT).hexdigest()
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(fetching, "PAUSE", 0.0)
    server = Server()
    yield server
    server.close()


def get(urls, path, **options):
    return fetch(urls, path, progress=False, timeout=5, **options)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# ------------------------------------------------------------------------------------------- one file


@pytest.mark.parametrize(
    "checks", [{}, {"md5": MD5}, {"sha256": SHA256.upper()}, {"md5": MD5, "sha256": SHA256}]
)
def test_a_whole_file_arrives_and_nothing_else_is_left(server, tmp_path, checks):
    target = tmp_path / "mit Leerzeichen é" / "file.bin"
    assert get(server.serve("/file", CONTENT), target, **checks) == target
    assert target.read_bytes() == CONTENT
    assert names(target.parent) == ["file.bin"]


def test_the_second_call_asks_nobody(server, tmp_path):
    url = server.serve("/file", CONTENT)
    get(url, tmp_path / "file.bin", md5=MD5)
    get(url, tmp_path / "file.bin", md5=MD5)
    assert len(server.requests) == 1


def test_another_file_of_that_name_is_never_overwritten(server, tmp_path):
    mine = tmp_path / "file.bin"
    mine.write_text("mine")
    with pytest.raises(LessonsError, match="move it away") as error:
        get(server.serve("/file", CONTENT), mine, md5=MD5)
    assert str(mine) in str(error.value)
    assert mine.read_text() == "mine" and server.requests == []


@pytest.mark.parametrize("length", [True, False])
def test_a_wrong_checksum_leaves_no_file(server, tmp_path, length):
    url = server.serve("/file", CONTENT[:-1] + b"?", length=length)
    with pytest.raises(LessonsError, match=f"MD5 is [0-9a-f]{{32}}, not {MD5}") as error:
        get(url, tmp_path / "file.bin", md5=MD5)
    assert "file.bin" in str(error.value) and url in str(error.value)
    assert names(tmp_path) == []


def test_a_wrong_mirror_is_skipped_for_a_right_one(server, tmp_path):
    wrong, right = server.serve("/wrong", b"<html>log in</html>"), server.serve("/right", CONTENT)
    get([wrong, right], tmp_path / "file.bin", md5=MD5)
    assert (tmp_path / "file.bin").read_bytes() == CONTENT
    assert server.requests == [("/wrong", None), ("/right", None)]


def test_a_cut_connection_is_taken_up_where_it_ended(server, tmp_path):
    url = server.serve("/file", CONTENT, cuts=[1000, 50_000])
    get(url, tmp_path / "file.bin")
    assert (tmp_path / "file.bin").read_bytes() == CONTENT
    assert [asked for _, asked in server.requests] == [None, "bytes=1000-", "bytes=51000-"]


def test_a_later_call_asks_only_for_the_missing_bytes(server, tmp_path):
    url = server.serve("/file", CONTENT, cuts=[70_000, 0, 0, 0])
    with pytest.raises(LessonsError, match="ended after 70,000 of 102,400 bytes"):
        get(url, tmp_path / "file.bin", md5=MD5)
    assert (tmp_path / "file.bin.part").stat().st_size == 70_000 and not (tmp_path / "file.bin").exists()
    server.requests.clear()
    get(url, tmp_path / "file.bin", md5=MD5)
    assert server.requests == [("/file", "bytes=70000-")]
    assert (tmp_path / "file.bin").read_bytes() == CONTENT and names(tmp_path) == ["file.bin"]


def test_the_next_mirror_gives_the_rest_when_a_checksum_can_tell(server, tmp_path):
    dying, second = server.serve("/dying", CONTENT, cuts=[40_000, 0, 0, 0]), server.serve("/second", CONTENT)
    get([dying, second], tmp_path / "file.bin", md5=MD5)
    assert server.requests[-1] == ("/second", "bytes=40000-")
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


def test_without_a_checksum_pieces_of_two_mirrors_are_not_joined(server, tmp_path):
    dying, second = (
        server.serve("/dying", CONTENT, cuts=[40_000, 0, 0, 0]),
        server.serve("/second", CONTENT[::-1]),
    )
    get([dying, second], tmp_path / "file.bin")
    assert server.requests[-1] == ("/second", None)
    assert (tmp_path / "file.bin").read_bytes() == CONTENT[::-1]


def test_a_server_without_ranges_sends_all_again(server, tmp_path):
    url = server.serve("/file", CONTENT, cuts=[30_000], ranges=False)
    get(url, tmp_path / "file.bin", md5=MD5)
    assert [asked for _, asked in server.requests] == [None, "bytes=30000-"]
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


def test_a_server_without_ranges_that_always_cuts_is_given_up(server, tmp_path):
    url = server.serve("/file", CONTENT, cuts=[30_000, 20_000] * 20, ranges=False)
    with pytest.raises(LessonsError, match="connection ended"):
        get(url, tmp_path / "file.bin")
    assert len(server.requests) <= 5


@pytest.mark.parametrize("changed", [CONTENT[::-1], CONTENT[::-1] + b"longer", CONTENT[::-1][:60_000]])
@pytest.mark.parametrize("if_range", [True, False])
@pytest.mark.parametrize("etag", ['"second"', ""])
def test_a_file_that_changed_on_the_server_is_not_spliced(server, tmp_path, changed, if_range, etag):
    """Seen by If-Range; where the server ignores that, by the total size or, in the end, by the checksum."""
    url = server.serve("/file", CONTENT, cuts=[70_000, 0, 0, 0])
    with pytest.raises(LessonsError):
        get(url, tmp_path / "file.bin", md5=MD5)
    server.serve("/file", changed, etag=etag, if_range=if_range)
    get(url, tmp_path / "file.bin", md5=hashlib.md5(changed).hexdigest())
    assert (tmp_path / "file.bin").read_bytes() == changed


@pytest.mark.parametrize(("changed", "if_range"), [(CONTENT[::-1], True), (CONTENT[::-1] + b"longer", False)])
def test_a_changed_file_is_not_spliced_without_a_checksum_either(server, tmp_path, changed, if_range):
    url = server.serve("/file", CONTENT, cuts=[70_000, 0, 0, 0])
    with pytest.raises(LessonsError):
        get(url, tmp_path / "file.bin")
    server.serve("/file", changed, etag='"second"', if_range=if_range)
    get(url, tmp_path / "file.bin")
    assert (tmp_path / "file.bin").read_bytes() == changed


def test_without_checksum_and_version_mark_all_is_asked_again(server, tmp_path):
    url = server.serve("/file", CONTENT, cuts=[1000, 0], etag="")
    get(url, tmp_path / "file.bin")
    assert {asked for _, asked in server.requests} == {None}
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


def test_a_half_file_that_is_already_whole_is_only_checked_and_renamed(server, tmp_path):
    url = server.serve("/file", CONTENT)
    (tmp_path / "file.bin.part").write_bytes(CONTENT)
    fetching._write_note(tmp_path / "file.bin.part", fetching._Note(url, '"first"', len(CONTENT)))
    get(url, tmp_path / "file.bin", md5=MD5)
    assert server.requests == [("/file", f"bytes={len(CONTENT)}-")]
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


@pytest.mark.parametrize(
    "note", ["", "{", '{"url": 1}', '["url"]', '{"url":"x","validator":"","total":"much"}']
)
def test_a_damaged_note_only_costs_the_bytes(server, tmp_path, note):
    (tmp_path / "file.bin.part").write_bytes(b"old bytes")
    (tmp_path / "file.bin.part.json").write_text(note)
    get(server.serve("/file", CONTENT), tmp_path / "file.bin")
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


def test_missing_on_one_mirror_then_the_next(server, tmp_path):
    urls = [server.url("/gone"), server.serve("/error", b"", status=503), server.serve("/file", CONTENT)]
    get(urls, tmp_path / "file.bin", md5=MD5)
    assert [path for path, _ in server.requests] == ["/gone", "/error", "/file"]


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_when_no_mirror_answers_the_sentence_names_each_and_why(server, tmp_path):
    refused = f"http://127.0.0.1:{closed_port()}/file"
    urls = [server.url("/gone"), refused, "ftp://example.org/file", "http://[bad/file"]
    with pytest.raises(LessonsError) as error:
        get(urls, tmp_path / "file.bin", md5=MD5, hint="ask Ada")
    message = str(error.value)
    assert f"{urls[0]} (HTTP 404 Not Found)" in message
    assert f"{refused} (the host refuses the connection)" in message
    assert "ftp://example.org/file (not an http or https address)" in message and urls[3] in message
    assert message.endswith(f"put your own copy of the file at {tmp_path / 'file.bin'}, or ask Ada.")
    assert "\n" not in message and names(tmp_path) == []


def test_no_address_at_all(tmp_path):
    with pytest.raises(LessonsError, match=r"file\.bin could not be downloaded: no address was given"):
        get([], tmp_path / "file.bin")


def test_a_name_that_does_not_resolve(tmp_path, monkeypatch):
    def unknown(*arguments, **options):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setenv("no_proxy", "*")
    with pytest.raises(LessonsError, match="the host's name is not found"):
        get("https://nowhere.invalid/file", tmp_path / "file.bin")


def test_a_silent_server_is_left_after_the_time_out(server, tmp_path):
    silent, right = server.serve("/silent", CONTENT, silence=2.0), server.serve("/right", CONTENT)
    fetch([silent, right], tmp_path / "file.bin", timeout=0.2, progress=False)
    assert (tmp_path / "file.bin").read_bytes() == CONTENT
    with pytest.raises(LessonsError, match=r"no answer within 0\.2 s"):
        fetch(silent, tmp_path / "other.bin", timeout=0.2, progress=False)


class Failing(io.FileIO):
    """A file that takes 1,000 bytes and then fails as `error` says."""

    error: BaseException

    def write(self, block):
        super().write(block[:1000])
        raise self.error


def fail_with(error, monkeypatch):
    def open_part(part, begin):
        file = Failing(part, "ab" if begin else "wb")
        file.error = error
        return file

    monkeypatch.setattr(fetching, "_open_part", open_part)


def test_ctrl_c_keeps_what_arrived(server, tmp_path, monkeypatch):
    url = server.serve("/file", CONTENT)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        fail_with(KeyboardInterrupt(), patch)
        get(url, tmp_path / "file.bin", md5=MD5)
    assert (tmp_path / "file.bin.part").read_bytes() == CONTENT[:1000]
    get(url, tmp_path / "file.bin", md5=MD5)
    assert server.requests[-1] == ("/file", "bytes=1000-")
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


def test_a_full_disk_is_one_sentence_and_keeps_what_arrived(server, tmp_path, monkeypatch):
    fail_with(OSError(errno.ENOSPC, "No space left on device"), monkeypatch)
    with pytest.raises(LessonsError, match=r"disk is full at .*what arrived of file\.bin is kept"):
        get(server.serve("/file", CONTENT), tmp_path / "file.bin")
    assert (tmp_path / "file.bin.part").stat().st_size == 1000


def test_too_little_room_is_said_before_a_byte_is_written(server, tmp_path, monkeypatch):
    usage = disk.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda folder: usage._replace(free=len(CONTENT) - 1))
    with pytest.raises(LessonsError, match="make room"):
        get(server.serve("/file", CONTENT), tmp_path / "file.bin")
    assert names(tmp_path) == []


def test_a_folder_that_cannot_be_made(server, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(LessonsError, match="cannot be used") as error:
        get(server.serve("/file", CONTENT), tmp_path / "file" / "file.bin")
    assert str(tmp_path / "file") in str(error.value)


@pytest.mark.skipif(sys.platform == "win32", reason="no file locks of this kind")
def test_two_processes_do_not_write_one_file(server, tmp_path):
    part = tmp_path / "file.bin.part"
    program = "import fcntl, sys; f = open(sys.argv[1], 'ab'); fcntl.flock(f, fcntl.LOCK_EX); "
    program += "print('held', flush=True); input()"
    other = subprocess.Popen(
        [sys.executable, "-c", program, part], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with other:
        other.stdout.readline()
        with pytest.raises(LessonsError, match="written by another process"):
            get(server.serve("/file", CONTENT), tmp_path / "file.bin")
        other.communicate(b"\n")
    get(server.url("/file"), tmp_path / "file.bin", md5=MD5)


# ------------------------------------------------------------------------------------------- archives


def plain(name, content=b"x", **attributes):
    member = tarfile.TarInfo(name)
    member.size = len(content)
    for key, value in attributes.items():
        setattr(member, key, value)
    return member, content


def special(name, kind, linkname=""):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, linkname
    return member, b""


def pack(path: Path, members) -> Path:
    with tarfile.open(path, "w:") as tar:
        for member, content in members:
            tar.addfile(member, io.BytesIO(content))
    return path


MALICIOUS = {
    "parent": plain("../evil"),
    "parent inside": plain("VOCdevkit/../../evil"),
    "absolute": plain("/evil"),
    "drive": plain("C:/evil"),
    "backslash": plain("..\\evil"),
    "symlink": special("link", tarfile.SYMTYPE, "/etc/passwd"),
    "hard link": special("link", tarfile.LNKTYPE, "../evil"),
    "device": special("device", tarfile.CHRTYPE),
    "block device": special("device", tarfile.BLKTYPE),
    "fifo": special("pipe", tarfile.FIFOTYPE),
    "sparse": plain("sparse", type=tarfile.GNUTYPE_SPARSE),
}


@pytest.mark.parametrize("with_filter", [True, False])
@pytest.mark.parametrize("kind", MALICIOUS)
def test_a_malicious_member_is_refused_by_name(tmp_path, kind, with_filter, monkeypatch):
    if not with_filter:  # older Pythons have no filter of their own
        monkeypatch.delattr(tarfile, "data_filter", raising=False)
    (tmp_path / "out").mkdir()
    archive = pack(tmp_path / "bad.tar", [plain("good"), MALICIOUS[kind]])
    with pytest.raises(DataError) as error, unpacked(archive, tmp_path / "out", progress=False):
        pytest.fail("unpacked a malicious archive")
    assert str(archive) in str(error.value) and "another copy" in str(error.value)
    assert names(tmp_path) == ["bad.tar", "out"] and names(tmp_path / "out") == []


def test_a_symlink_cannot_be_written_through(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "victim").mkdir()
    archive = pack(
        tmp_path / "bad.tar", [special("a", tarfile.SYMTYPE, str(tmp_path / "victim")), plain("a/evil")]
    )
    with pytest.raises(DataError, match="'a' is a link"), unpacked(archive, tmp_path / "out", progress=False):
        pass
    assert names(tmp_path / "victim") == []


def test_a_declared_size_beyond_the_archive_is_refused(tmp_path):
    member, _ = plain("huge")
    member.size = 1 << 40
    (tmp_path / "bad.tar").write_bytes(member.tobuf() + bytes(10_240))
    with (
        pytest.raises(DataError, match="1,099,511,627,776 bytes"),
        unpacked(tmp_path / "bad.tar", tmp_path / "out", progress=False),
    ):
        pass


def test_modes_owners_and_set_uid_bits_are_not_taken_over(tmp_path):
    archive = pack(
        tmp_path / "a.tar", [plain("program", mode=0o6777, uid=0, gid=0), plain("secret", mode=0o000)]
    )
    with unpacked(archive, tmp_path / "out", progress=False) as folder:
        modes = {path.name: path.stat().st_mode for path in folder.iterdir()}
    assert set(modes) == {"program", "secret"}
    assert not any(mode & 0o6111 for mode in modes.values()) and all(mode & 0o400 for mode in modes.values())


@pytest.mark.parametrize(
    "members", [[plain("a"), plain("a")], [plain("a"), plain("a/b")], [plain("a/b"), plain("a")]]
)
def test_a_member_that_would_replace_another_is_refused(tmp_path, members):
    archive = pack(tmp_path / "twice.tar", members)
    with pytest.raises(DataError, match="is damaged"), unpacked(archive, tmp_path / "out", progress=False):
        pass


@pytest.mark.parametrize("keep", [0, 100, 700, 2000])
def test_a_cut_or_foreign_archive_is_one_sentence(tmp_path, keep):
    whole = pack(tmp_path / "whole.tar", [plain("a", bytes(4000))]).read_bytes()
    (tmp_path / "cut.tar").write_bytes(whole[:keep])
    with (
        pytest.raises(DataError, match=r"cut\.tar is (damaged|not safe)"),
        unpacked(tmp_path / "cut.tar", tmp_path / "out", progress=False),
    ):
        pass
    assert names(tmp_path / "out") == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")])
def test_broken_off_unpacking_leaves_nothing(tmp_path, error, monkeypatch):
    from lessons.downloads import archives

    archive = pack(tmp_path / "a.tar", [plain("a"), plain("b")])
    write = archives._write

    def fail_at_b(tar, member, target):
        if member.name == "b":
            raise error
        write(tar, member, target)

    monkeypatch.setattr(archives, "_write", fail_at_b)
    expected = KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else LessonsError
    with pytest.raises(expected), unpacked(archive, tmp_path / "out", progress=False):
        pass
    assert names(tmp_path / "out") == [] and archive.exists()


# ------------------------------------------------------------------------------------------- Pascal VOC


def voc_members(year=2012, without=()):
    folder = f"VOCdevkit/VOC{year}"
    files = {f"ImageSets/Segmentation/{split}.txt": f"{split}_1\n".encode() for split in ("train", "val")}
    for image in ("train_1", "val_1"):
        files |= {f"JPEGImages/{image}.jpg": b"jpeg", f"SegmentationObject/{image}.png": b"png"}
        files |= {f"Annotations/{image}.xml": b"<annotation/>"}
    return [plain(f"{folder}/{name}", content) for name, content in files.items() if name not in without]


@pytest.fixture
def publish(server, tmp_path, monkeypatch):
    """publish(members, year) serves an archive as if it were the official one, and returns its address."""

    def serve(members, year=2012):
        content = pack(tmp_path / "served.tar", members).read_bytes()
        digest = hashlib.md5(content).hexdigest()
        changed = replace(download.ARCHIVES[year], md5=digest, size=len(content))
        monkeypatch.setitem(download.ARCHIVES, year, changed)
        return server.serve(f"/voc{year}.tar", content)

    return serve


def voc(root, url, year=2012):
    return download_voc(year, root, mirrors=[url], progress=False)


@pytest.mark.parametrize("year", [2012, 2007])
def test_voc_arrives_whole_and_only_once(server, publish, tmp_path, year):
    root = tmp_path / "meine Daten ü"
    url = publish(voc_members(year), year)
    folder = voc(root, url, year)
    assert folder == root / "VOCdevkit" / f"VOC{year}"
    assert (folder / "JPEGImages" / "val_1.jpg").read_bytes() == b"jpeg"
    assert names(root) == ["VOCdevkit"], "no archive, half file or temporary folder is left"
    assert voc(root, url, year) == folder and len(server.requests) == 1


def test_voc_goes_to_the_cache_by_default(publish, tmp_path, monkeypatch):
    monkeypatch.setenv("LESSONS_CACHE", str(tmp_path / "cache"))
    folder = download_voc(mirrors=[publish(voc_members())], progress=False)
    assert folder == tmp_path / "cache" / "voc" / "VOCdevkit" / "VOC2012"


@pytest.mark.parametrize("place", ["VOC2012", "VOCdevkit/VOC2012"])
def test_a_complete_copy_is_used_without_a_request(tmp_path, place):
    folder = tmp_path / place
    for member, content in voc_members():
        path = folder / Path(member.name).relative_to("VOCdevkit/VOC2012")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    assert download_voc(2012, tmp_path, mirrors=[], progress=False) == folder
    assert download_voc(2012, folder, mirrors=[], progress=False) == folder


def test_an_own_archive_is_used_and_kept(publish, tmp_path):
    publish(voc_members())
    own = tmp_path / "root" / "VOCtrainval_11-May-2012.tar"
    own.parent.mkdir()
    own.write_bytes((tmp_path / "served.tar").read_bytes())
    assert download_voc(2012, own.parent, mirrors=[], progress=False).is_dir()
    assert own.exists()


def test_an_incomplete_folder_of_the_user_is_not_touched(server, publish, tmp_path):
    mine = tmp_path / "VOCdevkit" / "VOC2012" / "notes.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    with pytest.raises(DataError, match="is incomplete") as error:
        voc(tmp_path, publish(voc_members()))
    assert str(mine.parent) in str(error.value)
    assert mine.read_text() == "mine" and server.requests == [] and names(mine.parent) == ["notes.txt"]


def test_a_folder_that_appears_meanwhile_is_not_replaced(publish, tmp_path, monkeypatch):
    url = publish(voc_members())
    mine = tmp_path / "VOCdevkit" / "VOC2012" / "notes.txt"

    def fetch_slowly(*arguments, **options):
        fetch(*arguments, **options)
        mine.parent.mkdir(parents=True)
        mine.write_text("mine")

    monkeypatch.setattr(download, "fetch", fetch_slowly)
    with pytest.raises(DataError, match="is in the way"):
        voc(tmp_path, url)
    assert names(mine.parent) == ["notes.txt"]


def test_an_archive_that_lacks_files_gives_no_folder(publish, tmp_path):
    url = publish(voc_members(without=["SegmentationObject/val_1.png"]))
    with pytest.raises(DataError, match=r"not a whole VOC archive \(SegmentationObject/val_1\.png missing"):
        voc(tmp_path / "root", url)
    assert names(tmp_path / "root") == ["VOCtrainval_11-May-2012.tar"]


@pytest.mark.parametrize("kind", MALICIOUS)
def test_a_malicious_voc_archive_gives_no_folder(publish, tmp_path, kind):
    url = publish([*voc_members(), MALICIOUS[kind]])
    with pytest.raises(DataError, match="not safe"):
        voc(tmp_path / "root", url)
    assert names(tmp_path / "root") == ["VOCtrainval_11-May-2012.tar"]


def test_the_sentence_for_no_mirror_points_to_an_own_copy(tmp_path):
    mirrors = [f"http://127.0.0.1:{closed_port()}/{name}" for name in ("one.tar", "two.tar")]
    with pytest.raises(LessonsError) as error:
        download_voc(2007, tmp_path, mirrors=mirrors, progress=False)
    message = str(error.value)
    assert all(f"{mirror} (the host refuses the connection)" in message for mirror in mirrors)
    assert str(tmp_path / "VOCtrainval_06-Nov-2007.tar") in message and "LESSONS_VOC_ROOT" in message


def test_another_year_is_one_sentence(tmp_path):
    with pytest.raises(LessonsError, match="year=2010 is not offered: choose one of 2012, 2007"):
        download_voc(2010, tmp_path)


def test_room_is_asked_for_before_the_download(server, publish, tmp_path, monkeypatch):
    url = publish(voc_members())
    usage = disk.shutil.disk_usage(tmp_path)
    almost = 2 * download.ARCHIVES[2012].size - 1
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda folder: usage._replace(free=almost))
    with pytest.raises(LessonsError, match="VOC 2012 needs"):
        voc(tmp_path / "root", url)
    assert server.requests == []


@pytest.mark.parametrize("year", download.ARCHIVES)
def test_names_and_checksums_are_the_published_ones(year):
    published = pytest.importorskip("torchvision.datasets.voc").DATASET_YEAR_DICT[str(year)]
    ours = download.ARCHIVES[year]
    assert (ours.name, ours.md5) == (published["filename"], published["md5"])
    # torchvision has used two names of the same server over the years.
    assert published["url"].removeprefix("https://").removeprefix("http://") in str(ours.mirrors)
    assert len(set(ours.mirrors)) >= 3 and all(mirror.endswith(ours.name) for mirror in ours.mirrors)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_one_sentence(server, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(LessonsError, match="name a folder that you may write to"):
        get(server.serve("/file", CONTENT), tmp_path / "locked" / "file.bin")
