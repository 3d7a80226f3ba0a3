"""A page to draw digits on, which answers as ``dlcli predict`` does and shows how it learns.

The network's own weights are in the page. What is done with them is in the scripts beside this
file, the same arithmetic as in the Python modules of like names:

- ``resampling.js``  pictures scaled and turned as Pillow does
- ``ink.js``, ``pieces.js``, ``placement.js``, ``views.js``, ``images.js``  a drawing to the 28x28
- ``network.js``     forward pass, cost, backpropagation, one step
- ``model.js``       the weights in the page; what is answered
- ``drawing.js``     strokes of a mouse, a finger or a pen
- ``figures.js``     numbers as cells, bars and tables
- ``lesson.js``      one step of gradient descent, told step by step
- ``main.js``        what belongs to what
"""

from dlcli.report.draw.section import Demo, page, section

__all__ = ["Demo", "page", "section"]
