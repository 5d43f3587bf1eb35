"""Black Mobile Magic: the layer that touches hardware."""
