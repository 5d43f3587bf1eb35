"""Drivers: bytes and sockets towards the hardware. They know no Django, devices, requests or settings."""
