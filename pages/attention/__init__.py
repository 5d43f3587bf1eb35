"""What needs attention: the list that a day in operations starts with."""

from pages.attention.reading import count, forget

__all__ = ["count", "forget"]
