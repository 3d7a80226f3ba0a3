"""A drawing area in which a network reads digits in the browser, and shows how it learns.

The page holds the weights of the network. ``section`` makes it from these files, in reading order:

- ``section.html``, ``section.css``  what is on the page
- ``network.js``       forward pass, loss, backpropagation and one step of gradient descent
- ``model.js``         the networks stored in the page
- ``mnist_format.js``  strokes to the 28x28 image that MNIST would have held
- ``prediction.js``    variants of an image, their mean, and the rejection of what is no digit
- ``figures.js``       numbers as text, tables, bars and cells
- ``drawing.js``       strokes of a mouse, a finger, a pen or the keyboard
- ``walkthrough.js``   one step of gradient descent, explained page by page
- ``main.js``          connects the drawing, the networks and the figures
"""

from dlcli.report.draw.section import Demo, page, section

__all__ = ["Demo", "page", "section"]
