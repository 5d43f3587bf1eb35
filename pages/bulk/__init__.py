"""Bulk actions: what is about to be done to the chosen devices, and what has become of it."""
