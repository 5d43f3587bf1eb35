"""The log of a device or a request as it was written, line by line; it can be followed."""
