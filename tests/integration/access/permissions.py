"""The one table of who may what: a line for each path of the web process. A path that is missing here fails the suite.

To add one: `Line("/api/v2/things/{thing}/", GET=VIEWER, DELETE=ADMIN)`; names in braces come from `Things` in
test_matrix.py, `body` is what a well-meant POST or PATCH sends. Methods that are not named answer 405.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from mozpool_site.access.roles import Role

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Outcome(StrEnum):
    """What becomes of a call. IN: it got past every door; what it did there is other tests' business."""

    IN = "in"
    WHO = "401"
    NO = "403"
    GONE = "404"
    METHOD = "405"
    LOGIN = "to the login page"


@dataclass(frozen=True)
class May:
    """Who may: whoever has at least the role `least`, and for things of others at least `others`.

    `itself`: and the device at its own address. `by_get`: a GET that changes something, so for networks only; others
    of this role are told 405. `by_token`: by the path's token alone. `by_person`: not who is known by their network
    alone. `hidden`: things of others are not there at all. `named`: everybody whom we know.
    """

    least: Role
    others: Role | None = None
    itself: bool = False
    by_get: Role | None = None
    by_token: bool = False
    by_person: bool = False
    hidden: bool = False
    named: bool = False


@dataclass(frozen=True)
class Line:
    """A path and who may use it, by method; HEAD as GET, unless the path knows no HEAD."""

    path: str
    methods: Mapping[str, May]
    body: Mapping[str, object] = field(default_factory=dict)
    head: bool = True

    @property
    def owned(self) -> bool:
        """Whether it matters whose thing the path names."""
        return any(may.others is not None or may.by_token for may in self.methods.values())

    def may(self, method: str) -> May | None:
        """Say who may call this method; None where the path does not have it."""
        if method == "HEAD":
            return self.methods.get("GET") if self.head else None
        return self.methods.get(method)


def line(path: str, body: Mapping[str, object] | None = None, *, head: bool = True, **methods: May) -> Line:
    """Make a line."""
    return Line(path, methods, body or {}, head)


ANYBODY, VIEWER, REQUESTER, OPERATOR, ADMIN = (May(role) for role in Role)
# One's own for requesters, everybody's for operators.
OWN = May(Role.REQUESTER, others=Role.OPERATOR)
OWN_BY_GET = May(Role.REQUESTER, others=Role.OPERATOR, by_get=Role.REQUESTER)
OWN_OR_ITSELF = May(Role.REQUESTER, others=Role.OPERATOR, itself=True)
OPERATOR_BY_GET = May(Role.OPERATOR, by_get=Role.OPERATOR)
EVENT = May(Role.OPERATOR, itself=True)
EVENT_BY_GET = May(Role.OPERATOR, itself=True, by_get=Role.REQUESTER)
BY_TOKEN = May(Role.NOBODY, by_token=True)
NAMED = May(Role.NOBODY, named=True)
OWN_TOKENS = May(Role.VIEWER, by_person=True)
OWN_TOKEN = May(Role.VIEWER, others=Role.ADMIN, by_person=True, hidden=True)

ORDER = {"assignee": "me@x", "duration": 60, "image": "android"}

PAGES = (
    line("/healthz", GET=ANYBODY),
    line("/login/", GET=ANYBODY, POST=ANYBODY, PUT=ANYBODY, OPTIONS=ANYBODY),
    line("/logout/", POST=ANYBODY, OPTIONS=ANYBODY),
)

