"""Models and their training as one page that opens from disk (``dlcli report``).

The modules, in reading order:

- ``subjects``    a model, its scores and the history of its training
- ``mistakes``    the images in each cell of the confusion matrix, and the worst errors
- ``activity``    what the neurons of each layer look for and how they answer
- ``thumbnails``  small pictures inside the page
- ``tables``      numbers and settings as the page words them
- ``scales``      values to positions on an axis
- ``charts``      data to the lines, bars and labels of a chart
- ``curves``      scores over the epochs
- ``frame``       what every page shares: templates, and a strict Content-Security-Policy
- ``page``        a report
"""
