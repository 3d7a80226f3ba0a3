"""Any picture to 28x28 images of digits in MNIST's format.

The modules, in reading order: each imports only those above it.

- ``grey_png``                small grey PNG files to images, fast
- ``decode``                  picture files to grey or RGB images
- ``rejection``               the network that recognises what is not a digit
- ``candidate``               what may be the digit on a picture, and how it was found
- ``mnist_format``            scaling and centring as in MNIST
- ``morphology``              OpenCV's filters for what follows
- ``components``              groups of connected components that may be a digit
- ``foreground``              background subtraction and the removal of lines
- ``normalization``           strokes of any size and width to MNIST's format
- ``test_time_augmentation``  the variants of a digit whose predictions are averaged
- ``localization``            the digit on a picture: candidates, compared by the rejection network
- ``page_foreground``         background subtraction for whole pages
- ``printed_lines``           ruled and squared paper, and the frames of forms
- ``text_lines``              which components stand beside each other
- ``cuts``                    paths between digits that touch
- ``line_image``              a line whose digits touch: its pieces, and images of candidates
- ``segmentation``            a page's lines, words, and candidates for their digits
- ``grid_cells``              the cells of a grid, and the strokes in each
- ``pipeline``                all of these for one picture
- ``plain``                   signs of other classes, scaled and centred by their box alone
- ``preview``                 PNG files that show images and the steps of the pipeline
"""

from typing import Literal, TypeAlias

Preparation: TypeAlias = Literal["digit", "plain"]
"""How to make images of pictures: as MNIST prepared its digits, or by their box alone."""

Preprocessing: TypeAlias = Literal["digit", "plain", "none"]
"""How ``dlcli predict`` prepares pictures: in one of these ways, or not at all."""