# Pages for people, by session only: strangers, tokens and networks are sent to the login page.
PEOPLE = (
    line("/", GET=VIEWER),
    line("/live/home/", GET=VIEWER),
    line("/live/devices/", GET=VIEWER),
    line("/racks/", GET=VIEWER),
    line("/racks/{rack}/", GET=VIEWER),
    line("/racks/{rack}/outlets/{controller}/", GET=OPERATOR, POST=OPERATOR),
    line("/devices/", GET=VIEWER),
    line("/devices/{device}/", GET=VIEWER),
    line("/devices/{device}/now/", GET=VIEWER),
    line("/devices/{device}/older/", GET=VIEWER),
    line("/devices/{device}/comment/", GET=OPERATOR, POST=OPERATOR),
    line("/devices/{device}/comments/", POST=OPERATOR),
    line("/devices/{device}/quarantine/", POST=OPERATOR),
    line("/devices/{device}/log/", GET=VIEWER),
    line("/devices/{device}/log/lines/", GET=VIEWER),
    line("/bmm/", GET=VIEWER),
    line("/bulk/", GET=VIEWER),
    line("/bulk/confirm/", GET=REQUESTER, POST=REQUESTER),
    line("/bulk/start/", POST=REQUESTER),
    line("/bulk/0/", GET=VIEWER),
    line("/bulk/0/part/", GET=VIEWER),
    line("/bulk/0/stop/", POST=REQUESTER),
    line("/requests/", GET=VIEWER),
    line("/requests/table/", GET=VIEWER),
    line("/requests/several/", POST=REQUESTER),
    line("/requests/new/", GET=REQUESTER, POST=REQUESTER),
    line("/requests/new/keys/", GET=REQUESTER),
    line("/requests/new/outlook/", GET=REQUESTER),
    line("/requests/new/devices/", GET=REQUESTER),
    line("/requests/{request}/", GET=VIEWER),
    line("/requests/{request}/now/", GET=VIEWER),
    line("/requests/{request}/renew/", {"duration": "3600"}, POST=OWN),
    line("/requests/{request}/return/", GET=OWN, POST=OWN),
    line("/requests/{request}/log/", GET=VIEWER),
    line("/requests/{request}/log/lines/", GET=VIEWER),
    line("/images/", GET=VIEWER),
    line("/statistics/", GET=VIEWER),
    line("/attention/", GET=VIEWER),
    line("/attention/part/", GET=VIEWER),
    line("/attention/hand-tasks/0/done/", POST=OPERATOR),
)

LEGACY = (
    line("/api/version/", GET=VIEWER),
    line("/api/device/list/", GET=VIEWER),
    line("/api/device/{device}/request/", ORDER, POST=REQUESTER),
    line("/api/device/{device}/bootconfig/", GET=OWN_OR_ITSELF),
    line("/api/device/{device}/state/", GET=VIEWER),
    line("/api/device/{device}/status/", GET=VIEWER),
    line("/api/device/{device}/log/", GET=VIEWER),
    line("/api/device/{device}/set-comments/", {"comments": "x"}, POST=OPERATOR),
    line("/api/device/{device}/set-environment/", {"environment": "x"}, POST=OPERATOR),
    line("/api/device/{device}/power-cycle/", POST=OWN),
    line("/api/device/{device}/power-off/", POST=OPERATOR, GET=OPERATOR_BY_GET, head=False),
    line("/api/device/{device}/clear-pxe/", POST=OPERATOR),
    line("/api/device/{device}/ping/", GET=OPERATOR, head=False),
    line("/api/device/{device}/event/foo/", POST=EVENT, GET=EVENT_BY_GET, head=False),
    line("/api/device/{device}/state-change/ready/to/locked_out/", POST=OPERATOR),
    line("/api/relay/{controller}/test/", GET=OPERATOR, head=False),
    line("/api/image/list/", GET=VIEWER),
    line("/api/environment/list/", GET=VIEWER),
    line("/api/bmm/pxe_config/list/", GET=OPERATOR),
    line("/api/bmm/pxe_config/{boot_config}/details/", GET=OPERATOR),
    line("/api/request/list/", GET=VIEWER),
    line("/api/request/{request}/details/", GET=VIEWER),
    line("/api/request/{request}/status/", GET=VIEWER),
    line("/api/request/{request}/log/", GET=VIEWER),
    line("/api/request/{request}/renew/", {"duration": 60}, POST=OWN),
    line("/api/request/{request}/return/", POST=OWN),
    line("/api/request/{request}/event/foo/", POST=OWN, GET=OWN_BY_GET, head=False),
    line("/boot/{booting}/{boot_token}/event/foo/", POST=BY_TOKEN),
    line("/boot/{booting}/{boot_token}/second-stage/", GET=BY_TOKEN),
    line("/boot/{booting}/{boot_token}/config/", GET=BY_TOKEN),
    line("/boot/{booting}/{boot_token}/log/", {"message": "x"}, POST=BY_TOKEN),
    line("/boot/{booting}/{boot_token}/ipxe/", GET=BY_TOKEN),
    line("/boot/{booting}/{boot_token}/grub.cfg/", GET=BY_TOKEN),
    line("/boot/check/{check_token}/", GET=ANYBODY),
    line("/boot/ipxe/", GET=ANYBODY),
    line("/boot/grub/grub.cfg-01-02-00-7f-00-00-01", GET=ANYBODY),
)

