"""All pages for people: each area has a list of its own, named here."""

import pages.home.urls
import pages.racks.urls
import pages.statistics.urls

app_name = "pages"
urlpatterns = [
    *pages.home.urls.urlpatterns,
    *pages.racks.urls.urlpatterns,
    *pages.statistics.urls.urlpatterns,
]
