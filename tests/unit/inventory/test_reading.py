"""How CSV, YAML and paths into JSON are read, and what is junk."""

import pytest

from devices.inventory import files, paths
from devices.inventory.errors import NoAnswerError
from devices.inventory.records import read


def test_csv_may_come_from_a_spreadsheet() -> None:
    content = "\ufeffname;tags\r\npanda-1;hdmi usb\r\n;\r\n\r\npanda-2;\r\n".encode()
    assert files.from_csv(content) == [
        ("line 2", {"name": "panda-1", "tags": "hdmi usb"}),
        ("line 5", {"name": "panda-2", "tags": ""}),
    ]


def test_yaml_is_read_as_it_is_written() -> None:
    content = b"devices:\n- {name: panda-1, mac: 10:20:30:40:50:51, inventory_id: 007, address: ~}\n"
    assert files.from_yaml(content) == [
        ("device 1", {"name": "panda-1", "mac": "10:20:30:40:50:51", "inventory_id": "007", "address": None})
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"name,mac\npanda-1,0200\npanda-2\n", "line 3 has 1 cells, the first line names 2 columns: is the file"),
        (b"name,name\na,b\n", "the first line names a column twice"),
        (b'name,mac\n"panda-1,0200\n', "line 2 is no CSV: unexpected end of data"),
        (b"name\n\xff\xfe\n", "the file is no text in UTF-8"),
        (b"name\npan\0da\n", "the file is no text: it has NUL bytes"),
    ],
)  # fmt: skip
def test_junk_that_calls_itself_csv_is_no_answer(content: bytes, reason: str) -> None:
    with pytest.raises(NoAnswerError) as refused:
        files.from_csv(content)
    assert refused.value.detail.startswith(reason)


@pytest.mark.parametrize(
    "content", [b"", b"just words", b"devices: 7", b"- 1\n- 2", b"{a: [}", b"!!python/object:os.system {}", b"[" * 1500]
)  # fmt: skip
def test_junk_that_calls_itself_yaml_is_no_answer(content: bytes) -> None:
    with pytest.raises(NoAnswerError):
        files.from_yaml(content)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("rack.name", "p1"),
        ("ports.0.name", "a"),
        ("ports.7.name", None),
        ("primary_ip.address", None),
        ("{vendor} {model}", "panda es-b3"),
        ("{vendor} {primary_ip.address}", None),
        ("rack.nam", paths.MISSING),
        ("ports.name", paths.MISSING),
        ("{vendor} {modell}", paths.MISSING),
    ],
)
def test_a_path_leads_into_json(path: str, found: object) -> None:
    item = {
        "rack": {"name": "p1"}, "ports": [{"name": "a"}], "primary_ip": None, "vendor": "panda", "model": "es-b3",
    }  # fmt: skip
    assert paths.value(item, path) == found


def test_a_path_that_no_device_has_is_a_typing_error_and_empties_no_column() -> None:
    items = [("1", {"name": "panda-1"}), ("2", {"name": "panda-2"})]
    with pytest.raises(NoAnswerError, match=r"address: none of 2 devices has 'primary_pi\.address'"):
        paths.records(items, {"name": "name", "address": "primary_pi.address"}, {}, strict=True)


def test_a_default_fills_what_is_empty() -> None:
    items = [("1", {"name": "panda-1", "env": None}), ("2", {"name": "panda-2", "env": "staging"})]
    found = paths.records(
        items, {"name": "name", "environment": "env"}, {"environment": "production"}, strict=True
    )
    assert [record.values["environment"] for record in found] == ["production", "staging"]


@pytest.mark.parametrize(
    "written", ["02:00:00:00:00:0A", "02-00-00-00-00-0a", "0200.0000.000a", " 02000000000A "]
)
def test_a_mac_is_read_however_it_is_written(written: str) -> None:
    assert read({"mac": written}, "line 1").values == {"mac": "02000000000a"}


@pytest.mark.parametrize("given", [True, 1.5, ["a"], {"a": 1}, "a\nb", "x" * 64, "пан", "../x"])
def test_junk_in_the_place_of_a_name_is_told_and_never_an_error(given: object) -> None:
    record = read({"name": given}, "line 1")
    assert (record.name, len(record.problems)) == ("", 1)
