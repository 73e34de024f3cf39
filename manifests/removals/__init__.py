"""What was taken out of a corpus for good: tombstones and receipts."""
