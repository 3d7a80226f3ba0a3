"""Lessons: an idea of deep learning as an experiment to run, to watch and to change.

A lesson is a YAML file with Markdown in it: what to train, what to measure, what is claimed.
``docs/lessons.md`` is for those who write one. The modules, in reading order:

- ``files/``       the lessons that come with dlcli, in order
- ``schema``       what a lesson file holds
- ``document``     a YAML document against that schema, with the line of each problem
- ``catalog``      the lessons that come with dlcli, found by their names and numbers
- ``reader``       lesson files: read and checked
- ``formulas``     arithmetic, comparisons and measures, read safely
- ``measures``     what can be measured of a network
- ``kinds``        what some lessons do besides training
- ``by_hand``      backpropagation through a network so small that every number can be followed
- ``by_hand_figures``  the names of those numbers
- ``data``         the images of an experiment
- ``experiments``  the networks: trained side by side, then measured
- ``predictions``  what a network says of images, and how often it is right
- ``engine``       a lesson run: figures, claims, charts
- ``texts``        figures in texts, and Markdown
- ``terminal``     charts and pictures in a terminal
"""
