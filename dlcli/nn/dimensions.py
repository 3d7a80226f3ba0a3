"""Sizes: 28x28 pixels, which the task fixes, and limits of a config."""

IMAGE_SIDE = 28
IMAGE_SIZE = IMAGE_SIDE * IMAGE_SIDE
MAX_HIDDEN_LAYERS = 100
# Images of a batch with batch normalisation: of two, every normalised sum is 1 or -1.
MIN_NORMALISED = 3
MAX_THREADS = 1 << 16  # more than any machine has, and small enough for BLAS
MAX_PARTS = 100  # datasets of a mixture
MAX_PATH = 4096  # characters of a path; Linux allows no more
# A network of this size takes 1 GB for its weights and 4 GB to train with Adam.
MAX_PARAMETERS = 250_000_000
