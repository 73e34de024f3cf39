"""The foundation: errors, settings, storage, timing. Knows nothing else of this package."""
