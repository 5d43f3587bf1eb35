"""Static files under names that carry a digest of their contents, so that browsers may keep them for ever."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # whitenoise has no types
    """Also where one module of ours imports another: under its plain name it would be loaded, and run, twice."""

    support_js_module_import_aggregation = True
    # Django looks at every file; others' have words in comments that it takes for imports.
    _js_module_import_aggregation_patterns = (
        "pages/*.js",
        CompressedManifestStaticFilesStorage._js_module_import_aggregation_patterns[1],  # noqa: SLF001 - as above
    )
