"""Word2vec over phonemes."""

from __future__ import annotations

import torch

from emotone.features.phonemes import PhonemeVocabulary
from emotone.models.earlier.word2vec import learn_embedding, skip_gram_pairs


def two_languages(n=300, length=12, seed=0):
    """Sequences over {2, 3, 4} or over {5, 6, 7}, never over both."""
    generator = torch.Generator().manual_seed(seed)
    sequences = torch.randint(2, 5, (n, length), generator=generator)
    sequences[n // 2 :] += 3
    return sequences


def test_symbols_that_stand_together_get_vectors_that_point_together():
    vectors = learn_embedding(two_languages(), n_symbols=10, size=8, window=3, negatives=1, epochs=10)
    directions = torch.nn.functional.normalize(vectors[2:8], dim=1)
    likeness = directions @ directions.T
    within = torch.cat([likeness[:3, :3].flatten(), likeness[3:, 3:].flatten()])
    assert float(within.mean()) > float(likeness[:3, 3:].mean()) + 0.5


def test_what_was_never_seen_and_the_padding_stay_at_zero():
    vectors = learn_embedding(two_languages(n=20), n_symbols=10, size=8, epochs=1)
    assert not vectors[[0, 1, 8, 9]].any()
    assert vectors[2:8].any(dim=1).all()


def test_one_seed_gives_the_same_vectors_bit_for_bit():
    first, second, third = (
        learn_embedding(two_languages(n=20), n_symbols=10, size=4, epochs=1, seed=s) for s in (1, 1, 2)
    )
    assert torch.equal(first, second)
    assert not torch.equal(first, third)


def test_pairs_stay_within_window_and_utterance():
    pairs = skip_gram_pairs(torch.tensor([[2, 3, 4, 0], [5, 0, 0, 0]]), window=1)
    assert sorted(map(tuple, pairs.tolist())) == [(2, 3), (3, 2), (3, 4), (4, 3)]


def test_phonemes_that_no_training_speaker_said_share_one_number():
    vocabulary = PhonemeVocabulary.learn([["a", "b", "a"], ["c"]], limit=4)
    assert vocabulary.symbols == ("a", "b")
    assert vocabulary.encode([["a", "c", "x"], ["b"], None]).tolist() == [[2, 1, 1], [3, 0, 0], [1, 0, 0]]
