"""Devices go out as CSV and come in again: what would change is shown first, and that is what is done, or nothing."""

import csv
import io
import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models.signals import post_save
from django.test import Client

from devices.models import Device, HardwareType
from mozpool_site.access.models import AuditEntry
from pages.repairs import bringing
from tests.factories import change
from tests.integration.access.people import somebody

EXPORT, IMPORT = "/admin/devices/device/export/", "/admin/devices/device/import/"
HEADER = "name,fqdn,mac,rack,hardware_type,environment"


def exported(client: Client, query: str = "") -> list[dict[str, str]]:
    answer: Any = client.get(f"{EXPORT}{query}")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    text = b"".join(answer.streaming_content).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def upload(client: Client, *lines: str) -> Any:
    file = SimpleUploadedFile("devices.csv", "\n".join(lines).encode(), "text/csv")
    return client.post(IMPORT, {"file": file})


def confirm(client: Client, page: Any, **more: str) -> Any:
    return client.post(IMPORT, {"digest": page.context["plan"].digest, **more})


def rewritten(rows: list[dict[str, str]]) -> list[str]:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return [out.getvalue()]


def test_what_the_filters_leave_goes_out_and_a_formula_stays_text(admin: Client, pool: list[Device]) -> None:
    change(pool[2], comments='=HYPERLINK("http://evil")\nsecond, line', tags=["a", "b"])
    rows = exported(admin, "?rack=p2")
    assert [row["name"] for row in rows] == ["panda-0003", "panda-0004"]
    assert rows[0]["comments"] == '\'=HYPERLINK("http://evil")\nsecond, line'
    assert (rows[0]["hardware_type"], rows[0]["outlet"], rows[0]["tags"]) == (
        "panda es-b3",
        "bank1:relay1",
        "a b",
    )
    assert "boot_config" not in rows[0]


def test_thousands_go_out_with_a_constant_number_of_queries(
    admin: Client, pool: list[Device], django_assert_max_num_queries: Any
) -> None:
    exported(admin)
    with django_assert_max_num_queries(9):
        assert len(exported(admin)) == 4


def test_a_filter_that_cannot_be_is_no_error_page(admin: Client, pool: list[Device]) -> None:
    HardwareType.objects.create(kind="tegra", model="250")  # one type alone is nothing to filter by
    answer = admin.get(f"{EXPORT}?hardware_type__id__exact=x")
    assert (answer.status_code, "A filter has a value" in answer.content.decode()) == (400, True)


def test_what_went_out_comes_in_as_nothing_to_do(admin: Client, pool: list[Device]) -> None:
    change(pool[0], comments="-1\n=2", tags=["b", "a"], inventory_source="netbox")
    page = upload(admin, *rewritten(exported(admin)))
    plan = page.context["plan"]
    assert (plan.new, plan.changed, plan.gone, plan.refused, plan.unchanged) == ((), (), (), (), 4)
    assert "There is nothing to do" in page.content.decode()


def test_a_device_that_a_file_changes_belongs_to_its_inventory_at_every_moment(
    admin: Client, pool: list[Device]
) -> None:
    Device.objects.filter(pk=pool[0].pk).update(inventory_source="netbox")
    stored: list[str] = []

    def note(instance: Device, **_: Any) -> None:
        stored.append(instance.inventory_source)

    row = {**exported(admin, "?rack=p1")[0], "fqdn": "moved.lab.example"}
    page = upload(admin, *rewritten([row]))
    post_save.connect(note, sender=Device)
    try:
        confirm(admin, page)
    finally:
        post_save.disconnect(note, sender=Device)
    assert stored == ["netbox"]


def test_a_plan_is_shown_in_words_and_warns_of_boards_without_an_outlet(
    admin: Client, pool: list[Device]
) -> None:
    row = exported(admin, "?rack=p1")[0]
    bare = {
        "name": "panda-0005",
        "mac": "02:00:7F:40:FF:01",
        "inventory_id": "",
        "outlet": "",
        "power_controller": "",
    }
    shown = upload(
        admin, *rewritten([{**row, "tags": "gpu hdmi"}, {**row, **bare, "tags": "gpu"}])
    ).content.decode()
    assert (
        "1 device has no outlet, so nothing can switch the power and every test fails: panda-0005." in shown
    )
    assert "<td>gpu, hdmi</td>" in shown
    assert "<b>tags</b> gpu " in shown
    assert not re.search(r"\(&#x27;|\[&#x27;|\bNone\b", shown)


