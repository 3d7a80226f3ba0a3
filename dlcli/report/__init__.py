"""Pages that open from disk and need no network (``dlcli report``), and plots (``dlcli plot``).

The modules, in reading order:

- ``models``             the models of a report, their scores and the history of their training
- ``errors``             the images in each cell of the confusion matrix, and the worst errors
- ``neuron_statistics``  what the neurons of each layer respond to, and how strongly
- ``tables``             numbers, settings and comparisons as text
- ``thumbnails``         small pictures inside a page
- ``charts``             learning curves, reliability, histograms and small bars, by Matplotlib
- ``curves``             the learning curves of a page
- ``svg``                Matplotlib's figures inside a page, in the page's colours
- ``frame``              the frame of every page: templates and a strict Content-Security-Policy
- ``film``               how the first layer and the confusion matrix changed
- ``hidden_map``         images by the outputs of the last hidden layer
- ``page``               the report
- ``lesson``             the page of a lesson
- ``search``             the page of a hyperparameter search
- ``plots``              the figures of ``dlcli plot``
- ``draw``               the part of a page to draw digits on
- ``templates/``         HTML, CSS and JavaScript of the pages
"""
