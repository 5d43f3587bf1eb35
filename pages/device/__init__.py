"""The page of one device: how it is, what can be done, and all that has happened to it."""
