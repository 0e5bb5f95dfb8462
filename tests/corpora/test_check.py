"""The check of a corpus against its official release."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from corpora.iemocap_tree import write_wav
from corpora.made_trees import RELEASES, make_tree, official_ids
from emotone.corpora.check import CHECKED_NAMES, check
from emotone.corpora.check import RELEASES as CHECKED_RELEASES
from emotone.errors import CorpusError, CorpusNotFoundError


@pytest.fixture(scope="module")
def whole_emodb(tmp_path_factory):
    return make_tree("emodb", tmp_path_factory.mktemp("emodb"), audible=True)


@pytest.fixture
def emodb(whole_emodb, tmp_path):
    return shutil.copytree(whole_emodb, tmp_path / "emodb")


@pytest.mark.parametrize("name", RELEASES)
def test_a_whole_release_is_in_order_by_name(trees, name):
    report = check(name, trees[name], quick=True)
    assert report.ok, report
    assert report.n_files == report.n_official == RELEASES[name].n_files
    assert report.official == RELEASES[name].counts
    assert report.hours is None
    assert not report.decoded


def test_every_release_is_checked():
    assert set(CHECKED_RELEASES) == set(RELEASES)
    assert set(CHECKED_NAMES) == {*RELEASES, "iemocap", "manifest"}


def test_a_whole_release_is_in_order_by_ear(emodb):
    seen = []
    report = check("emodb", emodb, progress=lambda done, total: seen.append((done, total)))
    assert report.ok, report
    assert report.hours == pytest.approx(535 * 0.05 / 3600)
    assert seen[-1] == (535, 535)
    assert len(report.speakers) == 10
    assert sum(report.classes.values()) == 535


def test_it_says_exactly_what_is_missing_extra_empty_silent_duplicated_and_unreadable(emodb):
    wav = emodb / "wav"
    (wav / "03a01Fa.wav").unlink()
    (wav / "03a01Ff.wav").write_bytes((wav / "03a01Nc.wav").read_bytes())
    shutil.copy(wav / "03a01Wa.wav", wav / "notes.flac")
    (emodb / "copy").mkdir()
    shutil.copy(wav / "03a02Fc.wav", emodb / "copy")
    (wav / "03a02Nc.wav").write_bytes(b"")
    write_wav(wav / "03a02Ta.wav", np.zeros(800))
    (wav / "03a02Wb.wav").write_bytes(b"this is no sound")
    report = check("emodb", emodb)
    assert report.missing == ("03a01Fa",)
    assert report.extra == ("03a01Ff", "wav/notes.flac", "wav/03a02Fc.wav (a second 03a02Fc)")
    assert report.empty == ("03a02Nc",)
    assert report.silent == ("03a02Ta",)
    assert report.duplicated == (("03a01Ff", "03a01Nc"),)
    assert [name for name, _ in report.unreadable] == ["03a02Wb"]
    assert not report.ok


def test_one_recording_in_two_formats_is_a_duplicate(emodb):
    from av import AudioFrame
    from av import open as open_av

    rng = np.random.default_rng(1)
    samples = (rng.normal(0, 0.1, 1600) * 32767).astype(np.int16)
    write_wav(emodb / "wav" / "03a01Fa.wav", samples / 32767)
    (emodb / "wav" / "03a01Nc.wav").unlink()
    with open_av(str(emodb / "wav" / "03a01Nc.flac"), "w") as container:
        stream = container.add_stream("flac", rate=16_000, layout="mono")
        frame = AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate = 16_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert check("emodb", emodb).duplicated == (("03a01Fa", "03a01Nc"),)


def test_known_traps_do_no_harm_and_are_named_where_they_are_met(tmp_path):
    root = make_tree("ravdess", tmp_path, audible=True)
    assert check("ravdess", root).traps == ()
    actor = root / "Audio_Speech_Actors_01-24" / "Actor_07"
    shutil.copy(actor / "03-01-03-01-02-01-07.wav", actor / "03-01-03-01-02-02-07.wav")
    report = check("ravdess", root)
    assert report.ok, report
    assert len(report.traps) == 1
    assert "03-01-03-01-02-02-07" in report.traps[0]


def test_a_trap_excuses_no_other_recording(tmp_path):
    for stem in ("03-01-03-01-02-01-07", "03-01-03-01-02-02-07", "03-01-03-01-01-01-07"):
        write_wav(tmp_path / f"{stem}.wav", np.random.default_rng(0).normal(0, 0.1, 800))
    report = check("ravdess", tmp_path)
    assert report.duplicated == (("03-01-03-01-01-01-07", "03-01-03-01-02-01-07", "03-01-03-01-02-02-07"),)
    assert report.traps == ()


def test_a_word_that_tess_lacks_once_is_told_from_its_other_emotions(tmp_path):
    root = make_tree("tess", tmp_path)
    lost = next(name for name in official_ids("tess") if name.startswith("YAF") and name.endswith("_ps"))
    (root / "YAF_ps" / f"{lost}.wav").unlink()
    report = check("tess", root, quick=True)
    assert report.missing == (lost,)
    assert not report.differences


def test_a_word_that_tess_lacks_altogether_is_told_by_the_count(tmp_path):
    root = make_tree("tess", tmp_path)
    for path in root.rglob("*_ban_*.wav"):
        path.unlink()
    report = check("tess", root, quick=True)
    assert report.differences == ("2786 of 2800 official names can be derived from the files that are there",)


def test_a_manifest_is_checked_for_absent_empty_and_repeated_recordings(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("a.wav", "b.wav"):
        write_wav(tmp_path / name, rng.normal(0, 0.1, 1600))
    shutil.copy(tmp_path / "a.wav", tmp_path / "same.wav")
    (tmp_path / "empty.wav").touch()
    rows = ["path,emotion,speaker,start,end"]
    rows += [f"{name}.wav,anger,{name},," for name in ("a", "b", "same", "empty", "gone")]
    rows += ["b.wav,sad,b,0.05,"]
    (tmp_path / "mine.csv").write_text("\n".join(rows))
    report = check("manifest", tmp_path / "mine.csv")
    assert report.missing == ("gone.wav",)
    assert report.empty == ("empty.wav",)
    assert report.duplicated == (("a.wav", "same.wav"),)
    assert report.hours == pytest.approx(0.35 / 3600)
    assert report.n_official is None


def test_a_corpus_that_is_cut_from_others_says_what_to_check(tmp_path):
    with pytest.raises(CorpusError, match="check crema-d and emodb"):
        check("open-four", tmp_path)
    with pytest.raises(CorpusNotFoundError, match="wav/03a01Fa"):
        check("emodb", tmp_path)
