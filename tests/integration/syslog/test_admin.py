"""Admins say what to look for in logs; a pattern that can't be looked for is refused beside its field."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from bmm.syslog.daemon import known_patterns
from bmm.syslog.models import LogPattern
from bmm.syslog.patterns import BUILT_IN, Pattern
from tests.integration.admin.pages import errors, load, send

pytestmark = pytest.mark.django_db
ADD = "/admin/bmm/logpattern/add/"


@pytest.fixture
def admin() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    return client


def test_a_new_pattern_counts_beside_those_built_in(admin: Client) -> None:
    sent = {
        **load(admin, ADD),
        "name": "fan_failed",
        "regex": "(?i)fan failed",
        "severity": "serious",
        "cooldown": 5,
    }
    assert send(admin, ADD, sent).status_code == 302
    assert known_patterns() == (
        *BUILT_IN,
        Pattern("fan_failed", "(?i)fan failed", serious=True, cooldown=5.0),
    )


def test_a_pattern_with_the_name_of_one_built_in_stands_in_its_place() -> None:
    LogPattern.objects.create(name="kernel_panic", regex="panic at all", severity="notice")
    LogPattern.objects.create(name="out_of_memory", regex="x", enabled=False)
    assert [(one.name, one.regex) for one in known_patterns() if one not in BUILT_IN] == [
        ("kernel_panic", "panic at all")
    ]
    assert sorted(one.name for one in known_patterns()) == ["kernel_oops", "kernel_panic", "storage_error"]


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("regex", "(", "RE2 can't read this: missing ): (."),
        ("regex", "x*", "This finds every line, even an empty one."),
        (
            "regex",
            r"(\w{500}){2}x",
            "This is too large to be looked for in every line: fewer repetitions, please.",
        ),
        ("name", "Fan failed", "Small letters, digits and _, please: fan_failed."),
        ("cooldown", "0", "Ensure this value is greater than or equal to 1."),
    ],
)
def test_what_cannot_be_looked_for_is_refused(admin: Client, field: str, value: str, why: str) -> None:
    sent = {**load(admin, ADD), "name": "fan_failed", "regex": "fan", field: value}
    assert errors(send(admin, ADD, sent)) == {field: [why]}
