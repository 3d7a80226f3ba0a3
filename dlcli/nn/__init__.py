"""The network and its mathematics, on arrays alone.

- ``types``            the array types of the whole program
- ``dimensions``       the sizes that the task fixes, and limits
- ``activations``      a row for each activation: forward, derivative, exports
- ``losses``           the costs and their gradients
- ``initializers``     random initial weights
- ``network``          the parameters and the forward pass of inference
- ``batch_norm``       batch normalisation
- ``neuron_health``    dead and saturated neurons
- ``backpropagation``  the forward and backward pass of training
- ``optimizers``       how a gradient becomes a step
- ``kernels``          the passes beside the matrix products: by NumPy, and as loops
- ``image_kernels``    those of them that distort images
- ``compilation``      the loops, compiled by Numba
- ``schedules``        the learning rate of every step
- ``ema``              a running mean of the weights
- ``temperature``      calibrated probabilities
- ``confusion``        how often each label got each prediction
- ``gradcheck``        backpropagation against finite differences
- ``random``           random streams from one seed
- ``memory``           vectors on huge pages
- ``lazy_numpy``       NumPy, imported when it is first used
"""
