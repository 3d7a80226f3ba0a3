"""Hyperparameter search on Optuna (the extra ``sweep``), on one machine or many.

- ``space``     what may be searched: ranges and choices, checked as strictly as a config
- ``plan``      a search file: the space, the fixed keys and the settings of the search
- ``samplers``  who proposes the next trial, and who cuts it short
- ``storage``   the database that is the only thing workers share
- ``tickets``   which trial a worker takes next; none is lost, none done twice
- ``worker``    one process that does one trial after the other, each a run directory
- ``sweep``     the processes of this machine, and how the study stands
- ``results``   the best trial and the table of all
- ``report``    what was learned, as one page
"""
