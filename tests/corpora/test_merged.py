"""Several corpora as one."""

from __future__ import annotations

import pytest

from emotone.corpora import merge_corpora, protocol_folds, read_corpus
from emotone.emotions import FOUR_CLASSES
from emotone.errors import CorpusError, CorpusNotFoundError


@pytest.fixture
def folder(trees):
    return trees["crema-d"].parent


def test_open_four_joins_the_two_open_corpora_in_four_classes(folder):
    corpus = read_corpus("open-four", folder)
    assert corpus.classes == FOUR_CLASSES
    assert len(corpus.utterances) == 1086 + 1270 + 1269 + 1270 + 79 + 71 + 62 + 127
    assert corpus.licence == "ODbL-1.0 AND CC0-1.0"
    assert corpus.sentences_shared
    assert corpus.dropped["emodb: class boredom is not part of the task"] == 81


def test_ids_and_speakers_are_prefixed_and_sorted(folder):
    corpus = read_corpus("open-four", folder)
    ids = [utterance.id for utterance in corpus.utterances]
    assert ids == sorted(ids)
    assert all(utterance.id.startswith(("crema-d/", "emodb/")) for utterance in corpus.utterances)
    assert {"crema-d/1001", "emodb/03"} <= set(corpus.speakers)
    assert len(protocol_folds(corpus).folds) == 1


def test_one_corpus_twice_is_refused(folder):
    emodb = read_corpus("emodb", folder / "emodb")
    with pytest.raises(CorpusError, match="ids must be unique"):
        merge_corpora("both", [emodb, emodb], FOUR_CLASSES)


def test_a_missing_half_is_named(tmp_path):
    (tmp_path / "crema-d").mkdir()
    (tmp_path / "crema-d" / "1001_IEO_ANG_HI.wav").write_bytes(b"some bytes")
    with pytest.raises(CorpusNotFoundError, match="emodb does not exist"):
        read_corpus("open-four", tmp_path)
