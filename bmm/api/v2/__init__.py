"""The v2 API of what is done to hardware: operations, power controllers, and what can be asked of a device by hand."""

from bmm.api.v2 import operations, power_controllers

urlpatterns = [*operations.urlpatterns, *power_controllers.urlpatterns]
