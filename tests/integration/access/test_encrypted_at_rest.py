"""A dump of the database tells no password: columns with secrets are encrypted, and their keys can be changed."""

import json

import pytest
from django.core.exceptions import FieldError
from django.core.management import call_command
from django.db import connection
from pytest_django import Settings

from devices.models import PowerController
from mozpool_site.encrypted import EncryptionKeyError, columns
from mozpool_site.schema import demand_schema_if_reachable
from requests_app.webhooks.models import Webhook
from tests.factories import make_controller

pytestmark = pytest.mark.django_db(transaction=True)
OLD, NEW, OTHER = (letter.encode() * 40 for letter in "abc")
SETTINGS = {"user": "root", "password": "sesame opens", "https": False}


def stored(table: str, column: str) -> list[str]:
    """Give a column as a dump would have it."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM {table} ORDER BY id")  # noqa: S608 - constants
        return [str(row[0]) for row in cursor.fetchall()]


def nothing_is_in_the_clear() -> None:
    for text in stored("devices_powercontroller", "settings") + stored("requests_app_webhook", "secret"):
        assert text.strip('"').startswith("encrypted:")
        assert "sesame" not in text
        assert "c2VzYW1l" not in text


def fill() -> tuple[PowerController, Webhook]:
    controller = make_controller("127.0.0.1:1", driver="redfish", settings=SETTINGS)
    return controller, Webhook.objects.create(url="http://hooks.example/", secret="whsec_c2VzYW1l")


def test_the_database_holds_no_secret_in_the_clear_and_we_read_all_of_them() -> None:
    controller, webhook = fill()
    assert PowerController.objects.get(pk=controller.pk).settings == SETTINGS
    assert Webhook.objects.get(pk=webhook.pk).secret == webhook.secret
    assert Webhook.objects.values_list("secret", flat=True).get() == "whsec_c2VzYW1l"
    nothing_is_in_the_clear()


def test_the_same_secret_is_never_stored_the_same() -> None:
    for number in (1, 2):
        make_controller(f"127.0.0.1:{number}", driver="redfish", settings=SETTINGS)
    assert len(set(stored("devices_powercontroller", "settings"))) == 2


def test_what_an_older_release_has_stored_is_read_and_encrypted_by_the_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    controller, webhook = fill()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE devices_powercontroller SET settings = %s", [json.dumps(SETTINGS)])
        cursor.execute("UPDATE requests_app_webhook SET secret = 'whsec_c2VzYW1l'")
    controller.refresh_from_db()
    webhook.refresh_from_db()
    assert (controller.settings, webhook.secret) == (SETTINGS, "whsec_c2VzYW1l")
    call_command("rotate_encryption_keys")
    assert capsys.readouterr().out.splitlines() == [
        "devices_powercontroller.settings: 1 of 1 rows encrypted anew",
        "requests_app_webhook.secret: 1 of 1 rows encrypted anew",
    ]
    nothing_is_in_the_clear()


def test_a_key_is_changed_while_everything_runs(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.MOZPOOL_ENCRYPTION_KEYS = (OLD,)
    controller, webhook = fill()
    # First every host learns to read the new key, then to write it.
    settings.MOZPOOL_ENCRYPTION_KEYS = (OLD, NEW)
    call_command("rotate_encryption_keys")
    settings.MOZPOOL_ENCRYPTION_KEYS = (NEW, OLD)
    Webhook.objects.create(url="http://hooks.example/2")
    call_command("rotate_encryption_keys")
    call_command("rotate_encryption_keys")
    assert capsys.readouterr().out.splitlines() == [
        "devices_powercontroller.settings: 0 of 1 rows encrypted anew",
        "requests_app_webhook.secret: 0 of 1 rows encrypted anew",
        "devices_powercontroller.settings: 1 of 1 rows encrypted anew",
        "requests_app_webhook.secret: 1 of 2 rows encrypted anew",
        "devices_powercontroller.settings: 0 of 1 rows encrypted anew",
        "requests_app_webhook.secret: 0 of 2 rows encrypted anew",
    ]
    settings.MOZPOOL_ENCRYPTION_KEYS = (NEW,)
    controller.refresh_from_db()
    webhook.refresh_from_db()
    assert (controller.settings, webhook.secret) == (SETTINGS, "whsec_c2VzYW1l")


def test_a_host_with_other_keys_refuses_to_start_and_overwrites_nothing(settings: Settings) -> None:
    settings.MOZPOOL_ENCRYPTION_KEYS = (OLD,)
    fill()
    before = stored("devices_powercontroller", "settings")
    demand_schema_if_reachable()
    settings.MOZPOOL_ENCRYPTION_KEYS = (OTHER,)
    with pytest.raises(EncryptionKeyError, match="MOZPOOL_ENCRYPTION_KEYS"):
        demand_schema_if_reachable()
    with pytest.raises(SystemExit):
        call_command("rotate_encryption_keys")
    assert stored("devices_powercontroller", "settings") == before


@pytest.mark.parametrize(
    ("model", "lookup"),
    [
        (PowerController, "settings__password__startswith"),
        (PowerController, "settings__password"),
        (PowerController, "settings"),
        (PowerController, "settings__contains"),
        (Webhook, "secret__startswith"),
        (Webhook, "secret"),
    ],
)
def test_nobody_asks_the_database_for_a_secret(
    model: type[PowerController] | type[Webhook], lookup: str
) -> None:
    with pytest.raises(FieldError):
        model.objects.filter(**{lookup: "h"}).exists()


def test_every_column_whose_name_says_that_it_is_secret_is_encrypted() -> None:
    assert [f"{model.__name__}.{field.name}" for model, field in columns()] == [
        "PowerController.settings",
        "Webhook.secret",
    ]
