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
        ("line 2", {"name": "panda-1", "mac": "10:20:30:40:50:51", "inventory_id": "007", "address": None})
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"name,mac\r\npanda-1,0200\r\n",
        b"\xef\xbb\xbfname;mac\r\npanda-1;0200\r\n",
        b"sep=;\r\nname;mac\r\npanda-1;0200\r\n",
        b"name\tmac\npanda-1\t0200\n",
        b"name,mac\rpanda-1,0200\r",
        b'name,mac\npanda-1,="0200"\n',
        b'name,mac\npanda-1,"=""0200"""\n',
        b"name,mac,,\npanda-1,0200,,\n,,,\n",
        b"name,mac\npanda-1,0200,,,\n",
        b' name , mac \n panda-1 ,"0200"\n',
        "name,mac\npanda-1,0200\n".encode("utf-16"),
    ],
)
def test_what_spreadsheets_add_is_passed_over(content: bytes) -> None:
    assert [item for _, item in files.from_csv(content)] == [{"name": "panda-1", "mac": "0200"}]


def test_a_formula_that_an_export_has_shielded_comes_back_as_it_was() -> None:
    content = b"name,outlet\npanda-1,'=1+1\npanda-2,'plain\n"
    assert [item["outlet"] for _, item in files.from_csv(content)] == ["=1+1", "'plain"]


def test_lines_are_counted_as_people_see_them() -> None:
    content = b'sep=,\nname,mac\npanda-1,"a\nb"\npanda-2,c\n'
    assert [where for where, _ in files.from_csv(content)] == ["line 3", "line 5"]


def test_what_a_spreadsheet_has_made_a_number_is_told() -> None:
    (problem,) = read({"mac": "2.00E+11"}, "line 2").problems
    assert problem.endswith("not '2.00E+11', which a spreadsheet has made of it: format the column as text")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            b"devices:\n- name: a\n\ndevices:\n- name: b\n",
            "the file is no YAML: 'devices' is there twice (line 4)",
        ),
        (b"- name: a\n  mac: x\n  name: b\n", "the file is no YAML: 'name' is there twice (line 3)"),
        (b"- name: a\n  tags: [{x: 1, x: 2}]\n", "the file is no YAML: 'x' is there twice (line 2)"),
        (b"- name: [a\n", "the file is no YAML: expected ',' or ']', but got '<stream end>' (line 2)"),
    ],
)
def test_what_is_wrong_with_yaml_is_told_by_line(content: bytes, reason: str) -> None:
    with pytest.raises(NoAnswerError) as refused:
        files.from_yaml(content)
    assert refused.value.detail == reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"name,mac\npanda-1,0200\npanda-2\n", "line 3 has 1 cells, the first line names 2 columns: is the file"),
        (b"name,name\na,b\n", "line 1 names a column twice: 'name'"),
        (b'name,mac\n"panda-1,0200\n', "line 2 is no CSV: unexpected end of data"),
        (b"name\n\xff\xfe\n", "the file is no text in UTF-8 (line 2): save it as CSV UTF-8"),
        (b"name,mac\npanda-1,0200,more\n", "line 2 has 3 cells, the first line names 2 columns"),
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


@pytest.mark.parametrize("written", ["0.0.0.0", "10.1.2.3", "1234", "board.7"])  # noqa: S104 - no name
def test_an_address_is_no_fqdn(written: str) -> None:
    assert read({"fqdn": written}, "line 1").problems == (
        f"fqdn: a host name expected; an address belongs into its own field, not {written!r}",
    )


@pytest.mark.parametrize("given", [True, 1.5, ["a"], {"a": 1}, "a\nb", "x" * 64, "пан", "../x"])
def test_junk_in_the_place_of_a_name_is_told_and_never_an_error(given: object) -> None:
    record = read({"name": given}, "line 1")
    assert (record.name, len(record.problems)) == ("", 1)


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("00:00:00:00:00:00", "it is all zeros"),
        ("ff:ff:ff:ff:ff:ff", "it is the broadcast address"),
        ("01:00:5e:00:00:01", "it is a multicast group's"),
        ("33:33:00:00:00:01", "it is a multicast group's"),
    ],
)
def test_a_mac_that_no_card_has_is_refused(written: str, why: str) -> None:
    assert read({"mac": written}, "line 1").problems == (
        f"mac: the MAC address of one network card expected ({why}), not {written!r}",
    )


