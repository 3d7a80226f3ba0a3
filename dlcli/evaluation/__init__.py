"""The scores of models on datasets.

- ``metrics``     scores as pure functions of labels, predictions and probabilities
- ``evaluate``    the scores of a model, or of an ensemble, on a split of a dataset
- ``compare``     two models on the same images
- ``formatting``  scores as text
"""
