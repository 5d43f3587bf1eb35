"""Boot files never seen half written, values that cannot break out, and tokens that cannot be guessed."""

import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmm.netboot import (
    PLACEHOLDERS,
    boot_file_path,
    boot_token,
    present_boot_files,
    remove_boot_file,
    substitute,
    sweep,
    token_matches,
    write_boot_file,
)

MAC = "0200000000ff"
KEY = b"k" * 32
ROOT = Path(__file__).parents[3]


def test_a_boot_file_is_named_after_the_mac(tmp_path: Path) -> None:
    assert boot_file_path(tmp_path, MAC) == tmp_path.resolve() / "pxelinux.cfg" / "01-02-00-00-00-00-ff"


@pytest.mark.parametrize(
    "mac",
    [
        "",
        "../../etc/pw",
        "0200000000ff0",
        "0200000000FF",
        "0200000000ff\n",
        "02:00:00:00:00:ff",
        "\u0660" * 12,
    ],
)
def test_what_is_no_mac_names_no_file(tmp_path: Path, mac: str) -> None:
    with pytest.raises(ValueError, match="is no MAC address of twelve lower-case hex digits"):
        boot_file_path(tmp_path, mac)


def test_a_link_that_leads_out_of_the_root_is_refused(tmp_path: Path) -> None:
    root, outside = tmp_path / "tftp", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / "pxelinux.cfg").symlink_to(outside)
    with pytest.raises(ValueError, match="outside of the TFTP root"):
        write_boot_file(root, MAC, "DEFAULT install\n")
    assert list(outside.iterdir()) == []


def test_writing_makes_the_folder_and_a_file_that_the_tftp_server_may_read(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        assert write_boot_file(tmp_path, MAC, "DEFAULT install\n") is True
    finally:
        os.umask(before)
    path = tmp_path / "pxelinux.cfg" / "01-02-00-00-00-00-ff"
    assert path.read_bytes() == b"DEFAULT install\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o755
    assert list(path.parent.iterdir()) == [path]


def test_writing_the_same_text_again_changes_nothing(tmp_path: Path) -> None:
    write_boot_file(tmp_path, MAC, "DEFAULT install\n")
    before = boot_file_path(tmp_path, MAC).stat()
    assert write_boot_file(tmp_path, MAC, "DEFAULT install\n") is False
    assert boot_file_path(tmp_path, MAC).stat() == before
    assert write_boot_file(tmp_path, MAC, "DEFAULT maintenance\n") is True
    assert present_boot_files(tmp_path) == {MAC: "DEFAULT maintenance\n"}


def test_a_tftp_root_that_is_not_mounted_is_not_made_up(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="the TFTP root does not exist; create it"):
        write_boot_file(tmp_path / "tftp", MAC, "DEFAULT install\n")


def test_a_nul_is_refused_and_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="NUL"):
        write_boot_file(tmp_path, MAC, "DEFAULT\0install")
    assert list(tmp_path.iterdir()) == []


def test_a_reader_sees_the_old_file_or_the_new_one_and_never_a_part(tmp_path: Path) -> None:
    texts = ("A" * 200_000, "B" * 100_000)
    write_boot_file(tmp_path, MAC, texts[0])
    path = boot_file_path(tmp_path, MAC)
    seen: set[str] = set()
    reads = 0
    stop = threading.Event()

    def read() -> None:
        nonlocal reads
        while not stop.is_set():
            seen.add(path.read_text())
            reads += 1

    reader = threading.Thread(target=read)
    reader.start()
    patience = time.monotonic() + 20
    while (reads < 50 or len(seen) < 2) and time.monotonic() < patience:
        for text in texts:
            write_boot_file(tmp_path, MAC, text)
    stop.set()
    reader.join()
    assert seen == set(texts)


