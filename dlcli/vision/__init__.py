"""Any picture to 28x28 images of digits in MNIST's format.

The modules, in reading order: each imports only those above it.

- ``morphology``    the filters and labels that the others are built on
- ``decode``        picture files to grey or RGB images
- ``foreground``    background subtraction
- ``rejection``     the network that recognises what is not a digit
- ``components``    the connected components that make up a digit
- ``mnist_format``  scaling and centring as in MNIST
- ``augmentation``  the variants for test-time augmentation
- ``localization``  the digit on a picture, by candidates from coarse to fine
- ``pipeline``      all of these for one picture
- ``preview``       PNG files that show images and the steps of the pipeline
"""

from typing import Literal, TypeAlias

Preprocessing: TypeAlias = Literal["digit", "none"]
"""How ``dlcli predict`` prepares pictures: as MNIST prepared its digits, or not at all."""
