"""Where statistics are."""

from django.urls import path

from pages.statistics.views import statistics

urlpatterns = [path("statistics/", statistics, name="statistics")]
