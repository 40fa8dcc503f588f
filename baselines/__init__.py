"""stratagym."""
