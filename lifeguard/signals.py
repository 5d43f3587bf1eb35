"""What Lifeguard tells the layers above, after the commit. The rows are what counts: a lost signal costs a pulse.

`device_moved` carries `device` (the row as stored), `old_state`, and `by`, the Actor who caused it.
"""

from django.dispatch import Signal

device_moved = Signal()
