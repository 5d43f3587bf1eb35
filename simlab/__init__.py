"""A lab on a laptop: relay boards and boards that boot, as separate processes over real protocols.

Nothing that runs in production imports this package; rows of the database simply point at its addresses.
"""
