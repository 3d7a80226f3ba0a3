"""Programs that make what ships with dlcli, its documentation and fixtures; each is a make target.

- ``train_rejection``      the network that tells digits from other things
- ``publish_pretrained``   the pretrained model and its card
- ``photograph_accuracy``  how many synthetic photographs a model reads
- ``generate_readme``      the generated parts of the README, and the model card
- ``generate_checkpoints`` runs that later versions must be able to read
- ``generate_oracle``      what PyTorch computes, for the tests to compare with
- ``lowest_versions``      the lowest versions of all dependencies

They draw their pictures with these modules, which the tests use too:

- ``photographs``          picture files of paper, pen, light and camera
- ``conditions``           kinds of photographs
- ``characters``           letters, digits and signs as strokes of a pen
- ``non_digits``           drawings of what is no digit
"""
