"""A wrong call gets one line and status 2, a wrong state gets named and status 1, and nothing is half done."""

import pytest
from django.core.management import get_commands

from bmm.drivers.power import driver_names
from bmm.models import Operation
from devices.models import BootConfig, Device, ImageBootConfig, Journal
from requests_app.models import Request
from tests.integration.commands.conftest import Pool

OURS = (
    "boot_config",
    "device_status",
    "force_state",
    "maintenance",
    "power_cycle",
    "power_off",
    "reimage",
    "relay",
    "renew_request",
    "request_device",
    "return_device",
    "self_test",
)


def everything() -> list[object]:
    """Give all rows that a command could have touched."""
    return [
        list(model.objects.order_by("pk").values())
        for model in (Device, Operation, Request, Journal, BootConfig, ImageBootConfig)
    ]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("power_cycle panda-9999", "power_cycle: there is no device panda-9999"),
        ("power_cycle panda-0001 x y panda-0002", "power_cycle: there is no device x, y"),
        ("power_off panda-9999 --reason smoke", "power_off: there is no device panda-9999"),
        ("self_test panda-9999", "self_test: there is no device panda-9999"),
        ("maintenance panda-9999", "maintenance: there is no device panda-9999"),
        ("device_status panda-9999", "device_status: there is no device panda-9999"),
        ("device_status --rack p9", "device_status: there is no rack 'p9'; there are: p1"),
        ("device_status --log -1", "device_status: --log: 0 or more lines expected"),
        ("reimage panda-9999 android", "reimage: there is no device panda-9999"),
        (
            "reimage panda-0001 beos",
            "reimage: there is no image 'beos'; there are: android, b2g, linux, maintenance, self-test",
        ),
        ("reimage panda-0001 b2g", "reimage: image b2g needs b2gbase: --set b2gbase=VALUE"),
        (
            "reimage panda-0001 android --set b2gbase=x",
            "reimage: image android takes no value 'b2gbase'; it takes: none",
        ),
        (
            "reimage panda-0001 b2g --set b2gbase=http://evil.example/",
            (
                "reimage: b2gbase: an http or https URL without user info expected, "
                "on a host that MOZPOOL_IMAGE_HOSTS lists"
            ),
        ),
        (
            f"request_device android --assignee {'x' * 101}",
            "request_device: --assignee: 100 characters at most",
        ),
        ("request_device b2g", "request_device: image b2g needs b2gbase: --set b2gbase=VALUE"),
        ("request_device android --device panda-9999", "request_device: there is no device panda-9999"),
        (
            "request_device android --environment moon",
            "request_device: no device of environment moon can have the image android",
        ),
        (
            "request_device android --tag fast --tag blue",
            "request_device: no device of environment any and tags blue, fast can have the image android",
        ),
        (
            "request_device android --duration 40d",
            "request_device: whole seconds from 1 to 2592000 expected, got 3456000",
        ),
        ("return_device 77", "return_device: there is no request 77"),
        ("return_device 99999999999999999999", "return_device: there is no request 99999999999999999999"),
        ("return_device panda-9999", "return_device: there is no device panda-9999"),
        ("renew_request 77 1h", "renew_request: there is no request 77"),
        (
            "relay on relay-1-1 9 1",
            "relay: there is no outlet 'bank9:relay1': bank1:relay1 to bank4:relay8 expected",
        ),
        (
            "relay status relay-1-1 bank1:relay9",
            "relay: there is no outlet 'bank1:relay9': bank1:relay1 to bank4:relay8 expected",
        ),
        ("relay off relay-1-1", "relay: off: BANK RELAY, bank2:relay7 or all expected"),
        ("relay test relay-1-1 1 1", "relay: test takes no outlets: it is the board's own"),
        ("relay test relay-9", "relay: there is no power controller 'relay-9', and it is no address"),
        ("relay test 127.0.0.1:x", 'relay: \'127.0.0.1:x\': "host" or "host:port" expected'),
        (
            "relay test 127.0.0.1 --driver pdu",
            f"relay: unknown power driver 'pdu'; known are: {', '.join(driver_names())}",
        ),
        (
            "boot_config show nothing",
            (
                "boot_config: there is no boot config 'nothing'; there are: panda-android, panda-b2g, panda-linux, "
                "panda-maintenance, panda-self-test"
            ),
        ),
        ("boot_config show panda-b2g --for panda-9999", "boot_config: there is no device panda-9999"),
        (
            "boot_config add panda-b2g --file /dev/null",
            "boot_config: there is a boot config panda-b2g already; modify changes it",
        ),
        (
            "boot_config add new --file /no/such/file",
            "boot_config: /no/such/file cannot be read: No such file or directory",
        ),
        (
            "boot_config modify panda-b2g",
            "boot_config: nothing to modify: --file, --second-stage, --description, --use, --activate ...",
        ),
        (
            "boot_config modify panda-b2g --use b2g panda/es-b9",
            "boot_config: there is no hardware 'panda/es-b9'; there are: panda/es-b3",
        ),
    ],
)
def test_wrong_words_get_one_line_and_status_2_and_change_nothing(
    rows: Pool, words: str, complaint: str
) -> None:
    before = everything()
    ran = rows.run(*words.split())
    assert (ran.status, ran.complaint, ran.out) == (2, complaint, "")
    assert everything() == before


