"""A source is read whole or not at all: nothing but a whole answer changes anything."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from devices.models import Device, PowerController, Rack
from tests.integration.inventory.conftest import Sync
from tests.integration.inventory.netbox import TOKEN, Fault, NetBox

pytestmark = pytest.mark.django_db
Write = Callable[..., Path]

# The same server read as any JSON over HTTP, by a mapping.
DECLARED = """
[sources.lab]
kind = "netbox"
url = "{url}"
filters = {{role = "test-board"}}

[sources.json]
kind = "http"
url = "{url}/api/dcim/devices/?limit=5"
auth = "Token"
token_file = "{token_file}"
count = "count"
[sources.json.fields]
name = "name"
fqdn = "{{name}}.lab.example"
mac = "asset_tag"
inventory_id = "id"
rack = "rack.name"
hardware_type = "{{device_type.manufacturer.slug}} {{device_type.slug}}"
tags = "tags"
[sources.json.defaults]
environment = "staging"
"""


@pytest.fixture
def declared(netbox: NetBox, tmp_path: Path, settings: Settings) -> NetBox:
    """Declare the NetBox twice: as what it is, and as JSON over HTTP."""
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    path = tmp_path / "inventory.toml"
    path.write_text(DECLARED.format(url=netbox.url, token_file=tmp_path / "token"))
    settings.MOZPOOL_INVENTORY = path
    return netbox


def fill(netbox: NetBox, number: int) -> None:
    fill_on(netbox, 0, number)


def fill_on(netbox: NetBox, after: int, number: int) -> None:
    for one in range(after + 1, number + 1):
        netbox.add(one, asset_tag=f"02-00-00-00-{one // 256:02x}-{one % 256:02x}")


def test_netbox_is_read_over_all_its_pages_with_interfaces_and_cables(declared: NetBox, sync: Sync) -> None:
    fill(declared, 12)
    declared.add(13, name="switch-1", role={"id": 2, "slug": "switch"})
    assert sync("lab", "--ship-it")[::2] == (0, "")
    assert Device.objects.count() == 12
    device = Device.objects.get(name="panda-9")
    assert (device.mac, device.address, device.inventory_id, device.tags, device.environment) == (
        "020000000009", "10.1.0.10", 9, ["hdmi"], "production",
    )  # fmt: skip
    assert (str(device.power_controller), device.outlet, device.inventory_source) == (
        "relay-1",
        "bank2:relay1",
        "lab",
    )
    assert all(f"offset={offset}" in " ".join(declared.asked) for offset in (5, 10))


def test_where_netbox_has_both_kinds_of_addresses_that_of_ipv4_counts(netbox: NetBox, sync: Sync) -> None:
    six = {"id": 9, "address": "2001:db8::5/64"}
    netbox.add(1, primary_ip=six, primary_ip6=six)
    netbox.add(2, primary_ip=six, primary_ip4=None)
    status, out, _ = sync("netbox", "--url", netbox.url)
    assert status == 1
    assert list(Device.objects.values_list("name", "address")) == [("panda-1", "10.1.0.2")]
    assert "address: IPv6 is not spoken here" in " ".join(out.split())


def test_a_pattern_in_the_mapping_makes_outlets_of_netbox_s_names(
    netbox: NetBox, sync: Sync, rack: Rack, tmp_path: Path
) -> None:
    PowerController.objects.create(name="pdu-1", rack=rack, driver="snmp-apc", address="10.1.9.8")
    for number in (1, 2):
        netbox.add(number)
    peer = netbox.power_ports[0]["connected_endpoints"][0]
    peer |= {"name": "Outlet 7", "device": {"id": 77, "name": "pdu-1"}}
    status, out, _ = sync("netbox", "--url", netbox.url)
    assert (status, "there is no outlet 'Outlet 7'" in " ".join(out.split())) == (1, True)
    mapping = tmp_path / "mapping.toml"
    mapping.write_text("[patterns]\noutlet = ['Outlet (\\d+)', '\\1']\n")
    assert sync("netbox", "--url", netbox.url, "--mapping", mapping)[0] == 0
    assert dict(Device.objects.values_list("name", "outlet")) == {"panda-1": "7", "panda-2": "bank1:relay2"}


def test_a_card_that_boots_and_a_port_on_an_outlet_are_found_among_others(netbox: NetBox, sync: Sync) -> None:
    netbox.add(1)
    of = netbox.interfaces[0]["device"]
    netbox.interfaces[0]["name"] = "eth2"
    netbox.interfaces += [
        {"id": 71, "name": "eth10", "device": of, "mac_address": "02:00:00:00:99:10"},
        {"id": 72, "name": "bmc", "device": of, "mac_address": "02:00:00:00:99:72", "mgmt_only": True},
        {"id": 73, "name": "br0", "device": of, "mac_address": "00:00:00:00:00:00"},
    ]
    feed = {"id": 9, "name": "Feed A", "power_panel": {"id": 1}}
    netbox.power_ports.insert(
        0,
        {
            "id": 70,
            "name": "PSU1",
            "device": of,
            "connected_endpoints": [feed],
            "connected_endpoints_type": "dcim.powerfeed",
        },
    )
    assert sync("netbox", "--url", netbox.url)[0] == 0
    device = Device.objects.get()
    assert (device.mac, device.outlet) == ("020000000001", "bank1:relay1")


def test_netbox_needs_no_declaration(netbox: NetBox, sync: Sync) -> None:
    fill(netbox, 2)
    assert sync("netbox", "--url", netbox.url)[0] == 0
    assert set(Device.objects.values_list("name", "inventory_source")) == {
        ("panda-1", "netbox"),
        ("panda-2", "netbox"),
    }


def test_json_over_http_is_read_by_the_declared_mapping(declared: NetBox, sync: Sync) -> None:
    fill(declared, 12)
    assert sync("json", "--ship-it")[::2] == (0, "")
    device = Device.objects.get(name="panda-12")
    assert (device.fqdn, device.mac, device.environment) == (
        "panda-12.lab.example",
        "02000000000c",
        "staging",
    )


def _faults() -> list[tuple[str, Callable[[NetBox], None], str]]:
    def fault(**what: object) -> Callable[[NetBox], None]:
        return lambda netbox: setattr(netbox, "fault", Fault(**what))  # type: ignore[arg-type]

    def one(name: str, value: object) -> Callable[[NetBox], None]:
        return lambda netbox: setattr(netbox, name, value)

    return [
        ("500 in the middle", fault(offset=5, status=500), "500"),
        ("503 at once", fault(status=503), "503"),
        ("a connection that is cut in the middle", fault(offset=5, cut=True), ""),
        ("a page of HTML", fault(text="<html>Please log in</html>"), "json"),
        ("HTML in the middle", fault(offset=5, text="<html>Please log in</html>"), "json"),
        ("JSON of another kind", fault(text='{"hello": [1, 2]}'), ""),
        ("JSON of a third kind", fault(offset=5, text='"hello"'), ""),
        ("a list of words", fault(text='{"count": 2, "next": null, "results": ["a", "b"]}'), ""),
        (
            "a key that is twice in an object",
            fault(text='{"count": 1, "count": 2, "next": null, "results": []}'),
            "",
        ),
        ("no device at all", one("devices", []), "lists no device at all: nothing is changed"),
        ("fewer than it counts", one("count", 60), "60"),
        ("a next page elsewhere", one("next_host", "http://127.0.0.1:9"), "elsewhere"),
    ]


@pytest.mark.on_sqlite
@pytest.mark.parametrize("source", ["lab", "json"])
@pytest.mark.parametrize(("what", "goes_wrong", "told"), _faults(), ids=[what for what, *_ in _faults()])
def test_anything_but_a_whole_answer_changes_nothing(
    declared: NetBox, sync: Sync, source: str, what: str, goes_wrong: Callable[[NetBox], None], told: str
) -> None:
    fill(declared, 12)
    sync(source, "--ship-it")
    before = list(Device.objects.values())
    assert len(before) == 12
    goes_wrong(declared)
    status, out, err = sync(source, "--ship-it")
    assert (status, out) == (1, "")
    assert err.startswith("inventory_sync: ")
    assert err.count("\n") == 1
    assert told in err.lower()
    assert TOKEN not in err
    assert list(Device.objects.values()) == before


def test_a_wrong_token_and_a_server_that_is_not_there_are_told(
    netbox: NetBox, sync: Sync, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETBOX_TOKEN", "wrong")
    assert sync("netbox", "--url", netbox.url)[::2] == (
        1, f"inventory_sync: {netbox.url}: NetBox answered 403 Forbidden to {netbox.url}/api/dcim/devices/?limit=500\n",
    )  # fmt: skip
    monkeypatch.setenv("NETBOX_TOKEN", "hunter2\nX-Evil: 1")
    assert sync("netbox", "--url", netbox.url)[::2] == (
        2, "inventory_sync: the token of netbox (not shown) is no line of plain text\n",
    )  # fmt: skip
    monkeypatch.delenv("NETBOX_TOKEN")
    status, _, err = sync("netbox", "--url", "http://127.0.0.1:9")
    assert (status, err.startswith("inventory_sync: http://127.0.0.1:9 gave no whole answer")) == (1, True)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "lab lists no device at all"),
        ("name,mac\n", "lab lists no device at all"),
        ("name,mcc\npanda-1,x\n", "'mcc' is no field; there are name, fqdn, address, mac,"),
        (
            "name,mac\npanda-1,0200\n",
            "no record of lab can be used, nothing is changed; line 2: mac: a MAC address",
        ),
        ("name,mac\npanda-1\n", "line 2 has 1 cells, the first line names 2 columns"),
    ],
)
def test_junk_in_a_file_changes_nothing(sync: Sync, pool_csv: Write, content: str, told: str) -> None:
    path = pool_csv(1, 2)
    sync(path)
    path.write_text(content)
    status, _, err = sync(path)
    assert (status, err.startswith(f"inventory_sync: {told}")) == (1, True), err
    assert list(Device.objects.values_list("state", flat=True)) == ["new", "new"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[sources.a]\nkind = 'csv'\n", "source a: path: where is it?"),
        (
            "[sources.a]\nkind = 'http'\nurl = 'file:///etc/passwd'\n",
            "source a: url: an http or https URL without user",
        ),
        (
            "[sources.a]\nkind = 'http'\nurll = 'x'\n",
            "source a: urll: no such key; there are kind, path, url,",
        ),
        (
            "[sources.a]\nkind = 'csv'\npath = 'x'\n[sources.a.fields]\nmcc = 'x'\n",
            "source a: fields: mcc is no field",
        ),
        ("[sources.a\n", "can't be read: "),
        (
            "[sources.a]\nkind = 'csv'\npath = 'x'\n[sources.a.patterns]\noutlet = 'x'\n",
            r"source a: patterns: a regular expression and what becomes of it expected, such as ['Outlet (\d+)', '\1']",
        ),
        (
            "[sources.a]\nkind = 'csv'\npath = 'x'\n[sources.a.patterns]\noutlet = ['(', '']\n",
            "source a: patterns: missing ), unterminated subpattern at position 0 in '(' and ''",
        ),
        (
            "[sources.a]\nkind = 'csv'\npath = 'x'\n[sources.a.patterns]\noutlet = ['x', '\\1']\n",
            "source a: patterns: invalid group reference 1 at position 1 in 'x' and ",
        ),
        ("source = 1\n", "a table `sources` expected, and nothing else"),
    ],
)
def test_a_wrong_declaration_is_told_by_its_key(
    sync: Sync, settings: Settings, tmp_path: Path, text: str, told: str
) -> None:
    settings.MOZPOOL_INVENTORY = tmp_path / "inventory.toml"
    settings.MOZPOOL_INVENTORY.write_text(text)
    status, _, err = sync("a")
    assert (status, told in err) == (2, True), err


def test_a_declaration_that_says_something_twice_is_refused_by_its_line(
    sync: Sync, settings: Settings, tmp_path: Path
) -> None:
    settings.MOZPOOL_INVENTORY = tmp_path / "inventory.yaml"
    settings.MOZPOOL_INVENTORY.write_text("sources:\n  a: {kind: csv, path: x}\n  a: {kind: csv, path: y}\n")
    status, _, err = sync("a")
    assert (status, err) == (
        2,
        f"inventory_sync: {settings.MOZPOOL_INVENTORY} can't be read: 'a' is there twice (line 3)\n",
    )


def test_json_that_says_something_twice_is_no_answer(declared: NetBox, sync: Sync) -> None:
    fill(declared, 1)
    declared.fault = Fault(text='{"count": 0, "results": [], "results": []}')
    status, _, err = sync("json")
    assert (status, err.endswith(" sent an object that has 'results' twice\n")) == (1, True)


def test_thousands_of_devices_take_seconds_and_no_more_queries_than_hundreds(
    netbox: NetBox, sync: Sync
) -> None:
    netbox.most = 500
    fill(netbox, 250)
    with CaptureQueriesContext(connection) as first:
        assert sync("netbox", "--url", netbox.url, "--ship-it")[0] == 0
    fill_on(netbox, 250, 1000)
    begun = time.monotonic()
    with CaptureQueriesContext(connection) as then:
        assert sync("netbox", "--url", netbox.url, "--ship-it")[0] == 0
    with CaptureQueriesContext(connection) as nothing:
        assert sync("netbox", "--url", netbox.url)[0] == 0
    assert time.monotonic() - begun < 20
    assert Device.objects.count() == 1000
    assert len(then) <= 3 * len(first)
    assert len(nothing) <= 9
