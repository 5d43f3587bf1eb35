"""Fills a database with a pool that has been at work for long: rows by the hundred thousand, made by the database.

For tests and benches of what grows: the rows are such as years leave behind, not such as a story needs. Who fills a
database has it to themselves.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, models
from django.db.models.fields.json import JSONField

from bmm.models import Operation
from devices.models import (
    BootConfig,
    Device,
    DeviceKind,
    HardwareType,
    Image,
    ImageBootConfig,
    Journal,
    PowerController,
    Rack,
)
from devices.models.device_kind import kind_digest
from lifeguard.models import Install
from mozpool_site import clock
from mozpool_site.access.models import AuditEntry
from requests_app.models import Request, RequestTag
from requests_app.webhooks.models import Delivery, Webhook

RACK = 80
_BOARD = 32
# Of so many devices one fails, is out of the pool, or is held.
_FAILED, _OUT, _HELD = 40, 200, 16
_ENVIRONMENTS = ("production", "staging", "testing")
_IMAGES = ("android", "b2g", "linux")
# A statement that takes longer than the connection's patience is given up.
_SLICE = 50_000
_DIGITS = " UNION ALL ".join(f"SELECT {digit} AS d" for digit in range(10))


@dataclass(frozen=True)
class Size:
    """How many rows of each kind there are; of history, `days` of it."""

    devices: int
    requests: int
    installs: int
    operations: int
    journal: int
    audit: int
    deliveries: int
    days: int = 60


def fill(size: Size) -> None:
    """Write all rows, and have the database look at what it has."""
    now = clock.now()
    _inventory(size, now)
    _history(size, now)
    _open_requests(size, now)
    _tags()
    with connection.cursor() as cursor:
        if connection.vendor == "mysql":
            tables = [model._meta.db_table for model in (*_OF_HISTORY, Device, Rack, PowerController)]
            cursor.execute(f"ANALYZE TABLE {', '.join(tables)}")
            cursor.fetchall()


_OF_HISTORY = (Request, RequestTag, Install, Operation, Journal, AuditEntry, Delivery)


def _inventory(size: Size, now: datetime) -> None:
    hardware = HardwareType.objects.create(kind="panda", model="es-b3")
    for one in _ENVIRONMENTS:
        digest = kind_digest(one, hardware.pk, ())
        DeviceKind.objects.create(environment=one, hardware_type=hardware, digest=digest)
    boot_config = BootConfig.objects.create(name="install", contents="DEFAULT install\n")
    images = Image.objects.bulk_create(Image(name=name, verification="none") for name in _IMAGES)
    for image in Image.objects.filter(name__in=[image.name for image in images]):
        ImageBootConfig.objects.create(image=image, hardware_type=hardware, boot_config=boot_config)
    racks = -(-size.devices // RACK)
    boards = -(-RACK // _BOARD)
    rows(
        Rack,
        racks,
        name=_text("p", "i + 1"),
        imaging_server="'localhost'",
        address="'127.0.0.1'",
        pulse_seen=_at(now),
    )
    first_rack = _first(Rack)
    rows(
        PowerController, racks * boards, name=_text("board-", "i"), rack=f"{first_rack} + {_div('i', boards)}",
        address="'127.0.0.1:1'", last_contact=_at(now),
    )  # fmt: skip
    board = f"{_first(PowerController)} + {_div('i', RACK)} * {boards} + {_div(f'i % {RACK}', _BOARD)}"
    failed, out = f"i % {_FAILED} = 7", f"i % {_OUT} = 3"
    rows(
        Device, size.devices, name=_text("panda-", "100000 + i"), fqdn=_text("panda-", "100000 + i"),
        mac=_text("02", "1000000000 + i"), inventory_id="i", rack=f"{first_rack} + {_div('i', RACK)}",
        hardware_type=str(hardware.pk), power_controller=board, outlet=_outlet(f"i % {RACK} % {_BOARD}"),
        environment=_one_of(_ENVIRONMENTS), kind=f"{_first(DeviceKind)} + i % {len(_ENVIRONMENTS)}",
        image=f"{_first(Image)} + i % {len(_IMAGES)}",
        state=f"CASE WHEN {failed} THEN 'failed_self_test' WHEN {out} THEN 'locked_out' ELSE 'ready' END",
        health=f"CASE WHEN {failed} THEN 'bad' ELSE 'good' END",
        state_since=_ago(now, f"i % 4000 * {size.days * 86400 // 4000}"), deadline=_ago(now, "-60 - i % 600"),
        idle_since=f"CASE WHEN {failed} OR {out} THEN NULL ELSE {_ago(now, 'i % 3000')} END",
    )  # fmt: skip


def _open_requests(size: Size, now: datetime) -> None:
    held = f"i * {_HELD} + 1"
    rows(
        Request, size.devices // _HELD, state="'ready'", image=f"{_first(Image)} + i % {len(_IMAGES)}",
        assignee=_text("person-", "i % 300"), owner=_text("ci-", "i % 50"), turn=_ago(now, "i % 3600"),
        created=_ago(now, "i % 3600"), matched_at=_ago(now, "i % 3600"), ready_at=_ago(now, "i % 3600"),
        state_since=_ago(now, "i % 3600"), expires=_ago(now, "-7200 - i % 3600"),
        deadline=_ago(now, "-7200 - i % 3600"),
        last_device=f"{_first(Device)} + {held}", tags="'[\"hdmi\"]'",
    )  # fmt: skip
    holds = Request.objects.filter(last_device=models.OuterRef("pk"), ended=None).values("pk")
    Device.objects.filter(pk__in=Request.objects.filter(ended=None).values("last_device")).update(
        held_by=models.Subquery(holds[:1]), idle_since=None
    )
    rows(
        Request, 40, state="'finding_device'", image=_first(Image), assignee="'waits'", owner="'waits'",
        turn=_ago(now, "1200 + i"), created=_ago(now, "1200 + i"), state_since=_ago(now, "1200 + i"),
        expires=_ago(now, "-7200"), deadline=_ago(now, "-5"), environment="'production'",
    )  # fmt: skip


def _history(size: Size, now: datetime) -> None:
    span = size.days * 86400
    device, image = f"{_first(Device)} + i % {size.devices}", f"{_first(Image)} + i % {len(_IMAGES)}"

    def moment(number: int, less: str = "0") -> str:
        # The younger, the larger the number: as rows really come.
        return _ago(now, f"{span} - {_div(f'i * {span // 100}', max(1, number // 100))} - ({less}) + 7200")

    filed, number = size.requests, size.requests
    rows(
        Request, number, state="CASE WHEN i % 50 = 0 THEN 'failed_device_not_found' ELSE 'closed' END", image=image,
        assignee=_text("person-", "i % 300"), owner=_text("ci-", "i % 50"), environment="'any'", turn=moment(filed),
        created=moment(filed), state_since=moment(filed, "600"), expires=moment(filed, "3600"),
        matched_at=f"CASE WHEN i % 50 = 0 THEN NULL ELSE {moment(filed, '5')} END",
        ready_at=f"CASE WHEN i % 50 = 0 THEN NULL ELSE {moment(filed, '90 + i % 60')} END",
        ended=moment(filed, "600 + i % 3000"), last_device=f"CASE WHEN i % 50 = 0 THEN NULL ELSE {device} END",
        tags="CASE WHEN i % 10 = 0 THEN '[\"hdmi\"]' ELSE '[]' END",
    )  # fmt: skip
    rows(
        Install, size.installs, device=device, image=image, config_digest=_text("", "i % 97"),
        succeeded="CASE WHEN i % 40 = 0 THEN 0 ELSE 1 END", healthy_before="1", finished=moment(size.installs),
    )  # fmt: skip
    of_rack = f"{_first(Rack)} + {_div(f'i % {size.devices}', RACK)}"
    board = f"{_first(PowerController)} + {_div(f'i % {size.devices}', RACK)} * 3"
    kinds = ("power_cycle", "check_health", "verify_agent", "check_health", "ping")
    rows(
        Operation, size.operations, device=device, rack=of_rack, controller=board, kind=_one_of(kinds),
        status="CASE WHEN i % 60 = 0 THEN 'failed' ELSE 'done' END", created=moment(size.operations),
        not_before=moment(size.operations), begun=moment(size.operations), finished=moment(size.operations, "3"),
        result="'ok'",
    )  # fmt: skip
    events = ("power_cycle_ok", "health_ok", "agent_ok", "pxe_booted", "health_ok", "image_written")
    rows(
        Journal, size.journal, time=moment(size.journal), device_id=device, event=_one_of(events),
        source="'machine'", actor="CASE WHEN i % 20 = 0 THEN 'ada' ELSE '' END", message="'entering state ready'",
        request_id=f"CASE WHEN i % 3 = 0 THEN i % {max(1, size.requests)} END",
    )  # fmt: skip
    rows(
        AuditEntry, size.audit, time=moment(size.audit), actor=_text("user-", "i % 200"), address="'10.0.0.1'",
        action="'change'", target_kind="'device'", target=_text("panda-", f"100000 + i % {size.devices}"),
        before="'{}'", after="'{}'",
    )  # fmt: skip
    webhook = Webhook.objects.create(url="https://example.com/hook", events=["request.*"])
    rows(
        Delivery, size.deliveries, webhook=str(webhook.pk), message_id=_text("msg_", "i"), event="'request.ready'",
        subject=_text("request:", f"i % {max(1, size.requests)}"), body="'{}'", created=moment(size.deliveries),
        status="'delivered'", attempts="1", not_before=moment(size.deliveries), give_up=moment(size.deliveries),
        finished=moment(size.deliveries, "1"),
    )  # fmt: skip


def _tags() -> None:
    """Write the tags of all requests; each asks for one at most."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO requests_app_requesttag (request_id, tag) "
            "SELECT id, 'hdmi' FROM requests_app_request WHERE tags LIKE '%%hdmi%%'",
            [],
        )


