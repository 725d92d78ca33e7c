"""Where recorded bytes rest: the ring in memory, the journal on disk, and reading both as one."""
