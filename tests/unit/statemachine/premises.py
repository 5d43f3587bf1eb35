"""What the proofs must be told about the two tables, in one place for the tests and the simulation."""

from lifeguard.states import DEVICE, PLEASE_EVENTS
from mozpool_site.statemachine.graph import Premises
from requests_app.states import ENDED_STATES, REQUEST

DEVICE_PREMISES = Premises(
    starts=("new",),
    rests=frozenset({*DEVICE.tagged("steady"), "ready"}),
    dead_ends=frozenset({"locked_out"}),
    forced=frozenset({"locked_out", "troubleshooting"}),
    wakes=frozenset({"ready"}),
    outside=frozenset(PLEASE_EVENTS),
    # Each failure that is reported brings a device nearer to the end of its self-tests; only a completed task forgives.
    spent={"self_test_may_help": frozenset({"report_complete"})},
)
REQUEST_PREMISES = Premises(
    starts=("new",),
    rests=frozenset(REQUEST.tagged("steady")),
    dead_ends=frozenset(ENDED_STATES),
    # That its device is given another task is somebody's wish each time.
    outside=frozenset({"return", "expire", "device_out_of_reach", "device_left"}),
)
PREMISES = {"device": (DEVICE, DEVICE_PREMISES), "request": (REQUEST, REQUEST_PREMISES)}
