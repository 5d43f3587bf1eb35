"""The version of this Mozpool, as its APIs tell it; pyproject.toml says the same, and a test holds the two together."""

VERSION = "0.1.0"
