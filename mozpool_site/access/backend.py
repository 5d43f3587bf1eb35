"""What each role may do in the administration. It is decided here, so no rows of permissions can go stale.

Requesters and viewers have no business there. Operators see everything, and change devices (which of their
fields, the page itself says); admins may everything.
"""

from functools import cache
from typing import Any

from django.apps import apps
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser, User

from mozpool_site.access.roles import Role, role_of

# What operators may change, besides looking at everything.
OPERATORS_CHANGE = frozenset({"devices.change_device"})
_CACHE = "_mozpool_role"


def known_role(user: User) -> Role:
    """Give the user's role, looked up once for each object, which lives as long as one call."""
    if not hasattr(user, _CACHE):
        setattr(user, _CACHE, role_of(user))
    role: Role = getattr(user, _CACHE)
    return role


@cache
def permissions_of(role: Role) -> frozenset[str]:
    """Name the permissions of a role as Django spells them: `devices.view_device`."""
    if role < Role.OPERATOR:
        return frozenset()
    every = [
        (action, f"{model._meta.app_label}.{action}_{model._meta.model_name}")
        for model in apps.get_models(include_auto_created=True)
        for action in model._meta.default_permissions
    ]
    if role is Role.ADMIN:
        return frozenset(name for _, name in every)
    return frozenset(name for action, name in every if action == "view") | OPERATORS_CHANGE


class RoleBackend(ModelBackend):
    """Django's own logins by password, with permissions by role; those given to single users count for nothing."""

    def get_user_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        """Give none: roles belong to groups."""
        return set()

    def get_group_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        """Give those of the user's highest role."""
        return self.get_all_permissions(user_obj, obj)

    def get_all_permissions(self, user_obj: AbstractBaseUser | AnonymousUser, obj: Any = None) -> set[str]:
        """Give those of the user's highest role; none for a single row, which nothing here asks about."""
        if not isinstance(user_obj, User) or not user_obj.is_active or obj is not None:
            return set()
        return set(permissions_of(known_role(user_obj)))
