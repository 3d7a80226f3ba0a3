"""Datasets: where they come from, how they are stored and verified, and what training sees.

- ``registry``      one row for each named dataset
- ``classes``       the names of classes
- ``idx``           the file format
- ``download``      one verified file from the first mirror that delivers it
- ``connection``    why a request failed: the server, the proxy, the certificates
- ``cache``         downloaded datasets on the disk: fetch, import, verify, repair
- ``location``      where that is, if nobody says so
- ``datasets``      a dataset in memory: ``load``
- ``splits``        training and validation examples
- ``augmentation``  distorted copies of training images
- ``pictures``      images of a dataset as PNG files, for ``dlcli data export`` and ``show``
- ``sample/``       12,000 images of MNIST, the dataset ``sample``
"""
