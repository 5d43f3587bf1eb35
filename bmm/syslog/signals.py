"""What device logs tell the layers above.

`device_alarmed` is sent inside the transaction that stores a serious alarm's line, with `device_id`, `name` (the
event), `message` and `received` (a datetime by the database's clock). A receiver may touch the database only, and lock
nothing that comes before a device.
"""

from django.dispatch import Signal

device_alarmed = Signal()
