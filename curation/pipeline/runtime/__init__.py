"""Where the work of a build runs: on Ray, or in this process."""