@pytest.mark.parametrize(
    ("written", "address"),
    [("10.1.2.3/24", "10.1.2.3"), ("10.1.2.0/31", "10.1.2.0"), ("10.1.2.0/32", "10.1.2.0"),
     ("169.254.1.1", "169.254.1.1"),
     (" 10.1.2.3 ", "10.1.2.3"), ("", None), (None, None)],
)  # fmt: skip
def test_an_address_is_that_of_one_host(written: str | None, address: str | None) -> None:
    assert read({"address": written}, "line 1").values == {"address": address}


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("0.1.2.3", "the IPv4 address of one host expected (it stands for no host)"),
        ("255.255.255.255", "the IPv4 address of one host expected (it is the broadcast address)"),
        ("224.0.0.5", "the IPv4 address of one host expected (it is a multicast group's)"),
        ("241.0.0.1", "the IPv4 address of one host expected (it is reserved)"),
        ("10.1.2.0/24", "the IPv4 address of one host expected (it is that of the network 10.1.2.0/24)"),
        (
            "10.1.2.255/24",
            "the IPv4 address of one host expected (it is the broadcast address of 10.1.2.0/24)",
        ),
        ("2001:DB8::0001/64", "IPv6 is not spoken here: an IPv4 address expected"),
        ("fe80::1%eth0", "IPv6 is not spoken here: an IPv4 address expected"),
        ("::ffff:10.0.0.9", "IPv6 is not spoken here: an IPv4 address expected"),
        ("010.001.002.003", "an IPv4 address expected"),
        ("10.1.2.3:22", "an IPv4 address expected"),
        ("[2001:db8::2]", "an IPv4 address expected"),
        ("3232235777", "an IPv4 address expected"),
        ("10.1.2.3/33", "an IPv4 address expected"),
    ],
)
def test_what_is_not_the_ipv4_address_of_one_host_is_refused(written: str, told: str) -> None:
    assert read({"address": written}, "line 1").problems == (f"address: {told}, not {written!r}",)


@pytest.mark.parametrize(
    ("given", "but"),
    [
        (None, "and there is none"),
        (["gpu"], "not a list"),
        ({"value": "staging", "label": "Staging"}, "not an object with label, value"),
        (True, "not true"),
        ("x" * 99, f"not '{'x' * 59}..."),
    ],
)
def test_what_came_instead_is_told_in_words(given: object, but: str) -> None:
    (problem,) = read({"mac": given}, "line 1").problems
    assert problem == f"mac: a MAC address of twelve hex digits expected, {but}"


def test_the_first_of_several_paths_that_has_something_counts() -> None:
    path = "primary_ip4.address | primary_ip.address"
    both = {"primary_ip4": {"address": "10.1.0.5/24"}, "primary_ip": {"address": "2001:db8::5/64"}}
    assert paths.value(both, path) == "10.1.0.5/24"
    assert paths.value({**both, "primary_ip4": None}, path) == "2001:db8::5/64"
    assert paths.value({"primary_ip4": None}, path) is None
    assert paths.value({}, path) is paths.MISSING


@pytest.mark.parametrize(
    ("outlet", "rewritten"),
    [
        ("Outlet 1", "1"), (" outlet 12 ", "12"), ("bank2:relay7", "bank2:relay7"), ("Outlet 1b", "Outlet 1b"),
        (None, ""), (7, "7"),
    ],
)  # fmt: skip
def test_a_pattern_says_what_becomes_of_a_name(outlet: object, rewritten: str) -> None:
    patterns = {"outlet": [r"(?i)outlet (\d+)", r"\1"]}
    (record,) = paths.records([("1", {"o": outlet})], {"outlet": "o"}, {}, strict=True, patterns=patterns)
    assert record.values == {"outlet": rewritten}
