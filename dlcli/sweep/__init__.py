"""Hyperparameter search with Optuna (the extra ``sweep``), on one machine or many.

- ``space``      search spaces: ranges and choices, validated as strictly as a config
- ``plan``       a search file: the search spaces, the fixed keys and the section ``sweep``
- ``fixed_keys``  what the keys that are not searched rule out, before the first trial
- ``samplers``   Optuna's samplers and pruners, and what they propose for a key
- ``storage``    the database with the study, which is all that workers share, and retries
- ``results``    the trials: progress, the best one, rows of a table, importance of each key
- ``worker``     one process that runs trials; each trial is a run directory
- ``processes``  the worker processes of this machine
"""
