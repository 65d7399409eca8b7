"""Offers are found in any spelling; texts about the same things stay far below."""

import json
from typing import Any

import pyarrow as pa
import pytest

from pipeline.signals.advertising import Advertising

STEP = Advertising()


def row(text: str) -> dict[str, Any]:
    arrays = STEP.measure(pa.record_batch({"text": pa.array([text], pa.string())}))
    return {name: array.to_pylist()[0] for name, array in zip(STEP.adds, arrays, strict=True)}


@pytest.mark.parametrize(
    "text",
    [
        "加 V 信", "加Ｖ信", "加v♥信", "加薇信", "加徽信", "加微\u200b信", "➕微信", "加★微★信", "加ｑｑ", "加🅠🅠",
        "加vx", "加Ⓥⓧ", "葡-京", "葡．京", "新葡🎲京", "威❤号加我微信", "菠·菜平台", "愽綵平台", "壹夜情",
        "代-开-发-票", "代開發票", "刷 单", "办·证·刻·章", "百/家/乐", "六合綵",
        "⑥合彩開獎六合彩", "ＰＫ①０", "🇻信号", "VX号",
    ],
)  # fmt: skip
def test_tricks_of_spelling_do_not_hide_a_phrase(text: str) -> None:
    found = row(text)
    assert json.loads(found["ad_found"]), text
    assert found["ad_count"] + found["gambling_count"] + found["adult_count"] >= 1


OFFERS = [
    (
        "ad_score",
        "急用钱？凭身份证即可办理贷款，无抵押无担保，不看征信，当天放款，最高额度五十万，需要的加我微信详谈。",
    ),
    ("ad_score", "本公司代开各类正规发票，增值税专用发票、普通发票均可，点数低，可先验票后付款，联系电话微信同号。"),
    ("ad_score", "诚聘网络兼职，刷单日结，工资现结，宝妈学生均可，一天赚三百，在家可做，有意加Q群。"),
    (
        "ad_score",
        "办理各种证件，毕业证、驾驶证代办，刻章，学历学信网可查，快速办理，保密性强，先办事后付款，咨询热线。",
    ),
    ("ad_score", "祖传秘方，纯中药无副作用，三个疗程根治，无效退款，免费咨询电话，货到付款。"),
    ("ad_score", "今日新开一秒，上线送VIP，送元宝，爆率全开，散人打金，装备回收，进群领礼包码，三端互通长久服。"),
    ("gambling_score", "时时彩、北京赛车、幸运飞艇计划，带你回血上岸，高返点，出款快，信誉平台，导师一对一带单。"),
    ("adult_score", "同城约炮，美女上门，莞式服务，包夜全套，学生妹、少妇任选，成人视频无码高清。"),
]


@pytest.mark.parametrize(("column", "text"), OFFERS)
def test_offers_lie_above_the_rule(column: str, text: str) -> None:
    assert row(text)[column] > 10


TALK = [
    "第三百零三条　以营利为目的，聚众赌博或者以赌博为业的，处三年以下有期徒刑。开设赌场的，处五年以下有期徒刑。",
    "税务机关提醒：虚开、代开发票属于违法行为。纳税人应当依法领用、开具发票，不得向他人购买发票。",
    "微信于二〇一一年推出，是腾讯公司的即时通信软件，支持文字、语音和视频，用户可以添加好友、加入群聊。",
    "经营者开展价外馈赠或者有奖销售，不得以优惠、打折、促销等方式误导消费者，不得虚构原价。",
    "患者男，四十二岁，因勃起功能障碍就诊。检查：阴茎、睾丸发育正常，性欲尚可，建议进一步检查激素水平。",
    "警方提醒：兼职刷单诈骗多发，骗子以日赚百元为诱饵，凡是要求先垫付资金的网络兼职都是诈骗，如遇诈骗请及时报警。",
    "百家乐起源于意大利，玩家可以押注庄家、闲家或和局，澳门的赌场中，它的收入占博彩收入的大部分。",
    "他在澳门住了三年，写过葡京酒店的建筑史，也写过威尼斯人的水巷。",
]


@pytest.mark.parametrize("text", TALK)
def test_texts_about_the_same_things_lie_below_it(text: str) -> None:
    found = row(text * 3)
    assert max(found["ad_score"], found["gambling_score"], found["adult_score"]) < 2


def test_counts_kinds_and_contacts_and_covers_characters() -> None:
    found = row("全国包邮，加微信")
    assert (found["ad_count"], found["ad_kind_count"], found["ad_contact_count"]) == (2, 2, 1)
    assert found["ad_share"] == pytest.approx(7 / 8)
    assert found["ad_score"] == pytest.approx((2.5 + 3) * 1000 / 108 * 1 / 2 * 2 / 3 * 2 / 3)


def test_a_warning_speaks_against_an_offer() -> None:
    offer = "全国包邮，加微信"
    assert row(offer + "诈骗")["ad_score"] == pytest.approx(row(offer + "苹果")["ad_score"] * 2 / 3)


def test_words_that_name_a_thing_offer_nothing() -> None:
    assert row("百家乐、老虎机、轮盘都是赌场里的游戏")["gambling_score"] == 0


def test_a_phrase_that_recurs_counts_by_its_root() -> None:
    once, often = (
        row("全国包邮，货到付款" + "。" * 91)["ad_score"],
        row("全国包邮，货到付款，" * 4 + "。" * 60)["ad_score"],
    )
    assert once > 0
    assert often == pytest.approx(2 * once)


def test_one_phrase_alone_is_no_offer() -> None:
    assert row("代开发票")["ad_score"] == row("代开发票，" * 20)["ad_score"] == 0


def test_lists_are_resources_with_licences() -> None:
    names = {resource.name: resource.license for resource in STEP.resources()}
    assert names == dict.fromkeys(
        ["lexicon promotion 1", "lexicon gambling 1", "lexicon adult 1", "lexicon warning 1", "lookalikes.tsv"],
        "CC0-1.0",
    )
