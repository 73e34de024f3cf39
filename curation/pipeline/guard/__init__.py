"""What keeps a build safe: the lock of its folder, the quarantine of deadly recordings, the watchdog."""
