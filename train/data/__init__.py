"""From shards to packed batches, in an order that can be resumed."""
