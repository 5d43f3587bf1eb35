"""The HTTP face of Black Mobile Magic: hardware that somebody touches by hand."""
