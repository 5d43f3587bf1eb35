"""The HTTP face of what exists."""
