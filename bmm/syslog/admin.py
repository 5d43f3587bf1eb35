"""Admin page of what to look for in device logs; a bad regular expression is refused beside its field."""

from django.contrib import admin

from bmm.syslog.models import LogPattern
from devices.admin_base import CarefulAdmin


@admin.register(LogPattern)
class LogPatternAdmin(CarefulAdmin):
    """Patterns in logs. A running syslogd takes a change up within seconds."""

    list_display = ("name", "regex", "severity", "cooldown", "enabled")
    list_filter = ("severity", "enabled")
    search_fields = ("name", "regex")
    fields = ("name", "regex", "severity", "cooldown", "enabled", "comments")
