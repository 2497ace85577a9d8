"""One file per model: a declaration, nothing else."""