def rows(model: type[models.Model], number: int, **expressions: str) -> None:
    """Write `number` rows whose columns are SQL expressions of `i`, from 0 on; other columns have their defaults."""
    columns: dict[str, str] = {}
    parameters: list[Any] = []
    for field in model._meta.concrete_fields:
        column = str(field.column)
        if field.name in expressions:
            columns[column] = expressions[field.name].replace("%", "%%")
        elif not field.primary_key:
            columns[column] = "%s"
            parameters.append(_default(field))
    known = {field.name for field in model._meta.concrete_fields}
    if unknown := expressions.keys() - known:
        raise ValueError(f"{model.__name__} has no {sorted(unknown)}")
    quoted = ", ".join(connection.ops.quote_name(column) for column in columns)
    for begin in range(0, number, _SLICE):
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {model._meta.db_table} ({quoted}) SELECT {', '.join(columns.values())} "  # noqa: S608
                f"FROM ({_numbers(begin, min(number, begin + _SLICE))}) AS numbers",
                parameters,
            )


def _numbers(begin: int, end: int) -> str:
    """Select the numbers `i` from `begin` to below `end`, in their order."""
    places = len(str(max(1, end - begin - 1)))
    tables = ", ".join(f"({_DIGITS}) AS n{place}" for place in range(places))
    value = " + ".join(f"n{place}.d * {10**place}" for place in range(places))
    order = ", ".join(f"n{place}.d" for place in reversed(range(places)))
    return f"SELECT {begin} + {value} AS i FROM {tables} WHERE {value} < {end - begin} ORDER BY {order}"  # noqa: S608


