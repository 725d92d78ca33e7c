"""Motion again: recorded states become videos, in processes that never hold training up."""
