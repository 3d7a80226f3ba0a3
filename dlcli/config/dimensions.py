"""What the task fixes, 28x28 pixels and ten classes, and how large a network may be."""

IMAGE_SIDE = 28
IMAGE_SIZE = IMAGE_SIDE * IMAGE_SIDE
CLASSES = 10
MAX_HIDDEN_LAYERS = 100
MAX_THREADS = 1 << 16  # more than any machine has; BLAS takes no number of any length
MAX_PATH = 4096  # characters in the name of a folder; no system takes more
# A network of this size takes 1 GB for its weights and 4 GB to train with Adam.
MAX_PARAMETERS = 250_000_000
