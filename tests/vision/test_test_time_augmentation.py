"""Variants for test-time augmentation are close to the image."""

import numpy as np

from dlcli.vision.test_time_augmentation import tta_variants


def test_the_first_variant_is_the_image_and_the_others_are_similar(sample):
    pixels = sample.test.images[0]
    variants = tta_variants(pixels)
    assert variants.shape == (46, 784)
    assert (variants[0] == pixels).all()
    vectors = variants / np.linalg.norm(variants, axis=1, keepdims=True)
    assert (vectors @ vectors[0]).min() > 0.4
    unchanged = 1 + (1 * 3 + 1) * 5
    assert np.abs(variants[unchanged] - pixels.astype(int)).max() <= 1
