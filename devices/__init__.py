"""What exists: racks, hardware, images, power controllers, devices, and their journal."""
