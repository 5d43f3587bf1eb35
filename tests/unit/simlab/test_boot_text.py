"""What a board reads in its boot file and its second-stage script."""

import pytest

from simlab.boot_text import BootTextError, SecondStage, callback_base, second_stage

BASE = "http://127.0.0.1:8000/boot/panda-0001/abcdefghijklmnopqrstuv"


def boot_file(kernel_line: str) -> str:
    return f"DEFAULT install\nLABEL install\n  KERNEL panda/vmlinuz\n  APPEND {kernel_line}\n"


def test_the_base_of_the_calls_is_the_url_without_second_stage() -> None:
    text = boot_file(f"console=ttyO2 mobile-imaging-url={BASE}/second-stage quiet")
    assert callback_base(text) == BASE


def test_only_the_default_label_counts() -> None:
    other = "LABEL other\n APPEND mobile-imaging-url=http://127.0.0.1/other/second-stage\n"
    text = other + boot_file(f"mobile-imaging-url={BASE}/second-stage")
    assert callback_base(text) == BASE


def test_without_a_default_the_first_label_counts() -> None:
    assert callback_base(f"label a\n append mobile-imaging-url={BASE}/second-stage\nLABEL b\n") == BASE


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "the boot file has no label ''"),
        ("DEFAULT gone\nLABEL install\n", "the boot file has no label 'gone'"),
        (boot_file("quiet"), "no mobile-imaging-url= on the kernel line"),
        (boot_file(f"mobile-imaging-url={BASE}"), f"mobile-imaging-url={BASE} does not end in /second-stage"),
        (
            boot_file("mobile-imaging-url=ftp://a/second-stage"),
            "mobile-imaging-url=ftp://a/second-stage is no http URL",
        ),
        (
            boot_file("mobile-imaging-url=http://a:port/second-stage"),
            "mobile-imaging-url=http://a:port/second-stage is no http URL",
        ),
    ],
)
def test_a_boot_file_that_leads_nowhere_says_why(text: str, complaint: str) -> None:
    with pytest.raises(BootTextError) as raised:
        callback_base(text)
    assert str(raised.value) == complaint


def test_the_second_stage_names_url_action_and_image() -> None:
    script = (
        f"#!/bin/sh\nMOZPOOL_URL='{BASE}'\nMOZPOOL_ACTION=install\nMOZPOOL_IMAGE=\"b2g\"  # why\nset -e\n"
    )
    assert second_stage(script) == SecondStage(BASE, "install", "b2g")


def test_a_second_stage_without_an_action_is_refused() -> None:
    with pytest.raises(BootTextError, match="does not set MOZPOOL_ACTION"):
        second_stage(f"MOZPOOL_URL='{BASE}'\nMOZPOOL_IMAGE='b2g'\n")


def test_a_second_stage_with_an_open_quote_is_refused() -> None:
    with pytest.raises(BootTextError, match="unclosed quote: 'install"):
        second_stage("MOZPOOL_ACTION='install\n")
