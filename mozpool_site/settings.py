"""Django and Celery settings; every value that differs between installations comes from env.py."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mozpool_site import env
from mozpool_site.api.v2.description import DESCRIPTION

ENVIRONMENT = env.read(os.environ)
BASE_DIR = env.BASE_DIR

# --- Django -------------------------------------------------------------------------------------------------
DEBUG = ENVIRONMENT.debug
SECRET_KEY = ENVIRONMENT.secret_key
ALLOWED_HOSTS = list(ENVIRONMENT.allowed_hosts)
ROOT_URLCONF = "mozpool_site.urls"
WSGI_APPLICATION = "mozpool_site.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"
# Bodies above 64 kB are answered with 413 (security.md).
DATA_UPLOAD_MAX_MEMORY_SIZE = 64 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 12_000  # the admin's bulk actions on a page of devices send a field for each
INSTALLED_APPS = [
    "mozpool_site.access.admin_config.MozpoolAdminConfig",  # django.contrib.admin
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "mozpool_site.access",
    "mozpool_site.pulse",
    "devices",
    "bmm",
    "lifeguard",
    "requests_app",
    "pages",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "mozpool_site.csp.content_security_policy",
    "mozpool_site.chain.StaticFiles",
    "mozpool_site.chain.Sessions",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "mozpool_site.chain.Authentication",
    "mozpool_site.chain.Messages",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "pages.shell.context.shell",
            ],
        },
    },
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
    {"NAME": "mozpool_site.access.passwords.TokensEnd"},
]

# --- Static files: a fresh clone works without `collectstatic`; a server that names a folder gets hashed copi
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = ENVIRONMENT.static_root
WHITENOISE_USE_FINDERS = STATIC_ROOT is None
_STATIC_STORAGE = (
    "django.contrib.staticfiles.storage.StaticFilesStorage"
    if STATIC_ROOT is None
    else "pages.shell.storage.HashedFiles"
)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": _STATIC_STORAGE},
}

# --- Database (reliability.md, "Settings that matter") ------------------------------------------------------
_MYSQL: dict[str, Any] = {
    "CONN_MAX_AGE": 60,
    "CONN_HEALTH_CHECKS": True,
    "OPTIONS": {
        "charset": "utf8mb4",
        "isolation_level": "read committed",
        # One clock for all hosts, and a waiting lock gives up long before a state's timeout does. A transaction whose
        # client hangs, has been stopped, or has lost its network ends, and its locks with it: no transaction of ours
        # waits for anything but the database. MySQL reads what only MariaDB can do as a comment.
        "init_command": (
            "SET time_zone='+00:00', SESSION innodb_lock_wait_timeout=5, SESSION net_read_timeout=20, "
            "SESSION net_write_timeout=20 /*M!100300 , SESSION idle_transaction_timeout=20 */"
        ),
        # Seconds. A database that hangs must cost a request or a pulse seconds, not the kernel's quarter of an hour;
        # reading allows for the lock wait above and a slow report.
        "connect_timeout": 5,
        "read_timeout": 20,
        "write_timeout": 20,
    },
    "TEST": {"CHARSET": "utf8mb4"},
}
_SQLITE: dict[str, Any] = {
    "CONN_MAX_AGE": 60,
    "OPTIONS": {
        # Writers queue up from BEGIN on, so none fails half-way for want of a lock.
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        # NORMAL loses no consistency with WAL; only a power cut can undo the last commits.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
    },
}
_TUNED = _MYSQL if ENVIRONMENT.database["ENGINE"].endswith("mysql") else _SQLITE
DATABASES: dict[str, Any] = {
    "default": {
        **_TUNED,
        **ENVIRONMENT.database,
        "ATOMIC_REQUESTS": False,
        "OPTIONS": {**_TUNED["OPTIONS"], **ENVIRONMENT.database.get("OPTIONS", {})},
    },
}
if _TUNED is _SQLITE:
    Path(ENVIRONMENT.database["NAME"]).parent.mkdir(parents=True, exist_ok=True)

# --- Access and headers -------------------------------------------------------------------------------------
AUTHENTICATION_BACKENDS = ["mozpool_site.access.backend.RoleBackend"]
LOGIN_URL = LOGOUT_REDIRECT_URL = "login"
LOGIN_REDIRECT_URL = "home"
CSRF_FAILURE_VIEW = "pages.shell.answers.csrf_failure"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = ENVIRONMENT.https
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600  # seconds: a working day
CSRF_TRUSTED_ORIGINS = ["://".join(urlsplit(ENVIRONMENT.base_url)[:2])]
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_SSL_REDIRECT = ENVIRONMENT.https
# A board's live image and an old client follow no redirect, and many have no TLS: they may use plain HTTP. A load
# balancer takes a redirect for health.
SECURE_REDIRECT_EXEMPT = [r"^boot/", r"^api/", r"^healthz$"]
SECURE_HSTS_SECONDS = int(timedelta(days=365).total_seconds()) if ENVIRONMENT.https else 0
# The proxy must overwrite the header, or anybody could claim to come by HTTPS; hence only where proxies are listed.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if ENVIRONMENT.trusted_proxies else None
SILENCED_SYSTEM_CHECKS = [
    "security.W005",  # HSTS for subdomains: devices may live below the server's name, and speak plain HTTP
    "security.W021",  # HSTS preload: a promise to browser vendors for a whole domain, which is not ours to make
]
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["mozpool_site.deny.DenyAll"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = DESCRIPTION

# --- Celery: doorbells only; the row is the truth (reliability.md) ------------------------------------------
CELERY_BROKER_URL = ENVIRONMENT.broker_url
CELERY_TIMEZONE = "UTC"
CELERY_ENABLE_UTC = True
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_TASK_IGNORE_RESULT = True
CELERY_RESULT_BACKEND = None
# Early acknowledgement: a lost task costs one pulse, while late ones make Celery 5.7.0 exit when Redis restarts.
CELERY_TASK_ACKS_LATE = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# Only queues that celery.py knows how to name exist, and no task may go astray into a default one.
CELERY_TASK_CREATE_MISSING_QUEUES = False
CELERY_TASK_DEFAULT_QUEUE = None
# A doorbell that cannot be rung at once is not rung: the pulse finds the row.
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_timeout": 0.5,
    "socket_connect_timeout": 0.5,
    "retry_on_timeout": False,
    # Attempts to connect when a bell is rung. Kombu's own default is to try for seconds, in the web process.
    "max_retries": 0,
}
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # a worker waits for its broker for ever
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_POOL_LIMIT = ENVIRONMENT.worker_threads
CELERY_WORKER_POOL = "threads"
CELERY_WORKER_CONCURRENCY = ENVIRONMENT.worker_threads
# Seconds, below the lease of the longest operation (the storage check's 35). A pool of threads ignores both
# limits: there the runner's own deadline bounds the work.
CELERY_TASK_SOFT_TIME_LIMIT = 33
CELERY_TASK_TIME_LIMIT = 34
# Seconds that running operations get to finish after SIGTERM; systemd's TimeoutStopSec must be longer.
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 30
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_TASK_SEND_SENT_EVENT = False
# The rows answer what `celery inspect` would, and an idle worker stays idle.
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_REDIRECT_STDOUTS = False

# --- Mozpool's own ------------------------------------------------------------------------------------------
MOZPOOL_BASE_URL = ENVIRONMENT.base_url
MOZPOOL_TFTP_ROOT = ENVIRONMENT.tftp_root
MOZPOOL_BOOT_LOADERS = ENVIRONMENT.boot_loaders
MOZPOOL_TRUSTED_NETWORKS = ENVIRONMENT.trusted_networks
MOZPOOL_TRUSTED_OPERATOR_NETWORKS = ENVIRONMENT.trusted_operator_networks
MOZPOOL_DEVICE_NETWORKS = ENVIRONMENT.device_networks
MOZPOOL_TRUSTED_PROXIES = ENVIRONMENT.trusted_proxies
MOZPOOL_CORS_ORIGINS = ENVIRONMENT.cors_origins
MOZPOOL_IMAGE_HOSTS = ENVIRONMENT.image_hosts
MOZPOOL_POWER_COMMANDS = ENVIRONMENT.power_commands
MOZPOOL_INVENTORY = ENVIRONMENT.inventory
MOZPOOL_WEBHOOK_HOSTS = ENVIRONMENT.webhook_hosts
MOZPOOL_BOOT_KEYS = ENVIRONMENT.boot_keys
MOZPOOL_ENCRYPTION_KEYS = ENVIRONMENT.encryption_keys
MOZPOOL_MAX_DURATION = ENVIRONMENT.max_duration
MOZPOOL_MAX_WAIT = ENVIRONMENT.max_wait
MOZPOOL_JOURNAL_DAYS = ENVIRONMENT.journal_days
MOZPOOL_WEB_THREADS = ENVIRONMENT.web_threads
MOZPOOL_AUDIT_DAYS = ENVIRONMENT.audit_days
MOZPOOL_MAX_TOKEN_DAYS = ENVIRONMENT.max_token_days
MOZPOOL_MAX_WAITING = ENVIRONMENT.max_waiting
MOZPOOL_MAX_OPEN_REQUESTS = ENVIRONMENT.max_open_requests

# --- Logging: one line each, to stderr ----------------------------------------------------------------------
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "mozpool_site.logs.LineFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": ENVIRONMENT.log_level},
    "loggers": {
        # Django's own handlers (mail to administrators, the console) stay out of it.
        "django": {"handlers": [], "propagate": True},
        # Two lines a task would drown what matters; failures are logged above this level.
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
    },
}
