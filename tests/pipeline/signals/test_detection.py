import numpy as np
import pyarrow as pa
import pytest

from pipeline.signals.detection import languages_of, profiles
from pipeline.text import CodePoints


def languages(*texts: str) -> list[str]:
    text = CodePoints.of(pa.array(texts, pa.string()))
    return languages_of(text.points, text.starts[:-1], text.starts[1:])


def test_loads_every_profile_of_langdetect() -> None:
    import langdetect

    factory = langdetect.DetectorFactory()
    factory.load_profile(langdetect.PROFILES_DIRECTORY)
    known = profiles()
    assert sorted(known.names) == sorted(factory.get_lang_list())
    assert (known.keys > 0).sum() == len(factory.word_lang_prob_map)


def test_gains_are_the_odds_of_the_profiles() -> None:
    import langdetect

    factory = langdetect.DetectorFactory()
    factory.load_profile(langdetect.PROFILES_DIRECTORY)
    known = profiles()
    slot = int(np.flatnonzero(known.keys == (ord("t") << 32 | ord("h") << 16 | ord("e")))[0])
    owners = known.owners[known.firsts[slot] : known.firsts[slot] + known.counts[slot]]
    gains = known.gains[known.firsts[slot] : known.firsts[slot] + known.counts[slot]]
    odds = factory.word_lang_prob_map["the"]
    for name, gain in zip([known.names[owner] for owner in owners], gains, strict=True):
        assert gain == pytest.approx(np.log1p(odds[factory.langlist.index(name)] / 5e-5), rel=1e-5)


def test_the_prior_decides_where_nothing_else_does() -> None:
    assert languages("и и и и") == ["ru"]


def test_capitals_count_only_where_words_are_not_all_capitals() -> None:
    assert languages("DIE KINDER SPIELEN the children are playing in the garden") == ["en"]


def test_addresses_tell_no_language() -> None:
    assert languages("https://beispiel.de/die/kinder/spielen/im/garten the children") == ["en"]
    assert languages("die.kinder@spielen.im.garten.de the children are playing") == ["en"]


def test_rare_latin_words_do_not_count_in_another_script() -> None:
    assert languages("Откройте файл readme и прочитайте его полностью до конца") == ["ru"]


def test_nothing_is_said_of_texts_without_letters() -> None:
    assert languages("", "123 !?", "\U0010ffff") == ["", "", ""]
    assert languages() == []
