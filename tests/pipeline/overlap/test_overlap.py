import json
import pickle
import random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.overlap.matches import match
from pipeline.overlap.questions import Question, Questions, identity, read
from pipeline.overlap.seeds import PIECE
from pipeline.signals.overlap import Overlap
from schemas.errors import SourceError

STEMS = (
    "在农业生产中被当作极其重要的劳动对象发挥作用，最主要的不可替代的基本生产资料是",
    "19世纪中期以后，中国市场上的洋货日益增多，火柴、洋布等日用品，虽穷乡僻壤，求之于市，必有所供。这种状况表明",
    "现代化养猪生产，可使繁殖力高的母猪年提供肉猪达到多少头以上",
    "沿江高铁某段由西向东设置了五个站点，已知扶夷站在灏韵站之东、胡瑶站之西，并与胡瑶站相邻，则灏韵站是第几站",
    "沿江高铁某段由西向东设置了五个站点，已知扶夷站在灏韵站之东、胡瑶站之西，并与胡瑶站相邻，则韮上站是第几站",
    "根据《中华人民共和国食品安全法》的规定，食品生产经营人员应当进行健康检查的频率是每多少个月一次",
)
OPTIONS = "A. 土地使用权\nB. 农业生产工具的折旧\nC. 劳动力市场价格\nD. 流动资金周转率"
GENERAL = Question("general", "b", "下列说法正确的是", OPTIONS)
PROSE = "春天的早晨，城里的人们陆续走上街头，卖早点的铺子冒着热气，孩子们背着书包三三两两地往学校走去。"


def compiled(*more: Question) -> Questions:
    rest = [Question(f"q{n}", "b", text, "") for n, text in enumerate(STEMS)]
    # What many questions share says little, so there must be many.
    noise = [Question(f"n{n}", "b", f"第{n}题：下列说法正确的是，请从以下各项中选出第{n}种", "") for n in range(60)]
    return Questions.of([*rest, *noise, *more])


QUESTIONS = compiled(GENERAL)


def found(text: str, questions: Questions = QUESTIONS) -> dict[str, tuple[float, str]]:
    matches = match(questions, pa.array([PROSE, text]))
    assert (matches.rows == 1).all()
    return {
        questions.questions[q].id: (score, text[a:b])
        for q, score, a, b in zip(matches.questions, matches.scores, matches.starts, matches.ends, strict=True)
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{PROSE}\n{STEMS[0]}\n{PROSE}", {"q0"}),
        (f"{PROSE}3．{STEMS[0].replace('，', ' , ')}（　　）\nA. 土地", {"q0"}),
        ("　".join(STEMS[1]), {"q1"}),
        (STEMS[1].translate(str.maketrans("19", "１９")).replace("，", ","), {"q1"}),
        ("在農業生產中被當作極其重要的勞動對象發揮作用，最主要的不可替代的基本生產資料是", {"q0"}),
        (PROSE + STEMS[1][: len(STEMS[1]) // 2] + PROSE, {"q1"}),
        (STEMS[0].replace("极其重要", "非常要紧").replace("发挥", "起"), {"q0"}),
        (f"{STEMS[0]}{PROSE}{STEMS[5]}", {"q0", "q5"}),
        # Of two that are made from one another, the one that is there.
        (STEMS[3], {"q3"}),
        (STEMS[4], {"q4"}),
        # Stock phrases, names of laws, and the words of a question without the question.
        ("下列说法正确的是", set()),
        ("请从以下各项中选出，下列说法正确的是，请从以下各项中选出", set()),
        ("根据《中华人民共和国食品安全法》的规定，国务院设立食品安全委员会，其职责由国务院规定。", set()),
        ("农业生产中最重要的是劳动对象，土地是不可替代的，资料很多。", set()),
        (f"下列说法正确的是\n{OPTIONS}", {"general"}),
        (
            "下列说法正确的是（　　）\nA、流动资金周转率　B、劳动力市场价格\nC、土地使用权　D、农业生产工具的折旧",
            {"general"},
        ),
        (OPTIONS, set()),
        (f"下列说法正确的是\n{OPTIONS[:9]}\nB. 别的\nC. 也不是它\nD. 都不对", set()),
        (f"下列说法正确的是\n{PROSE}", set()),
        ("", set()),
        ("短", set()),
    ],
)
def test_what_is_found_and_what_is_not(text, expected):
    assert set(found(text)) == expected


def test_spans_are_those_of_the_text_as_it_stands():
    text = f"{PROSE}　“{STEMS[0][:12]}……{STEMS[0][12:]}”{PROSE}"
    ((score, there),) = found(text).values()
    assert score == 1.0
    assert there == text[len(PROSE) + 2 : -len(PROSE) - 1]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(STEMS), st.sampled_from([0, 0.03, 0.06]))
