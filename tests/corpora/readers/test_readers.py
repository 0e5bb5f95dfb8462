"""The readers, on trees that hold every official name."""

from __future__ import annotations

import shutil
from collections import Counter

import pytest

from corpora.made_trees import RELEASES, make_tree, official_ids, place
from emotone.corpora import CORPUS_NAMES, read_corpus
from emotone.corpora.readers import crema_d, emodb
from emotone.corpora.release import DUPLICATE, EMPTY, OUTSIDE, UNNAMED
from emotone.emotions import FOUR_CLASSES
from emotone.errors import CorpusError, CorpusNotFoundError


@pytest.mark.parametrize("name", RELEASES)
def test_a_whole_release_gives_the_official_counts(trees, name):
    release = RELEASES[name]
    corpus = read_corpus(name, trees[name])
    assert len(corpus.speakers) == release.n_speakers
    assert corpus.classes == release.classes
    counts = Counter(utterance.emotion for utterance in corpus.utterances)
    dropped = Counter(recording for trap in release.traps for recording in trap.dropped)
    assert len(corpus.utterances) + len(dropped) == release.n_files == len(official_ids(name))
    assert all(0 <= release.counts[emotion] - counts[emotion] <= 2 for emotion in release.classes)
    assert sum(corpus.dropped.values()) == len(dropped)


@pytest.mark.parametrize("name", RELEASES)
def test_utterances_come_in_the_order_of_their_ids(trees, name):
    ids = [utterance.id for utterance in read_corpus(name, trees[name]).utterances]
    assert ids == sorted(ids)


def test_any_audio_suffix_is_accepted(tmp_path):
    wav = read_corpus("savee", make_tree("savee", tmp_path / "wav"))
    opus = read_corpus("savee", make_tree("savee", tmp_path / "opus", suffix=".OPUS"))
    assert [utterance.id for utterance in wav.utterances] == [utterance.id for utterance in opus.utterances]


def test_the_official_places_are_those_of_the_documentation():
    assert place("savee", "DC_a01") == "AudioData/DC/a01"
    assert place("tess", "OAF_back_angry") == "OAF_angry/OAF_back_angry"
    assert place("emovo", "dis-f1-b1") == "f1/dis-f1-b1"
    assert place("urdu", "SM1_F1_A01") == "Angry/SM1_F1_A01"
    assert {"dis-f1-b1", "neu-m3-n5"} <= set(official_ids("emovo"))
    assert {"SM1_F1_A01", "SM7_F28_H0100", "SM5_F10_N038"} <= set(official_ids("urdu"))


def test_savee_in_one_flat_folder_is_the_same_corpus(tmp_path):
    flat = tmp_path / "ALL"
    flat.mkdir()
    for recording in official_ids("savee"):
        (flat / f"{recording}.wav").write_bytes(b"some bytes")
    assert [utterance.id for utterance in read_corpus("savee", flat).utterances] == official_ids("savee")


def test_crema_d_drops_the_silent_recording_and_both_of_each_conflicting_pair(trees):
    corpus = read_corpus("crema-d", trees["crema-d"])
    ids = {utterance.id for utterance in corpus.utterances}
    assert corpus.dropped == {crema_d.SILENT: 1, crema_d.CONFLICTING: 6}
    assert not ids & {"1076_MTI_SAD_XX", "1006_TIE_HAP_XX", "1006_TIE_NEU_XX", "1017_IWW_ANG_XX"}
    assert {utterance.sex for utterance in corpus.utterances} == {"female", "male"}


def test_crema_d_without_demographics_has_no_sexes(trees):
    assert {utterance.sex for utterance in crema_d.read(trees["crema-d"] / "AudioWAV").utterances} <= {
        "female",
        "male",
    }
    shutil.move(trees["crema-d"] / "VideoDemographics.csv", trees["crema-d"] / "elsewhere.csv")
    try:
        assert {utterance.sex for utterance in crema_d.read(trees["crema-d"]).utterances} == {None}
    finally:
        shutil.move(trees["crema-d"] / "elsewhere.csv", trees["crema-d"] / "VideoDemographics.csv")


def test_the_imbalanced_cut_has_the_published_size_and_proportions(trees):
    corpus = read_corpus("crema-d-imbalanced", trees["crema-d"])
    counts = Counter(utterance.emotion for utterance in corpus.utterances)
    assert corpus.name == "crema-d-imbalanced"
    assert corpus.classes == FOUR_CLASSES
    assert counts == {"neutral": 1086, "sadness": 601, "anger": 286, "happiness": 281}
    assert len(corpus.speakers) == 91


def test_the_imbalanced_cut_keeps_the_lowest_hashes(trees):
    from hashlib import sha256

    whole = read_corpus("crema-d", trees["crema-d"])
    kept = {utterance.id for utterance in read_corpus("crema-d-imbalanced", trees["crema-d"]).utterances}
    anger = {utterance.id for utterance in whole.utterances if utterance.emotion == "anger"}
    highest_kept = max(sha256(name.encode()).hexdigest() for name in anger & kept)
    assert all(sha256(name.encode()).hexdigest() > highest_kept for name in anger - kept)


def test_ravdess_keeps_the_first_of_the_two_identical_recordings(trees):
    ids = {utterance.id for utterance in read_corpus("ravdess", trees["ravdess"]).utterances}
    assert "03-01-03-01-02-01-07" in ids
    assert "03-01-03-01-02-02-07" not in ids


def test_odd_actors_of_ravdess_are_men(trees):
    sexes = {utterance.speaker: utterance.sex for utterance in read_corpus("ravdess", trees["ravdess"]).utterances}
    assert sexes["07"] == "male"
    assert sexes["24"] == "female"


