"""The life of a device: the table that Lifeguard follows. Read it from top to bottom.

Limits count failures: the limit-th is still retried, the next one gives up. Names tagged `api`, and the prefix
`failed_`, are promises to clients. The numbers come from years of running Pandaboards; those that depend on an image
are columns of the image. How long all of it takes at most is computed in bounds.py.
"""

from dataclasses import dataclass
from datetime import timedelta

from mozpool_site.statemachine.spec import UNHEARD, Choose, Goto, Repeat, Retry, Spec, State, Stay, Work

# How long a failure of an image on a healthy device is evidence against it, unless it succeeds meanwhile.
EVIDENCE_FOR = timedelta(days=1)


@dataclass(frozen=True)
class DeviceFacts:
    """What the table may ask about a device. Times in seconds.

    `verification` is `agent`, `tcp`, `ping` or `none`: how the image now in play shows that it is up.
    `power_timeout` outlasts a batch of the device's power controller, and its lease; `power_limit` and `repower_limit`
    count such times in vain, before the boot and while the image is checked: a person who switches has four hours.
    `self_test_may_help`: there is a self-test for this hardware, and it has not been tried in vain.
    `image_suspect`: this image lately failed on another healthy device and has not succeeded since.
    """

    held: bool = False
    verification: str = "ping"
    download_timeout: float = 180
    download_limit: int = 3
    install_timeout: float = 300
    install_limit: int = 3
    verify_timeout: float = 45
    verify_limit: int = 30
    settle_seconds: float = 120
    power_timeout: float = 60
    power_limit: int = 14
    repower_limit: int = 3
    self_test_available: bool = True
    self_test_may_help: bool = True
    image_suspect: bool = False


API = frozenset({"api"})
FAILED = frozenset({"api", "failed", "steady"})
INSTALLING = frozenset({"installing"})
# Of no use to its request although nothing has failed: it rests there until a person leads it out.
AWAY = frozenset({"away", "steady"})
# That all is still well is no news: neither entering the state again nor its good answers are journalled.
QUIET = frozenset({"quiet"})

_MEND = {
    "please_self_test": Goto("start_self_test"),
    "please_start_maintenance": Goto("start_maintenance"),
}
_PLEASE = {
    **_MEND,
    "please_power_cycle": Goto("start_power_cycle"),
    "please_image": Goto("start_pxe_boot", writes=("set_next_image",)),
}

_BOOT, _NETBOOT = (Work("power_cycle", {"netboot": netboot}) for netboot in (False, True))

# What the live image tells once it runs. An event that was lost on its way is made up for by the next one.
_LIVE_IMAGE = {
    "image_downloading": Goto("downloading"),
    "maint_mode": Goto("maintenance_mode"),
    "self_test_running": Goto("self_test_running"),
}


def _answers(state: str, work: str, failure: str) -> State:
    """Wait until the freshly booted image answers, by the check that its image asks for."""
    return State(
        name=state,
        doc=f"Asks up to five times a second whether the image is up ({work}); every 10th window cycles the power.",
        timeout="verify_timeout",
        on_timeout=Retry(
            "verify_limit",
            again=Goto(state),
            every=(10, Goto("sut_verify_power_cycle")),
            exhausted=Goto(failure),
            counter="verifying",
        ),
        work=Work(work, poll=1),
        on={f"{work}_ok": Goto("sut_sdcard_verifying" if work == "verify_agent" else "operation_complete")},
        tags=INSTALLING,
    )


def _gives_up(step: str) -> tuple[State, State]:
    """Report a failure, then test the device at once where that may help; else it rests as failed."""
    return (
        State(
            name=f"{step}_failed",
            doc=f"Gave up {step}; tells the request, then tests the device.",
            writes=("report_failure",),
            passes_to=Choose(
                "self_test_may_help",
                {True: Goto("start_self_test")},
                otherwise=Goto(f"failed_{step}"),
            ),
        ),
        State(
            name=f"failed_{step}", doc=f"{step} failed; waits for an administrator.", on=_MEND, tags=FAILED
        ),
    )


def _power_fails(state: str, limit: str, failure: str = "failed_power_cycling") -> Retry:
    return Retry(limit, again=Goto(state), exhausted=Goto(failure))


def _failed(step: str, doc: str, report: str = "report_failure") -> State:
    return State(name=f"failed_{step}", doc=doc, writes=(report,), on=_MEND, tags=FAILED)


# With pauses of five minutes that is a day. A deadline that passed unheard has been a pause already.
_REPEATS = 300
_UNREACHABLE = Goto("failed_unreachable")

