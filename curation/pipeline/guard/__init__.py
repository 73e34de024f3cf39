"""What keeps a build safe: the lock of its folder, the quarantine of recordings that crash workers, the watchdog."""
