"""A drawing area in which a network reads digits in the browser, and shows how it learns.

The page holds the weights of the network. ``section`` makes it from these files, in reading order:

- ``section.html``, ``section.css``  what is on the page
- ``network.js``       forward pass and loss
- ``training.js``      backpropagation and gradient descent
- ``model.js``         the networks stored in the page
- ``mnist_format.js``  strokes to the 28x28 image that MNIST would have held
- ``prediction.js``    variants of an image, their mean, and the rejection of what is no digit
- ``figures.js``       numbers as text, tables, bars and cells
- ``drawing.js``       strokes of a mouse, a finger, a pen or the keyboard
- ``walkthrough.js``   one step of gradient descent, explained page by page
- ``main.js``          connects the drawing, the networks and the figures

``page`` adds small networks that train in the page:

- ``live.html``, ``live.css``  what is on the page
- ``curves.js``        curves of cost and accuracy that grow
- ``live.js``          the controls, and the loop that takes the steps
- ``live_digits.js``   a network that learns digits and reads what is drawn
- ``live_plane.js``    a network that tells points in a plane apart
- ``live_main.js``     puts both on the page
"""

from dlcli.report.draw.section import Demo, page, section

__all__ = ["Demo", "page", "section"]
