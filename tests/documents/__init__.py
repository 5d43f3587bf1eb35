"""Whoever follows the documents letter by letter arrives."""
