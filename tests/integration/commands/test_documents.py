"""The commands that the operators' document shows can be typed as they stand there."""

import re
import shlex

import pytest
from django.core.management import get_commands, load_command_class

from tests.integration.commands.conftest import ROOT

DOCUMENT = (ROOT / "docs/operators/commands.md").read_text(encoding="utf-8")
LINES = re.findall(r"manage\.py ([a-z][^`\n]*)", DOCUMENT)


@pytest.mark.parametrize("line", LINES)
def test_what_the_document_shows_is_understood(line: str) -> None:
    command, *words = shlex.split(line)
    parser = load_command_class(get_commands()[command], command).create_parser("manage.py", command)
    parser.parse_args(words)


def test_the_document_shows_every_command_for_operators() -> None:
    shown = {line.split()[0] for line in LINES}
    assert shown == {
        "boot_config",
        "check_rack",
        "device_status",
        "force_state",
        "inventory_sync",
        "maintenance",
        "power_cycle",
        "power_off",
        "reimage",
        "relay",
        "renew_request",
        "request_device",
        "return_device",
        "self_test",
    }
