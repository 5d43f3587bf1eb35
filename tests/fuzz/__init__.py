"""Thousands of calls of both APIs, made out of their schemas; what they answer must be what the schemas say."""