def test_only_the_listed_part_of_emogator_is_read(trees, tmp_path):
    corpus = read_corpus("emogator", trees["emogator"])
    assert Counter(utterance.emotion for utterance in corpus.utterances) == dict.fromkeys(corpus.classes, 357)
    assert {utterance.sex for utterance in corpus.utterances} == {None}
    for name in ("000001-03-1", "000001-03-2", "000001-01-1"):
        (tmp_path / f"{name}.mp3").write_bytes(b"some bytes")
    whole = read_corpus("emogator", tmp_path)
    assert [(one.id, one.emotion, one.speaker) for one in whole.utterances] == [("000001-03-1", "anger", "000001")]
    assert whole.dropped == {OUTSIDE: 1, UNNAMED: 1}


def test_white_space_in_the_table_of_nemo_is_taken_off(trees):
    corpus = read_corpus("nemo", trees["nemo"])
    assert corpus.speakers == ("EB0", "IC0", "KD0", "KS0", "MK0", "MP0", "SM0", "TP0", "WR0")
    assert corpus.utterances[0].text == "Zdanie 1."


def test_nemo_without_its_table_is_an_error_that_names_it(tmp_path):
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "WR0_fear_1.wav").write_bytes(b"some bytes")
    with pytest.raises(CorpusNotFoundError, match=r"data\.tsv"):
        read_corpus("nemo", tmp_path)


def test_a_recording_without_a_row_in_the_table_is_left_out_and_counted(trees, tmp_path):
    (tmp_path / "samples").mkdir()
    for recording in ("WR0_fear_1", "WR0_fear_2"):
        (tmp_path / "samples" / f"{recording}.wav").write_bytes(b"some bytes")
    lines = (trees["nemo"] / "data.tsv").read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if not line.startswith("WR0_fear_2.")]
    (tmp_path / "data.tsv").write_text("\n".join(kept), encoding="utf-8")
    corpus = read_corpus("nemo", tmp_path)
    assert [utterance.id for utterance in corpus.utterances] == ["WR0_fear_1"]
    assert corpus.dropped == {"no row in data.tsv": 1}


def test_the_misnamed_file_of_tess_belongs_to_the_older_speaker(tmp_path):
    for name in ("OAF_neutral/OA_bite_neutral.wav", "YAF_neutral/YAF_bite_neutral.wav"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"some bytes")
    corpus = read_corpus("tess", tmp_path)
    assert [(utterance.id, utterance.speaker) for utterance in corpus.utterances] == [
        ("OAF_bite_neutral", "OAF"),
        ("YAF_bite_neutral", "YAF"),
    ]


def test_phones_of_emodb_leave_out_closures_releases_and_events(tmp_path):
    (tmp_path / "wav").mkdir()
    (tmp_path / "lablaut").mkdir()
    for take in ("03a01Fa", "03a01Nc"):
        (tmp_path / "wav" / f"{take}.wav").write_bytes(b"some bytes")
    rows = [
        "signal x",
        "nfields 1",
        "#",
        " 0.1 -1 _t",
        " 0.2 -1 !t\t+asp",
        " 0.3 -1 a\t+nas",
        " 0.4 -1 \t+hoe",
        " 0.5 -1 m",
    ]
    (tmp_path / "lablaut" / "03a01Faxx.lablaut").write_text("\n".join(rows), encoding="latin-1")
    first, second = emodb.read(tmp_path, phonemes=True).utterances
    assert first.phonemes == ("_t", "a", "m")
    assert second.phonemes is None
    assert emodb.read(tmp_path).utterances[0].phonemes is None


def test_empty_strange_and_repeated_files_are_left_out_and_counted(tmp_path):
    for name in ("wav/03a01Fa.wav", "copy/03a01Fa.flac", "wav/hello.wav", "wav/._03a01Wa.wav", "wav/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"some bytes")
    (tmp_path / "wav" / "03a01Wa.wav").touch()
    corpus = read_corpus("emodb", tmp_path)
    assert [utterance.id for utterance in corpus.utterances] == ["03a01Fa"]
    assert corpus.dropped == {EMPTY: 1, UNNAMED: 1, DUPLICATE: 1}


def test_a_folder_of_another_corpus_is_refused_with_what_was_found(trees):
    with pytest.raises(CorpusNotFoundError, match=r"wav/03a01Fa\.wav.*AudioWAV/"):
        read_corpus("emodb", trees["crema-d"])


@pytest.mark.parametrize("name", [name for name in CORPUS_NAMES if name != "manifest"])
def test_an_absent_folder_is_refused_by_every_reader(name, tmp_path):
    with pytest.raises(CorpusNotFoundError, match="does not exist"):
        read_corpus(name, tmp_path / "nowhere")


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(CorpusNotFoundError, match="is a file"):
        read_corpus("ravdess", tmp_path / "file")


def test_unknown_names_and_options_are_refused_with_what_there_is(tmp_path):
    with pytest.raises(CorpusError, match="expected one of crema-d"):
        read_corpus("kremlin-d", tmp_path)
    with pytest.raises(CorpusError, match="no option phones; it has phonemes"):
        read_corpus("emodb", tmp_path, phones=True)


def test_a_loop_of_links_ends(tmp_path):
    (tmp_path / "wav").mkdir()
    (tmp_path / "wav" / "03a01Fa.wav").write_bytes(b"some bytes")
    (tmp_path / "wav" / "again").symlink_to(tmp_path)
    assert len(read_corpus("emodb", tmp_path).utterances) == 1
