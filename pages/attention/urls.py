"""Where the list of what needs attention is."""

from django.urls import path

from pages.attention import views

urlpatterns = [
    path("attention/", views.attention_page, name="attention"),
    path("attention/part/", views.attention_part, name="attention_part"),
    path("attention/hand-tasks/<int:task>/done/", views.hand_done, name="hand_done"),
]
