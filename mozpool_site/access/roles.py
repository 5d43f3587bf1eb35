"""The four roles. They are Django groups of the same names, in lower case; what each may do is decided in code."""

from collections.abc import Iterable
from enum import IntEnum

from django.contrib.auth.models import AbstractUser


class Role(IntEnum):
    """What a caller may do; each may all that the one before may. The groups have the same names, in lower case."""

    NOBODY = 0
    VIEWER = 1
    REQUESTER = 2
    OPERATOR = 3
    ADMIN = 4

    @property
    def word(self) -> str:
        """The role as people write it, and as its group is called."""
        return self.name.lower()


# Roles that somebody can have, by the names of their groups.
BY_WORD = {role.word: role for role in Role if role is not Role.NOBODY}


def highest(group_names: Iterable[str | None], *, is_superuser: bool) -> Role:
    """Give the highest role of somebody in these groups; a superuser is an admin, other groups count for nothing."""
    if is_superuser:
        return Role.ADMIN
    return max((BY_WORD.get(name or "", Role.NOBODY) for name in group_names), default=Role.NOBODY)


def role_of(user: AbstractUser) -> Role:
    """Give a user's highest role; somebody in none of the groups is nobody. One query, none for a superuser."""
    if user.is_superuser:
        return Role.ADMIN
    return highest(user.groups.values_list("name", flat=True), is_superuser=False)
