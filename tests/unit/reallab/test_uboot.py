import binascii
import struct

import pytest

from reallab import uboot


def test_an_environment_is_a_checksum_and_texts_that_end_with_a_nul() -> None:
    found = uboot.environment({"b": "2", "a": "1=1"}, size=32)
    assert found[4:] == b"a=1=1\0b=2\0".ljust(28, b"\0")
    assert struct.unpack("<I", found[:4]) == (binascii.crc32(found[4:]),)


def test_it_has_the_size_that_u_boot_was_built_for() -> None:
    assert len(uboot.environment(uboot.network_then_disk())) == 262144


@pytest.mark.parametrize("values", [{"": "1"}, {"a=b": "1"}, {"a": "1\0"}, {"a\0": "1"}])
def test_what_would_be_read_as_something_else_is_refused(values: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="can't be a variable"):
        uboot.environment(values)


def test_there_must_be_room_for_the_nul_that_ends_it() -> None:
    assert len(uboot.environment({"a": "x" * 8}, size=16)) == 16
    with pytest.raises(ValueError, match="takes 13 bytes, and there are 12"):
        uboot.environment({"a": "x" * 9}, size=16)


def test_a_machine_asks_the_network_first_and_another_server_where_it_is_told() -> None:
    steps = uboot.network_then_disk("127.0.0.9")["bootcmd"].split("; ")
    assert steps.index("setenv serverip 127.0.0.9") < steps.index("if pxe get")
    assert steps[-2].startswith("sysboot virtio 0:1")
    assert "serverip" not in uboot.network_then_disk()["bootcmd"]