def test_a_full_disk_leaves_the_old_file_and_no_rubbish(tmp_path: Path) -> None:
    write_boot_file(tmp_path, MAC, "old")
    program = (
        "import pathlib, resource, signal, sys\n"
        "from bmm.netboot import write_boot_file\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n"
        "    write_boot_file(pathlib.Path(sys.argv[1]), sys.argv[2], 'x' * 5000)\n"
        "except OSError as error:\n"
        "    print(error.strerror)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path), MAC]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "File too large\n"
    assert present_boot_files(tmp_path) == {MAC: "old"}
    assert list((tmp_path / "pxelinux.cfg").iterdir()) == [boot_file_path(tmp_path, MAC)]


def test_removing_says_whether_there_was_a_file(tmp_path: Path) -> None:
    assert remove_boot_file(tmp_path, MAC) is False
    write_boot_file(tmp_path, MAC, "DEFAULT install\n")
    assert remove_boot_file(tmp_path, MAC) is True
    assert remove_boot_file(tmp_path, MAC) is False
    assert present_boot_files(tmp_path) == {}


def test_only_boot_files_are_listed(tmp_path: Path) -> None:
    assert present_boot_files(tmp_path) == {}
    write_boot_file(tmp_path, MAC, "one")
    write_boot_file(tmp_path, "aabbccddeeff", "two")
    folder = tmp_path / "pxelinux.cfg"
    for foreign in (
        "default",
        "01-AA-BB-CC-DD-EE-FF",
        "01-aa-bb-cc-dd-ee-ff~",
        ".mozpool-0123456789abcdef.tmp",
        "C0A8",
    ):
        (folder / foreign).write_text("not ours")
    assert present_boot_files(tmp_path) == {MAC: "one", "aabbccddeeff": "two"}


def test_a_boot_file_that_is_no_text_is_listed_and_can_be_written_over(tmp_path: Path) -> None:
    write_boot_file(tmp_path, MAC, "one")
    boot_file_path(tmp_path, MAC).write_bytes(b"\xff\xfe")
    assert present_boot_files(tmp_path) == {MAC: "\ufffd\ufffd"}
    assert write_boot_file(tmp_path, MAC, "one") is True


def test_sweeping_removes_old_temporary_files_and_nothing_else(tmp_path: Path) -> None:
    assert sweep(tmp_path) == 0
    write_boot_file(tmp_path, MAC, "one")
    folder = tmp_path / "pxelinux.cfg"
    old, new, foreign = (
        folder / name for name in (f".mozpool-{'0' * 16}.tmp", f".mozpool-{'1' * 16}.tmp", ".other.tmp")
    )
    for file in (old, new, foreign):
        file.write_text("left over")
    for file in (old, foreign, folder / "01-02-00-00-00-00-ff"):
        os.utime(file, (time.time() - 3700,) * 2)
    assert sweep(tmp_path) == 1
    assert {file.name for file in folder.iterdir()} == {new.name, ".other.tmp", "01-02-00-00-00-00-ff"}


def test_the_four_placeholders_are_filled_and_others_are_left() -> None:
    text = "APPEND url=%BASEURL%/boot/%DEVICE%/%TOKEN%/second-stage ip=%IPADDRESS% x=%OTHER% 100%"
    values = {"BASEURL": "http://10.0.0.1", "DEVICE": "panda-1", "TOKEN": "tok", "IPADDRESS": "10.0.0.1"}
    assert substitute(text, values) == (
        "APPEND url=http://10.0.0.1/boot/panda-1/tok/second-stage ip=10.0.0.1 x=%OTHER% 100%"
    )


def test_a_placeholder_without_a_value_is_left_alone() -> None:
    assert substitute("%TOKEN% %DEVICE%", {"DEVICE": "panda-1"}) == "%TOKEN% panda-1"


def test_a_value_that_looks_like_a_placeholder_is_not_filled_again() -> None:
    assert substitute("%DEVICE%", {"DEVICE": "%TOKEN%", "TOKEN": "secret"}) == "%TOKEN%"


@pytest.mark.parametrize(
    "bad", ["a b", "a\nb", "a\tb", "a'b", 'a"b', "a`b", "a\0b", "a\x7fb", "a\u2028b", "a\u00a0b", "a\x85b"]
)
@pytest.mark.parametrize("name", PLACEHOLDERS)
def test_a_value_that_could_break_out_is_refused_by_its_name_and_not_shown(name: str, bad: str) -> None:
    with pytest.raises(
        ValueError, match=f"^the value of {name} contains white space, a quote or a control character$"
    ):
        substitute("text without placeholders", {name: bad})


def test_a_nul_in_the_text_and_a_value_of_another_name_are_refused() -> None:
    with pytest.raises(ValueError, match="NUL"):
        substitute("DEFAULT\0", {})
    with pytest.raises(
        ValueError, match="'PASSWORD' is no placeholder; known are: IPADDRESS, TOKEN, DEVICE, BASEURL"
    ):
        substitute("", {"PASSWORD": "x"})


@given(st.text(st.characters(exclude_characters="%\0")), st.text("abcXYZ019:/._-%", max_size=30))
def test_substitution_changes_the_placeholder_and_not_one_character_more(around: str, value: str) -> None:
    assert substitute(f"{around}%TOKEN%{around}", {"TOKEN": value}) == f"{around}{value}{around}"


@given(st.text())
def test_whatever_the_value_the_number_of_words_and_lines_stays(value: str) -> None:
    text = 'APPEND a=%DEVICE% b="c"\nLABEL x'
    try:
        filled = substitute(text, {"DEVICE": "x" + value})
    except ValueError:
        return
    assert len(filled.split()) == len(text.split())
    assert filled.splitlines()[1:] == ["LABEL x"]
    assert filled.count('"') == 2


def test_a_boot_token_is_the_one_of_the_scheme() -> None:
    # printf 'v1|panda-0001|7' | openssl dgst -sha256 -hmac kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk -binary
    #   | head -c 16 | basenc --base64url
    assert boot_token(KEY, "panda-0001", 7) == "wCYV8KhiRKLN76kOoiOH1A"
    assert len(boot_token(KEY, "panda-0001", 7)) == 22


def test_a_token_is_good_for_one_device_one_boot_and_a_key_that_is_still_listed() -> None:
    token = boot_token(KEY, "panda-0001", 7)
    assert token_matches([KEY], "panda-0001", 7, token) is True
    assert token_matches([b"new key", KEY], "panda-0001", 7, token) is True
    assert token_matches([KEY, b"old key"], "panda-0001", 7, token) is True
    assert token_matches([b"new key"], "panda-0001", 7, token) is False
    assert token_matches([KEY], "panda-0001", 8, token) is False
    assert token_matches([KEY], "panda-0002", 7, token) is False


@pytest.mark.parametrize("token", ["", " ", "\u00e9", "\udc80", "A" * 22, "A" * 100_000])
def test_a_token_that_is_not_ours_never_matches(token: str) -> None:
    assert token_matches([KEY], "panda-0001", 7, token) is False


def test_nothing_matches_without_a_key() -> None:
    token = boot_token(KEY, "panda-0001", 7)
    assert token_matches([], "panda-0001", 7, token) is False
    assert token_matches([b""], "panda-0001", 7, token) is False
    assert token_matches([b""], "panda-0001", 7, "") is False
    with pytest.raises(ValueError, match="a key that is not empty"):
        boot_token(b"", "panda-0001", 7)


@given(
    st.binary(min_size=1),
    st.text("abcdefgh-0123456789", min_size=1),
    st.integers(0, 2**40),
    st.integers(0, 21),
)
def test_one_wrong_character_and_the_token_is_dead(key: bytes, device: str, boot_seq: int, at: int) -> None:
    token = boot_token(key, device, boot_seq)
    assert token_matches([key], device, boot_seq, token)
    wrong = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
    assert not token_matches([key], device, boot_seq, wrong)
    assert not token_matches([key], device, boot_seq, token[:-1])
