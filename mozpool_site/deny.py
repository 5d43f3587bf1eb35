"""The permission of every API view that declares none: nobody may."""

from typing import TYPE_CHECKING

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

if TYPE_CHECKING:
    # DRF loads this module while it loads its own views.
    from rest_framework.views import APIView


class DenyAll(BasePermission):
    """Refuses everybody, so that a view whose author forgot its permission is closed and not open."""

    message = "This view declares no permission, so nobody may use it."

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """Say no."""
        return False
