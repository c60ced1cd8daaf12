"""What FraiseQL costs, measured: one module for each figure, and a runner (`make bench`)."""