def test_a_planted_question_is_found_under_random_edits(seed, stem, rate):
    dice = random.Random(seed)
    chars = []
    for char in stem:
        if dice.random() >= rate:
            chars.append(char)
            continue
        chars += dice.choice([[], [dice.choice(PROSE)], [char, dice.choice(PROSE)]])
    hits = found(PROSE * dice.randrange(4) + "".join(chars) + PROSE)
    number = STEMS.index(stem)
    # Two stems differ in one word: under edits either may fit better.
    assert hits.keys() & ({"q3", "q4"} if number in (3, 4) else {f"q{number}"})


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 3000))
def test_unrelated_text_holds_no_question(seed, length):
    dice = np.random.default_rng(seed)
    assert not found("".join(map(chr, dice.integers(0x4E00, 0x5200, length))))


def test_a_result_depends_on_its_own_text_alone():
    texts = [STEMS[0], PROSE, STEMS[3], "", STEMS[1] * 2]
    whole = match(QUESTIONS, pa.array(texts))
    for row, text in enumerate(texts):
        alone = match(QUESTIONS, pa.array([text]))
        here = whole.rows == row
        for name in ("questions", "starts", "ends", "scores"):
            assert getattr(alone, name).tolist() == getattr(whole, name)[here].tolist()


@pytest.mark.parametrize("text", ["的" * 1_000_000, "，。" * 500_000, STEMS[0] * 3000, "😀" * 100_000, PROSE * 20_000])
def test_long_and_monotonous_texts_take_no_longer_than_others(text):
    hits = set(found(text))
    assert hits == ({"q0"} if text.startswith(STEMS[0]) else set())


@pytest.mark.parametrize("marks", ["e\u0301" * 40, "\u1112\u1161\u11ab" * 40, "か\u3099" * 40, "ﷺ" * 9, "́" * 50])
def test_spans_hold_behind_characters_that_join_or_grow(marks):
    ((_, there),) = found(f"{marks}。{STEMS[0]}{marks}").values()
    assert there.rstrip("\u0301") == STEMS[0]


def test_every_place_of_a_question_is_told_once_wherever_pieces_of_a_text_end():
    around = PROSE * (PIECE // len(PROSE) + 2)
    text = around[: PIECE + 20] + STEMS[0] + around[:3000] + STEMS[0]
    assert len(match(QUESTIONS, pa.array([STEMS[0] * 3])).rows) == 3
    for shift in (0, 18, 30):
        matches = match(QUESTIONS, pa.array([text[shift:]]))
        assert [text[shift:][a:b] for a, b in zip(matches.starts, matches.ends, strict=True)] == [STEMS[0]] * 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("下列说法正确的是", set()),
        ("下列关于细胞的叙述中，不正确的一项是", set()),
        ("登录之前要先做身份验证。Authentication is not authorization.", set()),
        (STEMS[0], {"once", "again"}),
        (f"下列关于细胞的叙述中，不正确的一项是\n{OPTIONS}", {"cells"}),
    ],
)
def test_few_questions_are_enough_to_know_stock_phrases_and_repeated_questions(text, expected):
    few = Questions.of(
        [
            GENERAL,
            Question("cells", "b", "下列关于细胞的叙述中，不正确的一项是", OPTIONS),
            Question("login", "b", "下面哪一个情景属于身份验证（Authentication）过程", ""),
            Question("once", "b", STEMS[0], ""),
            Question("again", "b", STEMS[0], ""),
        ]
    )
    assert set(found(text, few)) == expected


def test_a_text_that_repeats_what_a_question_repeats_costs_no_more_than_its_length():
    questions = Questions.of([*(Question(f"q{n}", "b", f"{n}" + "哈" * 200 + STEMS[n % 5], "") for n in range(30))])
    assert found("哈" * 300_000, questions).keys() <= {f"q{n}" for n in range(30)}


def test_questions_that_say_too_little_are_left_out_and_counted():
    questions = Questions.of(
        [Question("a", "b", "是", ""), Question("b", "b", STEMS[0], ""), Question("c", "b", "", "")]
    )
    assert ([question.id for question in questions.questions], questions.left_out) == (["b"], 2)
    assert len(match(Questions.of([]), pa.array([STEMS[0]])).rows) == 0
    assert len(match(questions, pa.array([], pa.string())).rows) == 0


ROWS = [
    {"bench_id": "x/1", "benchmark": "cmmlu", "question": STEMS[0], "options": ["A. 土地", "B. 资金"]},
    {"id": 2, "text": STEMS[1] + "\ud800", "options": None},
]


