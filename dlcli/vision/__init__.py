"""Any picture to 28x28 images of digits in MNIST's format.

- ``decode``: picture files to grey or RGB images
- ``foreground``: background subtraction
- ``components``: the connected components that make up a digit
- ``localization``: the digit on a picture, by candidates from coarse to fine
- ``mnist_format``: scaling and centring as in MNIST
- ``augmentation``: the variants for test-time augmentation
- ``rejection``: the network that recognises what is not a digit
- ``pipeline``: all of these for one picture
- ``preview``: PNG files that show images and the steps of the pipeline
- ``morphology``: the filters and labels that the others are built on
"""

from typing import Literal, TypeAlias

Preprocessing: TypeAlias = Literal["digit", "none"]
"""How ``dlcli predict`` prepares pictures: as MNIST prepared its digits, or not at all."""
