"""Told after the commit: `device_released` carries `device_id`. A lost signal costs a pulse."""

from django.dispatch import Signal

device_released = Signal()
