"""What each role may do in the administration, and what is kept of it."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from devices.models import BootConfig, Device, PowerController
from mozpool_site.access.models import AuditEntry, Limits, Token
from tests.factories import make_controller, make_device, make_image
from tests.integration.access.people import sending, somebody
from tests.integration.admin.pages import errors, load

pytestmark = pytest.mark.django_db


def browser(role: str | None, **columns: Any) -> Client:
    client = Client(REMOTE_ADDR="192.0.2.5")
    client.force_login(somebody("me", role, **columns))
    return client


def trail(action: str) -> AuditEntry:
    return AuditEntry.objects.get(action=action)


@pytest.mark.parametrize(
    ("role", "columns", "status"),
    [
        (None, {}, 302), ("viewer", {}, 302), ("requester", {}, 302), ("requester", {"is_staff": True}, 302),
        ("operator", {}, 200), ("admin", {}, 200), (None, {"is_superuser": True}, 200),
        ("admin", {"is_active": False}, 302),
    ],
)  # fmt: skip
def test_operators_and_admins_enter_whatever_their_staff_flag_says(
    role: str | None, columns: dict[str, Any], status: int
) -> None:
    assert browser(role, **columns).get("/admin/").status_code == status


def test_an_operator_sees_boot_configs_and_changes_none() -> None:
    make_image()
    row = BootConfig.objects.get()
    client = browser("operator")
    page = client.get(f"/admin/devices/bootconfig/{row.pk}/change/")
    assert "APPEND url=" in page.content.decode()
    assert client.post(f"/admin/devices/bootconfig/{row.pk}/change/", {"name": "x"}).status_code == 403
    assert client.get("/admin/devices/bootconfig/add/").status_code == 403
    assert client.post(f"/admin/devices/bootconfig/{row.pk}/delete/", {"post": "yes"}).status_code == 403


def test_an_operator_sees_power_controllers_without_their_secrets() -> None:
    board = make_controller(driver="webhook", settings={"token": "hunter2", "method": "PUT"})
    page = browser("operator").get(f"/admin/devices/powercontroller/{board.pk}/change/")
    assert page.status_code == 200
    assert "hunter2" not in page.content.decode()
    assert "{&quot;method&quot;: &quot;PUT&quot;}" in page.content.decode()


def test_an_operator_changes_comments_environment_and_tags_of_a_device_and_nothing_else() -> None:
    device = make_device(name="panda", comments="old")
    client = browser("operator")
    path = f"/admin/devices/device/{device.pk}/change/"
    sent = load(client, path)
    # What the page showed goes with it, so that nobody overwrites what somebody else has written meanwhile.
    assert set(sent) == {"environment", "tags", "comments", "initial-tags", "initial-comments"}
    answer = client.post(path, {
        **sent, "comments": "new <b>", "environment": "staging", "tags": '["a"]', "name": "stolen", "outlet": "x",
    })  # fmt: skip
    assert answer.status_code == 302, errors(answer)
    device.refresh_from_db()
    assert (device.name, device.comments, device.environment, device.tags) == (
        "panda",
        "new <b>",
        "staging",
        ["a"],
    )
    entry = trail("change")
    assert (entry.actor, entry.address, entry.target_kind, entry.target) == (
        "me",
        "192.0.2.5",
        "device",
        "panda",
    )
    assert entry.before == {"comments": "old", "environment": "production", "tags": []}
    assert entry.after == {"comments": "new <b>", "environment": "staging", "tags": ["a"]}
    assert client.get("/admin/devices/device/add/").status_code == 403
    assert client.post(f"/admin/devices/device/{device.pk}/delete/", {"post": "yes"}).status_code == 403


def test_an_operator_sees_users_and_tokens_and_makes_none() -> None:
    client = browser("operator")
    me = User.objects.get()
    for path in ("auth/user/", f"auth/user/{me.pk}/change/", "access/token/", "access/auditentry/"):
        assert client.get(f"/admin/{path}").status_code == 200
    for path in ("auth/user/add/", "access/token/add/", f"auth/user/{me.pk}/password/"):
        assert client.get(f"/admin/{path}").status_code == 403
    assert client.post(f"/admin/auth/user/{me.pk}/change/", {"is_superuser": "on"}).status_code == 403
    assert not User.objects.filter(is_superuser=True).exists()


def test_an_admin_changes_a_boot_config_and_its_text_stays_out_of_the_trail() -> None:
    make_image()
    row = BootConfig.objects.get()
    client = browser("admin")
    path = f"/admin/devices/bootconfig/{row.pk}/change/"
    answer = client.post(
        path,
        {
            **load(client, path),
            "contents": "DEFAULT secret\nLABEL secret\nLOCALBOOT 0\n",
            "description": "new",
        },
    )
    assert answer.status_code == 302
    entry = trail("change")
    assert entry.before == {"contents": "***", "description": ""}
    assert entry.after == {"contents": "***", "description": "new"}


def test_a_saved_power_controller_leaves_no_secret_in_the_trail() -> None:
    board = make_controller()
    client = browser("admin")
    path = f"/admin/devices/powercontroller/{board.pk}/change/"
    answer = client.post(path, {**load(client, path), "address": "127.0.0.1:2", "settings": '{"retries": 2}'})
    assert answer.status_code == 302 or errors(answer)
    assert "retries" not in str(list(AuditEntry.objects.values_list("before", "after")))
    assert PowerController.objects.get().pk == board.pk


def test_what_is_added_on_the_page_of_another_row_is_told_by_name() -> None:
    image = make_image(installable=False)
    make_image("other")
    config = BootConfig.objects.get()
    client = browser("admin")
    path = f"/admin/devices/image/{image.pk}/change/"
    sent = {
        **load(client, path), "uses-TOTAL_FORMS": "1", "uses-0-hardware_type": make_device().hardware_type_id,
        "uses-0-boot_config": config.pk,
    }  # fmt: skip
    prefix = next(name for name in load(client, path) if name.endswith("-TOTAL_FORMS")).removesuffix(
        "-TOTAL_FORMS"
    )
    sent = {name.replace("uses-", f"{prefix}-"): value for name, value in sent.items()}
    assert client.post(path, sent).status_code == 302
    entry = trail("change")
    assert (entry.target_kind, entry.target) == ("image", "android")
    (told,) = (
        value for name, value in entry.after.items() if name.startswith("image boot config android on")
    )
    assert told == {"hardware_type": "panda es-b3", "boot_config_name": "panda-other"}


def test_deleting_is_told_with_what_was_deleted() -> None:
    device = make_device(name="panda", comments="broken")
    client = browser("admin")
    assert client.post(f"/admin/devices/device/{device.pk}/delete/", {"post": "yes"}).status_code == 302
    entry = trail("delete")
    assert (entry.target, entry.before["comments"], entry.after) == ("panda", "broken", {})
    assert "next_boot_config" not in entry.before or entry.before["next_boot_config"] == "***"
    assert not Device.objects.exists()


def test_an_admin_makes_a_user_gives_a_role_and_a_quota_and_it_is_told() -> None:
    client = browser("admin")
    answer = client.post("/admin/auth/user/add/", {
        "username": "new", "usable_password": "true", "password1": "correct horse 7", "password2": "correct horse 7",
    })  # fmt: skip
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    added = trail("add")
    assert (added.target, added.after["username"]) == ("new", "new")
    assert "correct horse" not in str(added.after)
    user = User.objects.get(username="new")
    path = f"/admin/auth/user/{user.pk}/change/"
    sent = {
        **load(client, path),
        "groups": [Group.objects.get_or_create(name="requester")[0].pk],
        "limits-0-max_open_requests": 7,
    }
    assert client.post(path, sent).status_code == 302
    assert Limits.objects.get(user=user).max_open_requests == 7
    changed = trail("change")
    assert (changed.before["groups"], changed.after["groups"]) == ([], ["requester"])
    assert changed.after["limits limits of new"] == {"max_open_requests": 7}


def test_a_name_that_would_pass_for_an_old_client_is_refused() -> None:
    answer = browser("admin").post("/admin/auth/user/add/", {
        "username": "legacy@10.1.0.5", "usable_password": "true", "password1": "correct horse 7",
        "password2": "correct horse 7",
    })  # fmt: skip
    assert errors(answer)["username"] == ["A name that begins with legacy@ would pass for an old client."]


def test_a_password_that_is_set_is_told_without_it() -> None:
    client = browser("admin")
    user = somebody("other", "viewer")
    sent = {"usable_password": "true", "password1": "correct horse 8", "password2": "correct horse 8"}
    assert client.post(f"/admin/auth/user/{user.pk}/password/", sent).status_code == 302
    entry = trail("set_password")
    assert (entry.target, entry.before, entry.after) == ("other", {}, {})


def test_a_token_made_in_the_admin_is_shown_once_and_works() -> None:
    client = browser("admin")
    owner = somebody("ci", "requester")
    sent = {"user": owner.pk, "name": "nightly", "role": "2", "days": "30"}
    made = client.post("/admin/access/token/add/", sent)
    assert made.status_code == 200
    (text,) = set(re.findall(r"mzp_[0-9a-f]{48}", made.content.decode()))
    assert "no-store" in made["Cache-Control"]
    assert sending(text).get("/api/device/list/").status_code == 200
    row = Token.objects.get()
    assert (row.user, row.name, (row.expires - row.created).days) == (owner, "nightly", 30)
    for path in ("", f"{row.pk}/change/", f"{row.pk}/history/"):
        assert text not in client.get(f"/admin/access/token/{path}").content.decode()
    assert [entry.action for entry in AuditEntry.objects.all()] == ["create_token"]


@pytest.mark.parametrize(
    ("wrong", "field", "message"),
    [
        ({"role": "4"}, "role", "role: ci is requester, so a token can be requester at most"),
        ({"days": "366"}, "days", "expires_in: whole seconds from 1 to 31536000 expected, got 31622400"),
        ({"days": "0"}, "days", "Ensure this value is greater than or equal to 1."),
        ({"name": ""}, "name", "This field is required."),
        ({"user": ""}, "user", "This field is required."),
    ],
)
def test_a_token_that_can_not_be_is_refused_beside_its_field(
    wrong: dict[str, str], field: str, message: str
) -> None:
    client = browser("admin")
    sent = {"user": somebody("ci", "requester").pk, "name": "x", "role": "2", "days": "30", **wrong}
    assert errors(client.post("/admin/access/token/add/", sent))[field] == [message]
    assert not Token.objects.exists()


def test_tokens_are_revoked_by_deleting_them_singly_or_many() -> None:
    client = browser("admin")
    owner = somebody("ci", "requester")
    for name in "abc":
        client.post("/admin/access/token/add/", {"user": owner.pk, "name": name, "role": "1", "days": "1"})
    first, *others = Token.objects.order_by("pk").values_list("pk", flat=True)
    assert client.post(f"/admin/access/token/{first}/delete/", {"post": "yes"}).status_code == 302
    chosen = {"action": "delete_selected", "_selected_action": others, "post": "yes"}
    assert client.post("/admin/access/token/", chosen).status_code == 302
    assert not Token.objects.exists()
    assert AuditEntry.objects.filter(action="revoke_token").count() == 3
    assert not AuditEntry.objects.filter(action="delete").exists()


def test_the_trail_itself_is_read_only() -> None:
    client = browser("admin")
    entry = AuditEntry.objects.create(action="x", target_kind="y")
    assert client.get("/admin/access/auditentry/add/").status_code == 403
    assert client.post(f"/admin/access/auditentry/{entry.pk}/change/", {"action": "z"}).status_code == 403
    assert client.post(f"/admin/access/auditentry/{entry.pk}/delete/", {"post": "yes"}).status_code == 403
    assert AuditEntry.objects.get().action == "x"


def test_a_script_in_a_comment_is_shown_as_text() -> None:
    device = make_device(comments="<script>alert(1)</script>")
    AuditEntry.objects.create(action="x", target_kind="y", after={"comments": device.comments})
    client = browser("operator")
    for path in (f"devices/device/{device.pk}/change/", "access/auditentry/"):
        page = client.get(f"/admin/{path}").content.decode()
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page
