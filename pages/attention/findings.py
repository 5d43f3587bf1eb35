"""What a finding is, and the kinds of them that there are: what each means, how urgent it is, who may see it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from mozpool_site.access.roles import Role


class Urgency(IntEnum):
    """When somebody should see to it; the lower the sooner."""

    NOW = 1
    TODAY = 2
    SOMETIME = 3

    @property
    def word(self) -> str:
        """As the page says it."""
        return {1: "now", 2: "today", 3: "when there is time"}[self.value]


@dataclass(frozen=True)
class Kind:
    """A kind of finding. `doc` says what it means, `more` is where all of it is seen, where such a page exists.

    `verbs` are what operators do to devices of this kind: name and label of bulk actions, the best first.
    """

    name: str
    title: str
    urgency: Urgency
    doc: str
    least: Role = Role.VIEWER
    more: str = ""
    verbs: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Act:
    """What to do about it: a link, or a task of a person that is done. `least` may do it; nobody else is shown it."""

    label: str
    href: str = ""
    hand_task: int | None = None
    least: Role = Role.VIEWER


@dataclass(frozen=True)
class Finding:
    """One thing that somebody should see to: what, where, why, since when (or until when), and what to do.

    `device` is its name where it is one, so that it can be selected; `state` and `held` are that device's. `evidence`
    is an address outside, where people follow it up.
    """

    kind: Kind
    subject: str
    href: str
    why: str
    since: datetime | None
    acts: tuple[Act, ...] = ()
    place: str = ""
    device: str = ""
    state: str = ""
    held: bool = False
    evidence: str = ""


@dataclass(frozen=True)
class Group:
    """All findings of one kind: those that are shown, the oldest first, and how many there are in all."""

    kind: Kind
    findings: Sequence[Finding]
    count: int

    @property
    def hidden(self) -> int:
        """How many are not shown."""
        return max(0, self.count - len(self.findings))

    @property
    def of_devices(self) -> bool:
        """Whether they are devices, which can be selected."""
        return any(finding.device for finding in self.findings)


_SELF_TEST = ("please_self_test", "Self-test")
_MAINTENANCE = ("please_maintenance", "Maintenance")
_RETURN = ("return_to_pool", "Return to the pool")
_COMMENT = ("comment", "Comment")

NO_PULSE = Kind(
    "no_pulse",
    "Nobody looks after the pool",
    Urgency.NOW,
    "No pulse holds the pool's lease: requests neither expire nor get devices, webhooks are not sent. Start `manage.py "
    "pulse` on an imaging server.",
)
PARKED = Kind(
    "parked",
    "What the pulse can't deal with",
    Urgency.NOW,
    "It fails again and again, or somebody keeps it locked: it is passed over for a while each time, and all else goes "
    "on. The log of the pulse says more.",
    least=Role.OPERATOR,
    more="/admin/pulse/parked/",
)
CLOCK = Kind(
    "clock",
    "A clock is wrong",
    Urgency.NOW,
    "This web server and the database disagree about the time. Set both by NTP.",
)
RACK_SILENT = Kind(
    "rack_silent",
    "Racks without a worker or a pulse",
    Urgency.NOW,
    "Nobody does the work of these racks. See to the services on their imaging servers.",
    more="/racks/",
)
CONTROLLER = Kind(
    "controller",
    "Power controllers in trouble",
    Urgency.NOW,
    "They do not answer, or several of their devices failed at once. Nothing below them can be cycled for certain.",
)
HAND_TASK = Kind(
    "hand_task",
    "Power to be switched by hand",
    Urgency.NOW,
    "A device waits until somebody has done this and says so.",
    more="/admin/bmm/handtask/",
)
IMAGE = Kind(
    "image",
    "Suspect images",
    Urgency.NOW,
    "They fail on healthy devices and have succeeded on none since. The devices are not blamed meanwhile.",
    more="/images/",
)
FAILED = Kind(
    "failed",
    "Failed devices",
    Urgency.TODAY,
    "They gave up and are out of the pool. A self-test brings back what passes it.",
    more="/devices/?family=failed",
    verbs=(_SELF_TEST, _MAINTENANCE, _COMMENT),
)
WAITING = Kind(
    "waiting",
    "Requests that wait long",
    Urgency.TODAY,
    "For longer than ten minutes without a device, or half an hour for one that is being prepared.",
    more="/requests/",
)
FLAPPING = Kind(
    "flapping",
    "Devices that flap",
    Urgency.TODAY,
    "Ready now, but they failed three times or more within a week.",
    verbs=(_SELF_TEST, _MAINTENANCE, _COMMENT),
)
WEBHOOK = Kind(
    "webhook",
    "Webhooks that were given up",
    Urgency.TODAY,
    "Their receivers did not answer for long. They are not tried again until somebody revives them.",
    least=Role.ADMIN,
    more="/admin/requests_app/webhook/",
)
EXPIRING = Kind(
    "expiring",
    "Long requests that end within the hour",
    Urgency.TODAY,
    "Somebody has had the device for hours, perhaps works with it, and loses it unless the request is renewed.",
    more="/requests/",
)
QUARANTINED = Kind(
    "quarantined",
    "Quarantined by people",
    Urgency.SOMETIME,
    "Somebody found something wrong. The quarantine ends with a self-test that is passed.",
    more="/devices/?health=bad",
    verbs=(_RETURN, _MAINTENANCE, _COMMENT),
)
OUT = Kind(
    "out", "Out of the pool for long", Urgency.SOMETIME,
    "In maintenance or being worked on for more than a day, or locked out for more than a week; or in a state that "
    "nobody knows.",
    more="/devices/?family=out", verbs=(_RETURN, _MAINTENANCE, _COMMENT),
)  # fmt: skip
# In the order of the page: by urgency, and what explains other findings before those.
KINDS = (
    NO_PULSE, PARKED, CLOCK, RACK_SILENT, CONTROLLER, HAND_TASK, IMAGE, FAILED, WAITING, FLAPPING, WEBHOOK, EXPIRING,
    QUARANTINED, OUT,
)  # fmt: skip
