"""What is used, held or at work is not deleted: the page says what stands against it, and nothing is an error page."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client

from bmm import operations
from bmm.models import Kind, Operation, Status
from devices.admin_base import CarefulAdmin
from devices.models import BootConfig, Device, HardwareType, Image, PowerController, Rack
from lifeguard.models import Install
from mozpool_site import clock
from requests_app.models import Request


def path(row: Any) -> str:
    return f"/admin/{row._meta.app_label}/{row._meta.model_name}/{row.pk}/delete/"


def delete(client: Client, row: Any) -> Any:
    return client.post(path(row), {"post": "yes"})


def against(response: Any) -> list[str]:
    assert response.status_code == 200, "it was deleted"
    return list(response.context["protected"])


def several(client: Client, rows: list[Device]) -> Any:
    keys = [row.pk for row in rows]
    return client.post(
        "/admin/devices/device/", {"action": "delete_selected", "_selected_action": keys, "post": "yes"}
    )


@pytest.mark.parametrize(
    ("used", "by"),
    [
        (lambda: Rack.objects.earliest("pk"), "2 devices (as rack): panda-0001, panda-0002"),
        (
            lambda: PowerController.objects.earliest("pk"),
            "2 devices (as power controller): panda-0001, panda-0002",
        ),
        (
            lambda: HardwareType.objects.get(kind="panda"),
            "4 devices (as hardware type): panda-0001, panda-0002, panda-0003, ...",
        ),
        (
            lambda: Image.objects.get(name="android"),
            "4 devices (as image): panda-0001, panda-0002, panda-0003, ...",
        ),
        (
            lambda: BootConfig.objects.get(name="panda-android"),
            "1 image boot configs (as boot config): android on panda es-b3",
        ),
    ],
)
def test_what_is_used_stays_and_the_page_says_by_whom(
    admin: Client, pool: list[Device], used: Callable[[], Any], by: str
) -> None:
    row = used()
    assert by in against(admin.get(path(row)))
    assert by in against(delete(admin, row))
    assert type(row).objects.filter(pk=row.pk).exists()


def test_a_controller_that_has_switched_stays_and_the_page_says_so_and_one_that_was_only_asked_goes(
    admin: Client, pool: list[Device]
) -> None:
    board = PowerController.objects.create(name="spare", rack=pool[0].rack, address="10.1.0.9")
    operations.queue_question(board, Kind.TEST_CONTROLLER, clock.now())
    Device.objects.filter(pk=pool[0].pk).update(power_controller=board)
    work = operations.queue(Device.objects.get(pk=pool[0].pk), Kind.POWER_OFF, clock.now())
    Device.objects.filter(pk=pool[0].pk).update(power_controller=None, outlet="")
    kept = [f"What spare has switched is kept as long as the journal, such as {work}."]
    assert against(admin.get(path(board))) == kept
    assert against(delete(admin, board)) == kept
    work.delete()
    assert delete(admin, board).status_code == 302
    assert not PowerController.objects.filter(pk=board.pk).exists()


def test_an_image_that_somebody_asked_for_stays(admin: Client, pool: list[Device]) -> None:
    image = Image.objects.get(name="b2g")
    now = clock.now()
    request = Request.objects.create(state="closed", image=image, assignee="me", expires=now, ended=now)
    assert against(delete(admin, image)) == [f"1 requests (as image): {request}"]


def test_a_held_device_stays(admin: Client, pool: list[Device]) -> None:
    Device.objects.filter(pk=pool[0].pk).update(held_by=12, idle_since=None)
    assert against(delete(admin, pool[0])) == ["panda-0001 is held by request 12: return that first."]
    assert Device.objects.filter(pk=pool[0].pk).exists()


def test_a_device_at_work_stays(admin: Client, pool: list[Device]) -> None:
    work = operations.queue(pool[0], "ping", clock.now(), actor="me")
    assert against(delete(admin, pool[0])) == [f"{work} is under way: lock the device out, or wait."]
    Operation.objects.update(status=Status.DONE)
    assert delete(admin, pool[0]).status_code == 302
    assert not Device.objects.filter(pk=pool[0].pk).exists()


def test_history_goes_with_its_device_and_is_counted_not_listed(
    admin: Client, pool: list[Device], django_assert_max_num_queries: Any
) -> None:
    now = clock.now()
    done = {
        "kind": "ping",
        "status": Status.DONE,
        "created": now,
        "not_before": now,
        "rack_id": pool[0].rack_id,
    }
    Operation.objects.bulk_create([Operation(device=pool[0], **done) for _ in range(300)])
    Install.objects.create(
        device=pool[0],
        image=Image.objects.get(name="android"),
        config_digest="",
        succeeded=True,
        healthy_before=True,
        finished=now,
    )
    with django_assert_max_num_queries(15):
        page = admin.get(path(pool[0]))
    assert dict(page.context["model_count"]) == {"devices": 1, "operations": 300, "installs": 1}
    assert delete(admin, pool[0]).status_code == 302
    assert not Operation.objects.exists()


def test_several_devices_go_together_or_stay_together(admin: Client, pool: list[Device]) -> None:
    Device.objects.filter(pk=pool[1].pk).update(held_by=12, idle_since=None)
    assert against(several(admin, pool[:3])) == ["panda-0002 is held by request 12: return that first."]
    assert Device.objects.count() == 4
    assert several(admin, [pool[0], pool[2]]).status_code == 302
    assert Device.objects.count() == 2


@pytest.mark.parametrize("together", [False, True])
def test_a_device_that_is_taken_while_the_page_is_open_stays(
    admin: Client, pool: list[Device], monkeypatch: pytest.MonkeyPatch, together: bool
) -> None:
    """Let a request claim the device after the admin has looked, and before it deletes."""
    looked = CarefulAdmin.get_deleted_objects

    def look_then_lose(self: CarefulAdmin, objs: Any, request: Any) -> Any:
        answer = looked(self, objs, request)
        Device.objects.filter(pk=pool[0].pk).update(held_by=12, idle_since=None)
        return answer

    monkeypatch.setattr(CarefulAdmin, "get_deleted_objects", look_then_lose)
    response = several(admin, pool[:2]) if together else delete(admin, pool[0])
    assert response.status_code == 302
    told = [str(message) for message in get_messages(response.wsgi_request)]
    assert told == ["panda-0001 is held by request 12: return that first."]
    assert Device.objects.count() == 4


def test_an_image_that_is_installed_while_the_page_is_open_stays(admin: Client, pool: list[Device]) -> None:
    image = Image.objects.get(name="linux")
    assert admin.get(path(image)).context["protected"] == []
    Device.objects.filter(pk=pool[0].pk).update(image=image)
    assert against(delete(admin, image)) == ["1 devices (as image): panda-0001"]
    assert Image.objects.filter(pk=image.pk).exists()
