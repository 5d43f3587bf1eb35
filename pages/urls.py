"""All pages for people: each area has a list of its own, named here."""

import pages.attention.urls
import pages.bmm.urls
import pages.bulk.urls
import pages.device.urls
import pages.devices.urls
import pages.home.urls
import pages.images.urls
import pages.log.urls
import pages.racks.urls
import pages.requests.urls
import pages.statistics.urls

app_name = "pages"
urlpatterns = [
    *pages.attention.urls.urlpatterns,
    *pages.bmm.urls.urlpatterns,
    *pages.bulk.urls.urlpatterns,
    *pages.devices.urls.urlpatterns,
    *pages.device.urls.urlpatterns,
    *pages.home.urls.urlpatterns,
    *pages.images.urls.urlpatterns,
    *pages.log.urls.urlpatterns,
    *pages.racks.urls.urlpatterns,
    *pages.requests.urls.urlpatterns,
    *pages.statistics.urls.urlpatterns,
]
