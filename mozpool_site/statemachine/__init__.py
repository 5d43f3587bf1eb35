"""State machines as data: tables of states, a pure step, and a runner that makes the step durable.

This package knows no device and no request. `spec` is the vocabulary in which a table is written,
`machine` decides, `runner` stores what was decided, `graph` draws and proves.
"""
