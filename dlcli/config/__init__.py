"""Hyperparameters: what a config may hold, and how it is read and checked.

- ``choices``      the names that the tables of ``nn`` offer, and what each does, in words
- ``schema``       every key with its range, default and meaning
- ``augmentation`` the keys of ``augmentation``
- ``reference``    every key described, for editors and for the documentation
- ``yaml_loader``  YAML text to plain values, each with its line
- ``files``        config files in layers, shipped ones by name, ``--set``
- ``template``     a config file to start from, and what the shipped ones are
- ``validation``   all problems of a config at once
- ``hints``        which key or value was probably meant
- ``messages``     types and values in words
"""
