"""The readers on the real recordings beside the checkout."""

from __future__ import annotations

from collections import Counter

import pytest

from emotone.corpora import protocol_folds, read_corpus
from emotone.corpora.check import RELEASES, check

pytestmark = pytest.mark.corpora

SIZES = {
    "emodb": ("emodb", 535, 10),
    "crema-d": ("crema-d", 7435, 91),
    "crema-d-imbalanced": ("crema-d", 2254, 5),
    "emogator": ("emogator", 2499, 5),
    "ravdess": ("ravdess", 1439, 24),
    "nemo": ("nemo", 4481, 9),
    "open-four": (".", 5234, 1),
}


@pytest.mark.parametrize("name", SIZES)
def test_every_recording_but_the_known_traps_is_read(corpora_dir, name):
    folder, size, _ = SIZES[name]
    corpus = read_corpus(name, corpora_dir / folder)
    assert len(corpus.utterances) == size
    assert name == "emogator" or all(utterance.sex is not None for utterance in corpus.utterances)
    assert len(protocol_folds(corpus).hash) == 12


def test_nearly_all_of_emodb_is_aligned(corpora_dir):
    corpus = read_corpus("emodb", corpora_dir / "emodb", phonemes=True)
    aligned = [utterance for utterance in corpus.utterances if utterance.phonemes]
    assert len(aligned) == 533
    phones = Counter(phone for utterance in aligned for phone in utterance.phonemes)
    assert phones.most_common(2)[0][0] in ("I", "n")
    assert not any(phone.startswith(("!", "-", "+")) for phone in phones)


@pytest.mark.parametrize("name", ["emodb", "crema-d", "emogator", "ravdess", "nemo"])
def test_the_names_here_are_the_official_ones(corpora_dir, name):
    report = check(name, corpora_dir / name, quick=True)
    assert report.ok, report
    assert report.n_files == RELEASES[name].n_files


@pytest.mark.parametrize("name", ["emodb", "ravdess"])
def test_a_release_with_only_its_known_traps_is_in_order(corpora_dir, name):
    report = check(name, corpora_dir / name)
    assert report.ok, report
    assert len(report.traps) == len(RELEASES[name].traps)


@pytest.mark.slow
def test_the_silent_and_conflicting_recordings_of_crema_d_are_met_by_ear(corpora_dir):
    report = check("crema-d", corpora_dir / "crema-d")
    assert report.ok, report
    assert len(report.traps) == 4
