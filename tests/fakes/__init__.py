"""Stand-ins for hardware and libraries that no test machine has, as strict as the real ones."""
