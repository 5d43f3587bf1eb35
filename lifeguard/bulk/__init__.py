"""One action over many devices: stored as a batch, carried out a device at a time, and followed to its end.

`verbs.py` is the table of what can be done; `services.start` and `.stop`, `progress.advance`.
"""
