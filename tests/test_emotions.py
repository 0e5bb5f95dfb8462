"""Labels: an open vocabulary, synonyms, rules of the user's own."""

from __future__ import annotations

import pytest

from emotone.emotions import (
    EMOTIONS,
    FOUR_CLASSES,
    LONGEST_NAME,
    SYNONYMS,
    canonical,
    hints,
    map_labels,
    parse_classes,
    parse_rules,
    require_present,
    resolve_labels,
)
from emotone.errors import UnknownEmotionError


def test_every_synonym_leads_to_the_vocabulary_and_none_hides_a_name_of_it() -> None:
    assert set(SYNONYMS.values()) <= set(EMOTIONS)
    assert not set(SYNONYMS) & set(EMOTIONS)


@pytest.mark.parametrize(
    ("written", "label"),
    [
        ("HAPPY", "happiness"),
        ("pleasant_surprise", "surprise"),
        ("fea", "fear"),
        ("Stressed", "Stressed"),
        ("müde", "müde"),
        (" wütend oder laut ", "wütend oder laut"),
    ],
)
def test_synonyms_are_replaced_and_other_names_kept_as_they_are(written: str, label: str) -> None:
    assert canonical(written) == label


@pytest.mark.parametrize("written", ["", "  ", "a\nb", "x" * (LONGEST_NAME + 1), "\x00"])
def test_a_name_that_cannot_be_printed_is_refused(written: str) -> None:
    with pytest.raises(UnknownEmotionError, match="expected 1 to 60 printable characters"):
        canonical(written)


def test_a_rule_comes_before_a_synonym_and_its_target_may_be_one() -> None:
    assert resolve_labels(["happy", "joy", "annoyed"], {"joy": "delight", "Annoyed": "angry"}) == {
        "happy": "happiness",
        "joy": "delight",
        "annoyed": "anger",
    }


def test_a_rule_for_a_synonym_reaches_corpora_that_have_only_the_canonical_name() -> None:
    assert resolve_labels(["happiness", "anger"], {"happy": "positive"}) == {
        "happiness": "positive",
        "anger": "anger",
    }


@pytest.mark.parametrize("text", ["annoyed", "annoyed=", "=anger", "a=b,,", "a=b,a=c"])
def test_a_rule_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UnknownEmotionError, match="rule"):
        parse_rules(text)


@pytest.mark.parametrize("text", ["anger", "", "anger,angry"])
def test_fewer_than_two_classes_are_refused(text: str) -> None:
    with pytest.raises(UnknownEmotionError):
        parse_classes(text)


def test_four_stands_for_the_four_classes() -> None:
    assert parse_classes("four") == FOUR_CLASSES


def test_a_class_that_is_absent_is_named_with_the_nearest() -> None:
    with pytest.raises(
        UnknownEmotionError, match="no class 'stresed'; did you mean 'stressed'\\? it has calm, stressed"
    ):
        require_present(["stresed"], ["stressed", "calm"], "corpus mine")


def test_names_that_differ_only_in_case_are_pointed_out() -> None:
    assert hints(["Stressed", "stressed"]) == ["'Stressed' and 'stressed' are different classes; join them with --map"]


def test_a_models_own_spelling_of_a_class_is_met_by_its_synonym() -> None:
    mapping = map_labels(["happiness", "happy", "stressed"], ["happy", "stressed"])
    assert mapping.labels == ("happy", "happy", "stressed")