def test_a_change_and_a_new_device_are_shown_and_then_done(admin: Client, pool: list[Device]) -> None:
    Device.objects.filter(pk=pool[0].pk).update(inventory_source="netbox")
    new = {"name": "panda-0005", "mac": "02:00:7F:40:FF:01", "inventory_id": "5", "outlet": "bank4:relay8",
           "fqdn": "panda-0005.lab.example"}  # fmt: skip
    rows = exported(admin, "?rack=p1")
    page = upload(admin, *rewritten([{**rows[0], "fqdn": "moved.lab.example"}, {**rows[0], **new}]))
    shown = page.content.decode()
    assert all(
        words in shown for words in ("moved.lab.example", "02007f40ff01", "Nothing has been changed yet")
    )
    assert (Device.objects.count(), Device.objects.filter(fqdn="moved.lab.example").exists()) == (4, False)
    done = confirm(admin, page)
    assert (done.context["done"].entered, done.context["done"].changed, done.context["done"].left) == (
        1,
        1,
        [],
    )
    made, moved = Device.objects.get(name="panda-0005"), Device.objects.get(name="panda-0001")
    assert (made.state, made.mac, made.inventory_source) == ("new", "02007f40ff01", "")
    assert (moved.fqdn, moved.inventory_source) == ("moved.lab.example", "netbox")
    assert set(AuditEntry.objects.filter(actor="root").values_list("target", flat=True)) >= {
        "panda-0005",
        "panda-0001",
    }
    again = confirm(admin, page)
    assert (again.status_code, "no longer here: choose it again" in again.content.decode()) == (400, True)


def test_what_is_wrong_is_told_by_line_and_field_and_nothing_can_be_confirmed(
    admin: Client, pool: list[Device]
) -> None:
    page = upload(
        admin, HEADER,
        "panda-0001,panda-0001.p1.lab.example,nonsense,p1,panda es-b3,production",
        "panda-0009,panda-0009.lab.example,0200000000aa,p9,panda es-b3,production",
        "panda-0002,other.lab.example,02007f400004,p1,panda es-b3,production",
    )  # fmt: skip
    told = {one.where: one.reasons for one in page.context["plan"].refused}
    assert list(told) == ["line 2", "line 3"]
    assert told["line 2"][0].startswith("mac: a MAC address of twelve hex digits expected, not 'nonsense'")
    assert told["line 3"] == ("rack: there is no rack p9; add it in the admin first",)
    assert 'name="digest"' not in page.content.decode()
    assert confirm(admin, page).status_code == 400
    assert not Device.objects.filter(fqdn="other.lab.example").exists()


def test_what_somebody_changed_meanwhile_is_looked_at_again(admin: Client, pool: list[Device]) -> None:
    page = upload(admin, "name,fqdn", "panda-0001,mine.lab.example")
    Device.objects.filter(pk=pool[0].pk).update(fqdn="theirs.lab.example")
    answer = confirm(admin, page)
    assert "no longer the one that was shown" in answer.content.decode()
    assert Device.objects.get(pk=pool[0].pk).fqdn == "theirs.lab.example"


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (("name,colour", "panda-0001,red"), "&#x27;colour&#x27; is no column that can be brought in"),
        (("name,fqdn", "panda-0001"), "line 2 has 1 cells"),
        (("name,fqdn",), "lists no device at all"),
        (("name,name", "a,b"), "line 1 names a column twice: &#x27;name&#x27;"),
    ],
)
def test_a_file_that_is_no_list_of_devices_is_refused_with_a_reason(
    admin: Client, pool: list[Device], lines: tuple[str, ...], words: str
) -> None:
    page = upload(admin, *lines)
    assert (page.status_code, words in page.content.decode()) == (400, True), page.content.decode()


def test_bytes_that_are_no_text_and_files_that_are_too_large_are_refused(
    admin: Client, pool: list[Device], monkeypatch: pytest.MonkeyPatch
) -> None:
    binary = admin.post(IMPORT, {"file": SimpleUploadedFile("x.csv", b"\xff\xfe\x00name")})
    assert binary.status_code == 400
    monkeypatch.setattr(bringing, "MOST_BYTES", 5)
    assert "At most 5 bytes" in upload(admin, "name,fqdn", "a,b").content.decode()
    assert "This field is required" in admin.post(IMPORT, {}).content.decode()


def test_operators_may_take_devices_out_and_bring_none_in(pool: list[Device]) -> None:
    client = Client()
    client.force_login(somebody("olga", "operator"))
    assert len(exported(client)) == 4
    assert upload(client, "name,fqdn", "panda-0001,x.example").status_code == 403
    assert "Import CSV" not in client.get("/admin/devices/device/").content.decode()
