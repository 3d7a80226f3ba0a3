"""The scores of models on datasets.

- ``metrics``     scores as pure functions of labels, predictions and probabilities; a new one goes
                  here, and into ``METRICS`` if it is one number
- ``evaluate``    the scores of a model, or of an ensemble, on a split of a dataset
- ``cross_validation``  K networks, each scored on the images that it was not trained on
- ``label_issues``  images whose labels are probably wrong (extra ``audit``)
- ``compare``     two models on the same images
- ``formatting``  scores as text
"""
