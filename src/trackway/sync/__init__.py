"""Between machines: a run's folder shipped into an object store, and made again elsewhere."""
