"""Record types, Arrow schemas, ledger, segments, shard index: the files of a build."""
