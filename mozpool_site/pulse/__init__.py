"""The dull loop around whatever falls due; what that is, the layers above say."""
