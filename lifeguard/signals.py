"""What Lifeguard tells the layers above.

`device_moved` is sent after the commit, with `device` (the row as stored), `old_state`, `event`, the name of what
happened, and `by`, the Actor who caused it. The rows are what counts: a lost signal costs a pulse.

`device_entering` is sent inside the transaction of a step into another state, with `device`, `old_state` and `now`,
for what must be stored with the step or not at all. A receiver that fails undoes the step; it may touch the database
only, and lock nothing that comes before a device.
"""

from django.dispatch import Signal

device_moved = Signal()
device_entering = Signal()
