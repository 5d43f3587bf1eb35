"""Files that nobody would write on purpose: each is read, or refused with one clear sentence, and never an error."""

import csv
import io
import json
import re
from typing import Any

import pytest
import yaml
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from devices.inventory import contents
from devices.inventory.declared import Source, find
from devices.inventory.errors import NoAnswerError
from devices.inventory.plan import make_plan
from devices.inventory.planning import Plan
from devices.inventory.records import FIELDS, READERS, read
from devices.inventory.shown import counts, rows
from devices.inventory.web import parsed
from devices.models import Device, Rack
from tests.integration.access.people import somebody
from tests.unit.inventory.stories import device, pool, values

# What people and spreadsheets put into cells, beside what is right.
ODD = [
    "", " ", "~", "null", "-", "n/a", "TRUE", "1E5", "2.00E+11", '="02aa00000001"', "'02aa", "=1+1", "#REF!",
    "\u200e02", "\xa0", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "0.1.2.3",
    "255.255.255.255", "127.0.0.1", "::1", "fe80::1%eth0", "10.1.2.3/24", "10.1.2.0/24", "10.1.2.3:22", "PANDA-1",
    "panda-1", "a,b", "a;b", "a\tb", "a\nb", "any", "-1", "4294967296", "9" * 30,
    "\u0663", "пан", "\U0001f4a9", "x" * 300, "../x", "%s", "{name}", "[]",
]  # fmt: skip
cells = (
    st.sampled_from(ODD) | st.text(max_size=12) | st.sampled_from([str(one) for one in values(7).values()])
)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | cells
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(cells, inner, max_size=3),
    max_leaves=8,
)
pytestmark = pytest.mark.on_sqlite
_WORDS_OF_PYTHON = re.compile(r"\bNone\b|<class|object at 0x|Traceback|\('")


def plan_of(source: Source, content: bytes) -> Plan | str:
    """Give the plan of a file, or why there is none."""
    try:
        records = contents.read(source, content)
    except NoAnswerError as error:
        return error.detail
    return make_plan(pool(device(1), device(2)), records, source.scope)


def expect_a_plan_or_a_sentence(made: Plan | str) -> None:
    """Check that each record is heeded or refused, by its line and a field, in words."""
    if isinstance(made, str):
        assert made
        assert "\n" not in made
        return
    assert counts(made)
    heeded = len(made.new) + made.unchanged + len(made.changed)
    for refused in made.refused:
        assert re.fullmatch(r"line [0-9]+", refused.where), refused
        for reason in refused.reasons:
            assert re.match(rf"({'|'.join(FIELDS)}|name|MAC|inventory id|outlet)\b", reason), reason
            told = re.sub(r"not ('.*'|\".*\")", "", reason)
            assert not _WORDS_OF_PYTHON.search(told), reason
    assert heeded + len(made.refused) + len(made.ignored) >= 1
    assert all(isinstance(cell, str) for row in rows(made) for cell in row)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from([*FIELDS, "comments", "", "Name", "x"]) | cells, min_size=1, max_size=12),
    st.lists(st.lists(cells, max_size=12), max_size=5),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1"]),
)
def test_any_csv_makes_a_plan_or_is_refused_by_line_and_field(
    header: list[str], lines: list[list[str]], delimiter: str, end: str, encoding: str
) -> None:
    text = end.join(delimiter.join(line) for line in [header, *lines])
    made = plan_of(Source("lab", "csv"), text.encode(encoding, "ignore"))
    expect_a_plan_or_a_sentence(made)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(cells, min_size=len(FIELDS), max_size=len(FIELDS)), min_size=1, max_size=6))
def test_whatever_is_in_the_cells_is_planned_or_refused(lines: list[list[str]]) -> None:
    quoted = ['"' + cell.replace('"', '""') + '"' for line in lines for cell in line]
    text = ",".join(FIELDS) + "".join(
        "\n" + ",".join(quoted[at : at + len(FIELDS)]) for at in range(0, len(quoted), len(FIELDS))
    )
    expect_a_plan_or_a_sentence(plan_of(Source("lab", "csv"), text.encode("utf-8", "ignore")))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
