"""Where an artifact loses quality, and why it is not faster: measured, layer by layer."""