V2 = (
    line("/api/v2/", GET=ANYBODY),
    line("/api/v2/schema/", GET=ANYBODY),
    line("/api/v2/docs/", GET=ANYBODY),
    line("/api/v2/problems/invalid/", GET=ANYBODY),
    line("/api/v2/login/", POST=ANYBODY),
    line("/api/v2/whoami/", GET=NAMED),
    line("/api/v2/tokens/", {"name": "x"}, GET=OWN_TOKENS, POST=OWN_TOKENS),
    line("/api/v2/tokens/{token}/", GET=OWN_TOKEN, DELETE=OWN_TOKEN),
    line("/api/v2/racks/", GET=VIEWER, POST=ADMIN),
    line("/api/v2/racks/{rack}/", GET=VIEWER, PATCH=ADMIN, DELETE=ADMIN),
    line("/api/v2/hardware-types/", GET=VIEWER, POST=ADMIN),
    line("/api/v2/hardware-types/{hardware}/", GET=VIEWER, PATCH=ADMIN, DELETE=ADMIN),
    line("/api/v2/images/", GET=VIEWER, POST=ADMIN),
    line("/api/v2/images/{image}/", GET=VIEWER, PATCH=ADMIN, DELETE=ADMIN),
    line("/api/v2/boot-configs/", GET=OPERATOR, POST=ADMIN),
    line("/api/v2/boot-configs/{boot_config}/", GET=OPERATOR, PATCH=ADMIN, DELETE=ADMIN),
    line("/api/v2/power-controllers/", GET=OPERATOR, POST=ADMIN),
    line("/api/v2/power-controllers/{controller}/", GET=OPERATOR, PATCH=ADMIN, DELETE=ADMIN),
    line("/api/v2/power-controllers/{controller}/test/", POST=OPERATOR),
    line("/api/v2/power-controllers/{controller}/read-outlets/", POST=OPERATOR),
    line("/api/v2/environments/", GET=VIEWER),
    line("/api/v2/environments/production/", GET=VIEWER),
    line("/api/v2/journal/", GET=VIEWER),
    line("/api/v2/operations/", GET=VIEWER),
    line("/api/v2/operations/{operation}/", GET=VIEWER),
    line("/api/v2/devices/", GET=VIEWER, POST=ADMIN),
    line("/api/v2/devices/{device}/", {"comments": "x"}, GET=VIEWER, PATCH=OPERATOR, DELETE=ADMIN),
    line("/api/v2/devices/{device}/journal/", GET=VIEWER),
    line("/api/v2/devices/{device}/power-cycle/", POST=OWN),
    line("/api/v2/devices/{device}/power-off/", POST=OPERATOR),
    line("/api/v2/devices/{device}/ping/", POST=OPERATOR),
    line("/api/v2/devices/{device}/clear-netboot/", POST=OPERATOR),
    line("/api/v2/devices/{device}/state/", POST=OPERATOR),
    line("/api/v2/devices/{device}/please/image/", POST=OPERATOR),
    line("/api/v2/devices/{device}/please/power-cycle/", POST=OPERATOR),
    line("/api/v2/devices/{device}/please/self-test/", POST=OPERATOR),
    line("/api/v2/devices/{device}/please/maintenance/", POST=OPERATOR),
    line("/api/v2/requests/", {"image": "android"}, GET=VIEWER, POST=REQUESTER),
    line("/api/v2/requests/{request}/", GET=VIEWER),
    line("/api/v2/requests/{request}/journal/", GET=VIEWER),
    line("/api/v2/requests/{request}/renew/", {"duration": 60}, POST=OWN),
    line("/api/v2/requests/{request}/return/", POST=OWN),
    line("/api/v2/requests/{request}/events/", GET=VIEWER),
    line("/api/v2/events/", GET=VIEWER),
    line("/api/v2/webhooks/", GET=ADMIN, POST=ADMIN),
    line("/api/v2/webhooks/{webhook}/", GET=ADMIN, PATCH=ADMIN, DELETE=ADMIN),
    line("/api/v2/webhooks/{webhook}/deliveries/", GET=ADMIN),
    line("/api/v2/webhooks/{webhook}/ping/", POST=ADMIN),
)