@example(b"\xff\xfea")
@example(b"sep=\n")
@example(b'sep="\n"a')
@example(b"\xef\xbb\xbf")
def test_any_bytes_are_a_plan_or_refused(content: bytes) -> None:
    for kind in ("csv", "yaml"):
        expect_a_plan_or_a_sentence(plan_of(Source("lab", kind), content))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.dictionaries(st.sampled_from(FIELDS) | cells, trees, max_size=6) | trees, max_size=4),
    st.booleans(),
)
def test_any_yaml_makes_a_plan_or_is_refused(items: list[Any], named: bool) -> None:
    text = yaml.safe_dump({"devices": items} if named else items, allow_unicode=True)
    expect_a_plan_or_a_sentence(plan_of(Source("lab", "yaml"), text.encode("utf-8", "ignore")))


@settings(max_examples=200, deadline=None)
@given(trees)
def test_any_value_of_any_field_is_read_or_refused(tree: Any) -> None:
    for field in READERS:
        record = read({field: tree}, "line 1")
        assert (field in record.values) is not bool(record.problems)


def test_names_of_names_without_end_cost_nothing() -> None:
    laughs = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    laughs += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    text = "\n".join([*laughs, "devices:", "- {name: *a11, mac: *a11, tags: *a11}"])
    made = plan_of(Source("lab", "yaml"), text.encode())
    assert isinstance(made, Plan)
    assert made.refused[0].reasons[0] == "name: a host name of 63 characters at most expected, not a list"
    endless = "- &a {name: panda-1, tags: [*a]}\n"
    assert plan_of(Source("lab", "yaml"), endless.encode()) == (
        "the file is no YAML: found unconstructable recursive node (line 1)"
    )


def test_a_file_that_is_cut_anywhere_loses_nobody() -> None:
    lines = [",".join(values(1)), *(",".join(map(str, values(number).values())) for number in (1, 2))]
    whole = "\n".join(lines).encode()
    for end in range(len(whole)):
        made = plan_of(Source("lab", "csv"), whole[:end])
        if isinstance(made, Plan):
            assert {one.name for one in made.gone} <= {"panda-2"}
            assert not made.new


OF_NETBOX = (
    "name", "primary_ip4", "primary_ip", "rack", "device_type", "interface", "power_port", "tags", "custom_fields",
)  # fmt: skip
devices_of_netbox = st.fixed_dictionaries({"id": st.integers(1, 9)}, optional=dict.fromkeys(OF_NETBOX, trees))


@settings(max_examples=200, deadline=None)
@given(st.lists(devices_of_netbox, min_size=1, max_size=4))
def test_whatever_a_netbox_sends_of_its_devices_is_planned_or_refused(items: list[dict[str, Any]]) -> None:
    source = find("netbox", declared_in=None, url="http://netbox.example.com")
    made: Plan | str
    try:
        records = contents.as_records(
            source, [(f"line {place}", item) for place, item in enumerate(items, 1)]
        )
        made = make_plan(pool(device(1), device(2)), records, source.scope)
    except NoAnswerError as error:
        made = error.detail
    expect_a_plan_or_a_sentence(made)


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from('{}[]":,1ae ')).map(str.encode) | st.binary(max_size=40))
def test_whatever_json_is_sent_is_an_answer_or_none(body: bytes) -> None:
    try:
        found, why = parsed(body, "http://x"), ""
    except NoAnswerError as error:
        found, why = None, error.detail
    assert re.search("is no JSON|twice", why) if why else found == json.loads(body)


def _file(found: list[str]) -> bytes:
    """Write a CSV file with as many whole lines as there are cells for."""
    lines = [found[at : at + len(FIELDS)] for at in range(0, len(found), len(FIELDS))]
    text = io.StringIO()
    csv.writer(text).writerows([FIELDS, *(line for line in lines if len(line) == len(FIELDS))])
    return text.getvalue().encode("utf-8", "ignore")


@pytest.mark.django_db
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["/admin/inventory/", "/admin/devices/device/import/"]),
    st.sampled_from(["lab.csv", "lab.yaml"]),
    st.binary(max_size=60) | st.lists(cells, max_size=30).map(_file),
)
def test_no_file_breaks_a_page_and_none_changes_anything_before_it_is_confirmed(
    admin: Client, path: str, name: str, content: bytes
) -> None:
    answer = admin.post(path, {"file": SimpleUploadedFile(name, content)})
    assert answer.status_code in (200, 400)
    assert not Device.objects.exists()


@pytest.fixture
def admin(rack: Rack) -> Client:
    """Give an administrator's browser."""
    client = Client()
    client.force_login(somebody("root", "admin"))
    return client
