"""The demonstrations behind `make demo` and `make train-demo`."""
