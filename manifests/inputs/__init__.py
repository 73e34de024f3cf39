"""What goes into a build: files, folders, globs and manifests, listed as sources with stable ids."""
