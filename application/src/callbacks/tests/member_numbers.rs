//! What members are asked for, and what is answered.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use chrono::DateTime;

use super::super::members::*;
use super::super::{Message, What, read, reply};

#[test]
fn the_number_is_found_in_what_people_write() {
    let rows = [
        ("M12345", Some("M12345")),
        ("m7", Some("M7")),
        ("查一下 M001 和 12345", Some("M001")),
        ("12345", Some("12345")),
        ("请查 1234。", Some("1234")),
        ("编号AB99，谢谢", Some("AB99")),
        ("AB99 和 1234", Some("1234")),
        ("123", Some("123")),
        ("12345678", Some("12345678")),
        ("12", None),
        ("13812348999", None),
        ("123456789", None),
        ("你好", None),
        ("", None),
        ("M", None),
        ("12M", None),
        ("hello", None),
    ];
    for (content, expected) in rows {
        assert_eq!(member_number(content).as_deref(), expected, "{content}");
    }
}

struct One;

#[async_trait]
impl MemberCards for One {
    async fn find(&self, number: &str) -> Result<Option<MemberCard>, CardsUnavailable> {
        let lines = vec![("姓名".to_owned(), "张三".to_owned())];
        let card = |number: &str| MemberCard {
            number: number.to_owned(),
            phone: Some("13812348999".to_owned()),
            lines: lines.clone(),
        };
        match number {
            "M1" => Ok(Some(card(number))),
            "9999" => Err(CardsUnavailable),
            _ => Ok(None),
        }
    }
}

/// The value of a future that never waits.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}

#[test]
fn whoever_asks_is_answered() {
    assert_eq!(now(answer(&One, "查 M1")), "会员编号：M1\n手机号：138****8999\n姓名：张三");
    for word in ["帮助", "HELP", " ？ ", "?", "怎么用", "说明", "使用说明"] {
        assert_eq!(now(answer(&One, word)), HELP, "{word}");
    }
    assert!(now(answer(&One, "M2")).contains("未找到编号为 M2 的会员"));
    assert!(now(answer(&One, "你好")).contains("没有找到会员编号"));
    assert!(now(answer(&One, "9999")).contains("暂时无法查询"));
}

#[test]
fn an_answer_survives_whatever_is_in_it() {
    let created_at = DateTime::from_timestamp(1, 0).unwrap();
    let asked = Message { to: "corp".into(), from: "zhang]]>san".into(), created_at, what: What::Other };
    let back = read(&reply::text(&asked, "a]]><b>&amp;", created_at)).unwrap();
    assert_eq!((back.to.as_str(), back.from.as_str()), ("zhang]]>san", "corp"));
    assert!(back.what == What::Text("a]]><b>&amp;".into()));
    let sealed = super::super::parse(&reply::sealed("AAA=", "00ff", "1", "n]]>")).unwrap();
    assert_eq!(super::super::text(&sealed, "Encrypt").as_deref(), Some("AAA="));
    assert_eq!(super::super::text(&sealed, "Nonce").as_deref(), Some("n]]>"));
}
