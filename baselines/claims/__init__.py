"""Claims of the literature, each measured by a script of its own with seeds and intervals."""
