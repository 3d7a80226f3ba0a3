"""Programs that make what ships with dlcli, its documentation and fixtures; each is a make target.

- ``train_rejection``      the network that tells digits from other things
- ``train_cuts``           the network that judges cuts between touching digits
- ``train_strings``        the same network further, on whole strings of digits
- ``fit_letters``          what tells numbers from letters on a page
- ``train_pretrained``     a model of MNIST further, on the handwriting of the world
- ``publish_pretrained``   the pretrained model and its card
- ``photograph_accuracy``  how many synthetic photographs a model reads
- ``number_accuracy``      how many numbers a model reads on synthetic pages
- ``pictures``             the pictures of the README
- ``generate_docs``        the generated parts of the documentation, and the model card
- ``vision_ablation``      what each rule and constant of ``dlcli.vision`` is worth
- ``generate_checkpoints`` runs that later versions must be able to read
- ``generate_oracle``      what PyTorch computes, for the tests to compare with
- ``lowest_versions``      the lowest versions of all dependencies

They draw their pictures with these modules, which the tests use too:

- ``photographs``          picture files of paper, pen, light and camera
- ``conditions``           kinds of photographs
- ``number_pages``         pages of numbers, with what is written where
- ``number_layout``        where the digits of such a page stand
- ``writers``              MNIST's digits that look as if one person had written them
- ``forms``                rules, squares and boxes that are printed on a page
- ``characters``           letters, digits and signs as strokes of a pen
- ``handwriting``          digits as the world writes them
- ``damages``              what goes wrong with strokes on paper and on screens
- ``scans``                digits and other marks in few pixels
- ``non_digits``           drawings of what is no digit
- ``shapes``               stars, faces, doodles and invented characters as strokes of a pen
"""
