"""Record types, Arrow schemas, ledger, shard index: the files of a build."""