def _default(field: Any) -> object:
    value = field.get_default()
    if isinstance(field, JSONField):
        return DjangoJSONEncoder().encode(value)
    if field.name == "time" and value is None:
        return datetime.now(UTC)
    return field.get_db_prep_save(value, connection)


def _first(model: type[models.Model]) -> str:
    return str(model._default_manager.order_by("pk").values_list("pk", flat=True)[0])


def _text(begin: str, number: str) -> str:
    return f"CONCAT('{begin}', {number})" if connection.vendor == "mysql" else f"'{begin}' || ({number})"


def _div(number: str, by: int) -> str:
    return f"({number}) {'DIV' if connection.vendor == 'mysql' else '/'} {by}"


def _outlet(number: str) -> str:
    """Name an outlet of a ProXR board: four banks of eight relays."""
    bank, relay = f"{_div(number, 8)} + 1", f"{number} % 8 + 1"
    if connection.vendor == "mysql":
        return f"CONCAT('bank', {bank}, ':relay', {relay})"
    return f"'bank' || ({bank}) || ':relay' || ({relay})"


def _at(moment: datetime) -> str:
    return f"'{moment:%Y-%m-%d %H:%M:%S.%f}'"


def _ago(now: datetime, seconds: str) -> str:
    if connection.vendor == "mysql":
        return f"TIMESTAMPADD(SECOND, -({seconds}), {_at(now)})"
    # As Django writes moments there.
    return f"strftime('%Y-%m-%d %H:%M:%f000', {_at(now)}, (-({seconds})) || ' seconds')"


def _one_of(names: tuple[str, ...]) -> str:
    arms = " ".join(f"WHEN {place} THEN '{name}'" for place, name in enumerate(names))
    return f"CASE i % {len(names)} {arms} END"
