"""Datasets: where they come from, how they are stored and verified, and what training sees.

- ``registry``      one row for each named dataset
- ``classes``       the names of classes
- ``idx``           the file format
- ``idx_folder``    the four files in a folder, under any of their usual names
- ``image_folder``  folders of pictures: which picture is of which class
- ``prepared``      their pictures as 28x28 images, prepared once
- ``csv_file``      CSV files of images to IDX files
- ``download``      one verified file from the first mirror that delivers it
- ``connection``    why a request failed: the server, the proxy, the certificates
- ``cache``         downloaded datasets on the disk: fetch, import, verify, repair
- ``location``      where that is, if nobody says so
- ``examples``      labelled images in memory, datasets of them, mixtures
- ``datasets``      loads them by name, from a folder, or several as a mixture: ``load``
- ``disputed``      images of MNIST whose labels people dispute
- ``writers``       who wrote each training image, where a file says so
- ``splits``        training and validation examples
- ``augmentation``  distorted copies of training images
- ``pictures``      images of a dataset as PNG files, for ``dlcli data export`` and ``show``
- ``sample/``       12,000 images of MNIST, the dataset ``sample``
"""