DEVICE = Spec(
    name="device",
    facts=DeviceFacts,
    fallback="unknown",
    faults={
        "operation_lost": Repeat(_REPEATS, _UNREACHABLE, at_once=3),
        "hardware_unreachable": Repeat(_REPEATS, _UNREACHABLE),
        UNHEARD: Repeat(_REPEATS, _UNREACHABLE, at_once=30),
    },
    states=(
        State(
            name="new",
            doc="Just entered the inventory; is tested before anybody gets it.",
            timeout=0,
            on_timeout=Goto("start_self_test"),
            on=_PLEASE,
            tags=API,
        ),
        State(
            name="unknown",
            doc="Where a device with an unknown stored state lands.",
            on=_PLEASE,
            tags=AWAY,
        ),
        State(
            name="locked_out",
            doc="Lifeguard keeps its hands off; only a forced change leads out.",
            tags=API | AWAY | {"locked_out"},
        ),
        State(
            name="troubleshooting",
            doc="Somebody works on the device; no checks, no end.",
            on=_PLEASE,
            tags=API | AWAY | {"hands_on"},
        ),
        State(
            name="ready",
            doc="Up and well. Every ten minutes an idle one is asked whether it still is.",
            timeout=600,
            on_timeout=Choose(
                "held",
                {True: Goto("ready")},
                otherwise=Choose(
                    "verification",
                    {"none": Goto("ready")},
                    otherwise=Goto("ready", work=Work("check_health")),
                ),
            ),
            on={
                **_PLEASE,
                "check_health_ok": Stay(),
                "check_health_failed": Goto("start_self_test"),
                "operation_lost": Stay(),
                "hardware_unreachable": Stay(),
            },
            tags=API | QUIET | {"serving"},
        ),
        # Power cycling into the device's own storage.
        State(
            name="start_power_cycle",
            doc="Power cycle asked for.",
            forgets_failures=True,
            writes=("forget_next_image", "begin_task"),
            passes_to=Goto("pc_power_cycling"),
        ),
        State(
            name="pc_power_cycling",
            doc="Power off and on again, to boot from the device's own storage.",
            timeout="power_timeout",
            on_timeout=_power_fails("pc_power_cycling", "power_limit"),
            writes=("netboot_off",),
            work=_BOOT,
            on={
                "power_cycle_ok": Goto("verifying"),
                "power_cycle_failed": Stay(),
                "misconfigured": Goto("failed_power_cycling"),
            },
        ),
        State(
            name="verifying",
            doc="Chooses the check that fits the image.",
            passes_to=Choose(
                "verification",
                {"agent": Goto("sut_verifying"), "tcp": Goto("port_verifying")},
                otherwise=Goto("pc_rebooting"),
            ),
        ),
        State(
            name="pc_rebooting",
            doc="Waits out the boot loader, which also answers ping.",
            timeout="settle_seconds",
            on_timeout=Choose(
                "verification", {"none": Goto("operation_complete")}, otherwise=Goto("pc_pinging")
            ),
            tags=INSTALLING,
        ),
        State(
            name="pc_pinging",
            doc="Waits for an answer to ping; then power again, three times at most.",
            timeout=10,
            on_timeout=Retry(
                12,
                again=Goto("pc_pinging"),
                exhausted=Retry(
                    3,
                    counter="pinged_in_vain",
                    again=Goto("pc_power_cycling", forgets=("pc_pinging",)),
                    exhausted=Goto("pinging_failed"),
                ),
            ),
            work=Work("ping", poll=1),
            on={"ping_ok": Goto("operation_complete")},
            tags=INSTALLING,
        ),
        # Power cycling into the network.
        State(
            name="start_pxe_boot",
            doc="An image is to be installed.",
            forgets_failures=True,
            writes=("begin_task",),
            passes_to=Goto("pxe_power_cycling"),
        ),
        State(
            name="start_self_test",
            doc="The device is to test itself; where its hardware has no self-test, to boot.",
            forgets_failures=True,
            writes=("withdraw",),
            passes_to=Choose(
                "self_test_available",
                {True: Goto("pxe_power_cycling", writes=("next_is_self_test",))},
                otherwise=Goto("pc_power_cycling", writes=("forget_next_image",)),
            ),
        ),
        State(
            name="start_maintenance",
            doc="The device is to boot the live image and wait for somebody.",
            forgets_failures=True,
            writes=("next_is_maintenance", "begin_task", "withdraw"),
            passes_to=Goto("pxe_power_cycling"),
        ),
        State(
            name="pxe_power_cycling",
            doc="Boot file in place, power off and on again.",
            timeout="power_timeout",
            on_timeout=_power_fails("pxe_power_cycling", "power_limit"),
            writes=("netboot_on",),
            work=_NETBOOT,
            on={
                "power_cycle_ok": Goto("pxe_booting"),
                "power_cycle_failed": Stay(),
                "misconfigured": Goto("failed_power_cycling"),
                "no_boot_config": Goto("failed_pxe_booting", writes=("report_failure",)),
                # The board calls before the relay board has confirmed: proof enough that it worked.
                "mobile_init_started": Goto("mobile_init_started"),
            },
        ),
        State(
            name="pxe_booting",
            doc="Waits for the live image to call home.",
            timeout=180,
            on_timeout=Retry(5, again=Goto("pxe_power_cycling"), exhausted=Goto("pxe_booting_failed")),
            on={"mobile_init_started": Goto("mobile_init_started"), **_LIVE_IMAGE},
            tags=INSTALLING,
        ),
        State(
            name="mobile_init_started",
            doc="The live image runs and fetches its second stage.",
            timeout=10,
            on_timeout=Retry(
                3, again=Goto("pxe_power_cycling"), exhausted=Goto("mobile_init_started_failed")
            ),
            writes=("netboot_off",),
            on=_LIVE_IMAGE,
            tags=INSTALLING,
        ),
        State(
            name="downloading",
            doc="The device fetches the image; about 30 s on a good day.",
            timeout="download_timeout",
            on_timeout=Retry(
                "download_limit", again=Goto("pxe_power_cycling"), exhausted=Goto("downloading_failed")
            ),
            writes=("netboot_off",),
            on={
                "image_extracting": Goto("extracting"),
                "image_rebooting": Goto("verifying", writes=("forget_image",)),
            },
            tags=INSTALLING,
        ),
        State(
            name="extracting",
            doc="The device writes the image to its storage; 1-2 minutes on a good day.",
            timeout="install_timeout",
            on_timeout=Retry(
                "install_limit", again=Goto("pxe_power_cycling"), exhausted=Goto("extracting_failed")
            ),
            writes=("forget_image",),
            on={"image_rebooting": Goto("verifying")},
            tags=INSTALLING,
        ),
        # Is the image up?
        _answers("sut_verifying", "verify_agent", "sut_verifying_failed"),
        _answers("port_verifying", "verify_port", "port_verifying_failed"),
        State(
            name="sut_verify_power_cycle",
            doc="Silent for long: power off and on again.",
            timeout="power_timeout",
            on_timeout=_power_fails("sut_verify_power_cycle", "repower_limit", "sut_verifying_failed"),
            writes=("netboot_off",),
            work=_BOOT,
            on={
                "power_cycle_ok": Goto("verifying"),
                "power_cycle_failed": Stay(),
                "misconfigured": Goto("sut_verifying_failed"),
            },
        ),
        State(
            name="sut_sdcard_verifying",
            doc="Writes a file to the storage, reads it back and removes it.",
            timeout=60,
            on_timeout=Retry(
                2, again=Goto("sut_sdcard_verifying"), exhausted=Goto("sut_sdcard_verifying_failed")
            ),
            work=Work("check_storage"),
            on={
                "check_storage_ok": Goto("operation_complete"),
                "check_storage_failed": Retry(
                    2, again=Goto("sut_sdcard_verifying"), exhausted=Goto("sut_sdcard_verifying_failed")
                ),
            },
            tags=INSTALLING,
        ),
        State(
            name="operation_complete",
            doc="What was asked for is done; the holding request is told.",
            writes=("adopt_next_image", "report_complete"),
            passes_to=Goto("ready"),
        ),
        # On the live image.
        State(
            name="maintenance_mode",
            doc="The live image is up and lets administrators in by SSH.",
            writes=("netboot_stays_on", "forget_image"),
            on=_PLEASE,
            tags=API | AWAY | {"hands_on"},
        ),
        State(
            name="self_test_running",
            doc="The device tests its storage, memory and network.",
            timeout=3600,
            on_timeout=Goto("failed_self_test"),
            writes=("netboot_off", "forget_image", "forget_next_image", "withdraw"),
            on={
                "self_test_ok": Goto("ready", writes=("report_healthy",)),
                "failed_self_test": Goto("failed_self_test"),
                **_MEND,
            },
        ),
        # Out of the pool until somebody mends it.
        *_gives_up("downloading"),
        *_gives_up("extracting"),
        *_gives_up("sut_verifying"),
        *_gives_up("port_verifying"),
        *_gives_up("sut_sdcard_verifying"),
        *_gives_up("pinging"),
        _failed("power_cycling", "The power could not be cycled, or the device has no outlet."),
        *_gives_up("pxe_booting"),
        *_gives_up("mobile_init_started"),
        _failed("self_test", "The device failed its self-test."),
        _failed(
            "unreachable",
            "Its power controller, or the workers of its rack, did not serve it for about a day.",
            report="report_unreachable",
        ),
    ),
)

PLEASE_EVENTS = tuple(_PLEASE)
