"""Tells other programs what happens to requests and devices: an outbox of rows, and couriers that empty it."""
