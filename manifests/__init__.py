"""Record types, Arrow schemas, ledger, shard index: everything that is written down."""
