"""The command line: one thin Click command in each file, which parses, calls and prints.

- ``main``     the command group; errors become messages and exit codes here
- ``options``  options and arguments that several commands share
- ``output``   what commands print: results to stdout, everything else to stderr
- ``help``     help texts with options in groups
- ``hints``    what to type instead, where the usage is wrong
- ``completion``  what shells offer to complete a word
- ``layout``   lines and tables that fit a terminal
- ``loading``  what commands load: models, datasets and optional extras
- ``pictures``  what commands that take pictures share
- ``learning_rate``  what ``dlcli train --find-learning-rate`` does and shows
- ``cross_validation``  what ``dlcli eval --folds`` does and shows

The other modules are named after their commands; ``sweep_report`` is ``dlcli sweep report``,
``data_audit`` ``dlcli data audit``.
``train_progress``, ``sweep_progress``, ``lesson_progress`` and ``download_progress`` show what is
being done.
"""
