"""Hyperparameter search with Optuna (the extra ``sweep``), on one machine or many.

- ``space``      search spaces: ranges and choices, validated as strictly as a config
- ``plan``       a search file: the search spaces, the fixed keys and the section ``sweep``
- ``samplers``   Optuna's samplers and pruners, and what they propose for a key
- ``storage``    the database with the study, which is all that workers share
- ``retries``    Optuna's retries of trials whose workers died
- ``worker``     one process that runs trials; each trial is a run directory
- ``progress``   which trials of a study are finished, and whether any are left
- ``processes``  the worker processes of this machine
- ``results``    the best trial, trials as rows of a table, and the importance of each key
"""