# Paths that nobody may use, because there is nothing: they answer 404 to everybody, whatever the method.
NOWHERE = ("/api/v2/no-such-thing", "/api/no-such-thing")


@dataclass(frozen=True)
class Model:
    """The administration's pages of a model, by what they do; None: nobody, not even admins."""

    view: Role = Role.OPERATOR
    add: Role | None = Role.ADMIN
    change: Role | None = Role.ADMIN
    delete: Role | None = Role.ADMIN


HISTORY = Model(add=None, change=None, delete=None)
MODELS = {
    "access/auditentry": HISTORY,
    "access/failures": Model(add=None, change=None),
    "access/token": Model(change=None),
    "auth/group": Model(),
    "auth/user": Model(),
    "bmm/handtask": HISTORY,
    "bmm/logpattern": Model(),
    "bmm/operation": HISTORY,
    "devices/bootconfig": Model(),
    "devices/device": Model(change=Role.OPERATOR),
    "devices/hardwaretype": Model(),
    "devices/image": Model(),
    "devices/imagebootconfig": Model(),
    "devices/journal": HISTORY,
    "devices/powercontroller": Model(),
    "devices/rack": Model(),
    "lifeguard/batch": HISTORY,
    "lifeguard/batchitem": HISTORY,
    "lifeguard/install": HISTORY,
    "pulse/parked": HISTORY,
    "requests_app/attempt": HISTORY,
    "requests_app/delivery": HISTORY,
    "requests_app/dailyfigures": HISTORY,
    "requests_app/poollease": HISTORY,
    "requests_app/request": HISTORY,
    "requests_app/webhook": Model(),
}
# Pages of the administration for admins alone.
ADMINS_PAGES = ("/admin/inventory/", "/admin/devices/device/import/")
# The administration's other pages, all for whoever may enter it; what is not there as well.
ADMIN_PAGES = (
    "/admin/",
    "/admin/access/",
    "/admin/autocomplete/?app_label=devices&model_name=device&field_name=rack&term=",
    "/admin/devices/bootconfig/preview/",
    "/admin/devices/device/act/ping/",
    "/admin/devices/device/export/",
    "/admin/devices/imagebootconfig/matrix/",
    "/admin/devices/powercontroller/0/outlets/",
    "/admin/devices/powercontroller/0/test/",
    "/admin/devices/powercontroller/tests/",
    "/admin/jsi18n/",
    "/admin/no-such-page/",
    "/admin/password_change/",
    "/admin/password_change/done/",
    "/admin/r/0/0/",
)
