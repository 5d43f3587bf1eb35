"""The page of images: the pool's public catalogue."""
