"""Train the pretrained model further, on the world's handwriting beside MNIST's.

From a run of ``configs/best.yaml``, or from the pretrained model itself. It learns MNIST's training
images, without those that validated the run, digits of ``tools.handwriting``, and digits as
``dlcli predict`` finds them on synthetic photographs. Writes a run, which ``tools.publish_pretrained``
publishes. Takes about 20 minutes on two cores.

    make pretrained
"""