def test_files_of_questions_of_any_kind_are_read(tmp_path):
    lines = "\n".join(json.dumps(row) for row in ROWS) + "\n\n"
    (tmp_path / "bench.v1.jsonl").write_text(lines, "utf-8-sig")
    (_, one), (place, two) = read(tmp_path / "bench.v1.jsonl")
    assert place == "line 2"
    assert (one.id, one.benchmark, one.options) == ("x/1", "cmmlu", "A. 土地\nB. 资金")
    assert (two.id, two.benchmark, two.text) == ("2", "bench", STEMS[1] + "\ufffd")
    pq.write_table(pa.Table.from_pylist(ROWS[:1]), tmp_path / "a.parquet")
    assert list(read(tmp_path / "a.parquet")) == [("record 0", one)]
    (tmp_path / "a.v1.csv").write_text(f'id,question\n7,"{STEMS[2]}"\n', "utf-8")
    assert next(read(tmp_path / "a.v1.csv"))[1].text == STEMS[2]
    (tmp_path / "map.jsonl").write_text(json.dumps({**ROWS[0], "options": {"A": "土地", "B": "资金"}}), "utf-8")
    assert next(read(tmp_path / "map.jsonl"))[1].options == "土地\n资金"


def test_columns_a_to_d_are_options_and_a_first_column_without_a_name_is_the_id(tmp_path):
    table = f",Question,A,B,C,D,Answer\n0,{STEMS[0]},土地,资金,人口,,A\n1,{STEMS[1]},,,,,B\n"
    (tmp_path / "agronomy.csv").write_text(table, "utf-8")
    one, two = (question for _, question in read(tmp_path / "agronomy.csv"))
    assert one == Question("0", "agronomy", STEMS[0], "土地\n资金\n人口")
    assert (two.id, two.options) == ("1", "")


def test_two_questions_of_a_benchmark_under_one_id_are_refused_with_both_places(tmp_path):
    line = json.dumps({"id": "7", "question": STEMS[0]})
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_text(line, "utf-8")
    assert len(Questions.load([tmp_path / "a.jsonl", tmp_path / "b.jsonl"])) == 2  # of two benchmarks
    (tmp_path / "b.jsonl").write_text(f"\n{line}\n\n{line}\n", "utf-8")
    with pytest.raises(
        SourceError, match=r"b\.jsonl, line 4: the id '7' of benchmark 'b' is that of .*b\.jsonl, line 2;"
    ):
        Questions.load([tmp_path / "b.jsonl"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"a\.jsonl, line 1: no valid JSON"),
        ('{"id": "1", "question": "题"}\n[1]', r"a\.jsonl, line 2: a list where an object should be"),
        ('{"question": "题"}', r"a\.jsonl, line 1: no `bench_id` or `id`; it has: question\. Give the field that name"),
        ('\n{"id": "1", "stem": "题"}', r"line 2: no `question` or `text`; it has: id, stem"),
        (b"\xd6\xd0\xb9\xfa", r"a\.jsonl: no UTF-8 from byte 0 on"),
        ("\n \n", r"a\.jsonl: no evaluation question in it"),
        (b"PAR1 is only how it begins", r"a\.jsonl: no whole Parquet file"),
        (b"\x28\xb5\x2f\xfd\x04", r"a\.jsonl: .*"),
        (None, r"a\.jsonl: no such file of evaluation questions"),
    ],
)
def test_what_is_no_file_of_questions_is_refused_with_its_place(tmp_path, content, message):
    if content is not None:
        (tmp_path / "a.jsonl").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SourceError, match=message):
        list(read(tmp_path / "a.jsonl"))


def test_the_step_tells_what_it_found_and_is_known_by_content(tmp_path):
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_text(json.dumps({"id": "7", "question": STEMS[0]}) + "\n", "utf-8")
    step = Overlap(eval=(str(tmp_path / "a.jsonl"),))
    score, count, told = step.measure(pa.record_batch({"text": [PROSE, PROSE + STEMS[0]]}))
    assert score.to_pylist() == [0.0, 1.0]
    assert count.to_pylist() == [0, 1]
    assert told[0].as_py() == ""
    assert json.loads(told[1].as_py()) == [["a", "7", 1.0, len(PROSE), len(PROSE) + len(STEMS[0])]]
    assert step.measure(pa.record_batch({"text": [STEMS[0] + PROSE * 2 + STEMS[0]]}))[1].to_pylist() == [1]
    other = Overlap(eval=(str(tmp_path / "b.jsonl"),))
    assert step.identity() == other.identity()
    (tmp_path / "b.jsonl").write_text(json.dumps({"id": "7", "question": STEMS[1]}) + "\n", "utf-8")
    assert step.identity() != other.identity()
    assert identity([tmp_path / "a.jsonl"]) == step.resources()[1].hash


def test_questions_that_change_after_the_plan_are_refused(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"id": "7", "question": STEMS[0]}) + "\n", "utf-8")
    step = pickle.loads(pickle.dumps(Overlap(eval=(str(path),)).pinned()))
    batch = pa.record_batch({"text": [STEMS[0]]})
    path.write_text(json.dumps({"id": "7", "question": STEMS[1]}) + "\n", "utf-8")
    with pytest.raises(SourceError, match=r"a\.jsonl: changed since the run began; run again"):
        step.measure(batch)
    assert Overlap(eval=(str(path),)).measure(batch)[1].to_pylist() == [0]
