"""Random devices as the pool may know them."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from lifeguard.states import DEVICE
from requests_app.planning.pool import DeviceSnapshot

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
# Ready more often than all other states together: those are the ones that might be given to somebody by mistake.
STATES = st.one_of(st.just("ready"), st.sampled_from(DEVICE.stored()))
MOMENTS = st.sampled_from([-600.0, -1.0, -1e-6, 0.0, 1e-6, 1.0, 600.0]).map(
    lambda seconds: NOON + timedelta(seconds=seconds)
)


@st.composite
def snapshots(draw: st.DrawFn) -> DeviceSnapshot:
    """Give what might be known of a device at noon."""
    held = draw(st.booleans())
    ends = NOON + timedelta(seconds=draw(st.integers(1, 1000)))
    return DeviceSnapshot(
        state=draw(STATES),
        held=held,
        held_until=ends if held and draw(st.booleans()) else None,
        rack_silent=draw(st.booleans()),
        suspect_until=draw(st.none() | MOMENTS),
        quarantined=draw(st.booleans()),
        gone=draw(st.booleans()),
    )