def test_an_image_without_a_boot_config_is_refused_before_anything_is_done(rows: Pool) -> None:
    BootConfig.objects.filter(name="panda-linux").update(active=False)
    before = everything()
    reimage = rows.run("reimage", "panda-0001", "panda-0002", "linux")
    assert (reimage.status, reimage.complaint) == (
        2,
        "reimage: image linux has no boot config for panda es-b3, the hardware of panda-0001",
    )
    request = rows.run("request_device", "linux")
    assert (request.status, request.complaint) == (
        2,
        "request_device: image linux has no boot config, for any hardware",
    )
    assert everything() == before


@pytest.mark.parametrize("words", ["power_cycle", "self_test", "maintenance", "reimage"])
def test_a_device_in_the_wrong_state_gets_it_named_and_nothing_is_half_done(pool: Pool, words: str) -> None:
    pool.put(2, state="locked_out", deadline=None, idle_since=None)
    before = everything()
    image = ["android"] if words == "reimage" else []
    ran = pool.run(words, "panda-0001", "panda-0002", "panda-0003", *image)
    event = {"maintenance": "start_maintenance", "reimage": "image"}.get(words, words)
    assert ran.status == 1
    assert ran.complaint == (
        f"{words}: panda-0002 is in state locked_out, which does not allow please_{event}"
    )
    assert everything() == before


def test_every_device_in_a_wrong_state_is_named(rows: Pool) -> None:
    for number in (1, 3):
        rows.put(number, state="locked_out", deadline=None, idle_since=None)
    ran = rows.run("power_cycle", "panda-0001", "panda-0002", "panda-0003")
    assert ran.complaint.count("is in state locked_out") == 2


def test_more_devices_than_one_transaction_should_lock_are_refused(rows: Pool) -> None:
    ran = rows.run("power_cycle", *(f"panda-{number:04d}" for number in range(1, 202)))
    assert (ran.status, ran.complaint) == (2, "power_cycle: 201 devices named, at most 200 at a time")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (
            "power_cycle",
            "power_cycle: the following arguments are required: DEVICE (manage.py power_cycle --help tells more)",
        ),
        (
            "power_off panda-0001",
            "power_off: the following arguments are required: --reason (manage.py power_off --help tells more)",
        ),
        (
            "renew_request 1 soon",
            (
                "renew_request: argument DURATION: 'soon' is no duration; 90, 15m, 1h30m or 2d are "
                "(manage.py renew_request --help tells more)"
            ),
        ),
        (
            "boot_config burn",
            (
                "boot_config: argument add|list|show|modify: invalid choice: 'burn' "
                "(choose from 'list', 'show', 'add', 'modify') (manage.py boot_config --help tells more)"
            ),
        ),
        (
            "boot_config show",
            (
                "boot_config show: the following arguments are required: NAME "
                "(manage.py boot_config show --help tells more)"
            ),
        ),
    ],
)
def test_a_shell_gets_status_2_and_one_line_for_a_call_that_cannot_be_read(
    pool: Pool, words: str, complaint: str
) -> None:
    ran = pool.shell(*words.split())
    # Python 3.12 writes the choices without quotes.
    said = ran.complaint.replace(
        "(choose from list, show, add, modify)", "(choose from 'list', 'show', 'add', 'modify')"
    )
    assert (ran.status, said, ran.out) == (2, complaint, "")


def test_a_shell_gets_the_statuses_of_an_unknown_device_and_of_a_wrong_state(pool: Pool) -> None:
    unknown = pool.shell("power_cycle", "panda-9999")
    assert (unknown.status, unknown.complaint) == (2, "power_cycle: there is no device panda-9999")
    pool.put(1, state="locked_out", deadline=None, idle_since=None)
    wrong = pool.shell("power_cycle", "panda-0001")
    assert wrong.status == 1
    assert (
        wrong.complaint
        == "power_cycle: panda-0001 is in state locked_out, which does not allow please_power_cycle"
    )


def test_a_database_that_is_not_there_is_one_line_and_status_1(pool: Pool) -> None:
    pool.environment["DATABASE_URL"] = "sqlite:////proc/no-database-can-be-here.sqlite3"
    ran = pool.shell("device_status")
    assert ran.status == 1
    assert ran.complaint.startswith("device_status: the database refuses or does not answer: ")


@pytest.mark.parametrize("command", OURS)
def test_every_command_explains_itself_with_examples(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command in get_commands()
    from django.core.management import load_command_class  # noqa: PLC0415 - beside its only use

    parser = load_command_class(get_commands()[command], command).create_parser("manage.py", command)
    parser.print_help()
    told = capsys.readouterr().out
    assert f"examples:\n  manage.py {command} " in told or "examples:\n  manage.py force_state" in told
    assert "--traceback" not in told
