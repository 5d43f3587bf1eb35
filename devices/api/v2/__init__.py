"""The v2 API of what exists: racks, hardware, images, boot configs, devices, environments, and the journal."""

from devices.api.v2 import environments, images, journal, racks

urlpatterns = [
    *racks.urlpatterns,
    *images.urlpatterns,
    *environments.urlpatterns,
    *journal.urlpatterns,
]
