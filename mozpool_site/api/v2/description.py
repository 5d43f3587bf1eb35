"""What the OpenAPI schema says of the v2 API as a whole; read by the settings, so it imports nothing of Django."""

from typing import Any

DESCRIPTION: dict[str, Any] = {
    "TITLE": "Mozpool",
    "VERSION": "2.0",
    "DESCRIPTION": (
        "Who gets which device of the lab, in what state, with what image. JSON both ways; times are ISO 8601 in UTC; "
        "durations are seconds. Errors are problem details (RFC 9457) with a `code` that never changes. Lists come by "
        "pages: follow `next`. What is read has an ETag, for `If-None-Match`."
    ),
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api/v2",
    "SERVE_PUBLIC": True,
    "COMPONENT_SPLIT_REQUEST": True,
    "APPEND_COMPONENTS": {},
    "PREPROCESSING_HOOKS": ["mozpool_site.api.v2.schema.one_path_each"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "mozpool_site.api.v2.schema.with_problems",
        "mozpool_site.api.v2.schema.with_links",
    ],
    "SWAGGER_UI_DIST": "SIDECAR",
    "TAGS": [
        {"name": "api", "description": "The front door."},
        {"name": "requests", "description": "Who wants which device with what on it, and for how long."},
        {"name": "devices", "description": "The devices, what they are up to, and what can be done to them."},
        {"name": "operations", "description": "Hardware work: what an action's answer 202 points at."},
        {"name": "journal", "description": "What happened, line by line."},
    ],
}
