"""A model and pictures to digits.

- ``path_list``: lists of paths, separated by lines or NULs
- ``sources``: pictures named by files, folders, lists and stdin
- ``preparation``: pictures to what a model was trained on
- ``parallel``: work on pictures in threads, with the results in order
- ``predictor``: pictures to predictions
- ``numeral_lattice``: all ways to divide a line into digits, and the likeliest
- ``numeral_strings``: the candidates of a page's lines to numbers
- ``reading``: pictures to numbers
- ``drawing``: pictures with what was read drawn in
- ``classifier``: arrays of images to predictions, as a library
"""
