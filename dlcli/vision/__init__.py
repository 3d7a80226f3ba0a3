"""Any picture to 28x28 images of digits in MNIST's format.

The modules, in reading order: each imports only those above it.

- ``decode``                  picture files to grey or RGB images
- ``rejection``               the network that recognises what is not a digit
- ``candidate``               what may be the digit on a picture, and how it was found
- ``mnist_format``            scaling and centring as in MNIST
- ``morphology``              OpenCV's filters for what follows
- ``foreground``              background subtraction
- ``components``              the connected components that make up a digit
- ``test_time_augmentation``  the variants of a digit whose predictions are averaged
- ``localization``            the digit on a picture, by candidates from coarse to fine
- ``pipeline``                all of these for one picture
- ``preview``                 PNG files that show images and the steps of the pipeline
"""

from typing import Literal, TypeAlias

Preprocessing: TypeAlias = Literal["digit", "none"]
"""How ``dlcli predict`` prepares pictures: as MNIST prepared its digits, or not at all."""
