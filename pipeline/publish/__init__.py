"""Publishing: shards, versions, cards, verification of what was published."""
