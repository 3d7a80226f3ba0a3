"""Variants for test-time augmentation are close to the image."""

import numpy as np

from dlcli.vision.test_time_augmentation import FIRST_VARIANTS, tta_affine_maps, tta_variants


def test_the_first_variant_is_the_image_and_the_others_are_similar(sample):
    pixels = sample.test.images[0]
    variants = tta_variants(pixels)
    assert variants.shape == (46, 784)
    assert (variants[0] == pixels).all()
    vectors = variants / np.linalg.norm(variants, axis=1, keepdims=True)
    assert (vectors @ vectors[0]).min() > 0.4
    differences = np.abs(variants[1:] - pixels.astype(int)).max(axis=1)
    assert np.count_nonzero(differences <= 1) == 1  # not turned, scaled or shifted


def test_the_variants_are_all_combinations_and_the_first_ten_hold_each_turn_and_size_once():
    maps = tta_affine_maps()
    assert len(set(maps)) == len(maps) == 45
    turns_and_sizes = [(a, b) for a, b, *_ in maps]
    assert len(set(turns_and_sizes[: FIRST_VARIANTS - 1])) == len(set(turns_and_sizes)) == 9
