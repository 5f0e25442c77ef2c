//! What the answers of `tcb/invokecloudfunction` mean (wechat-apis.md sections 3 and 8). A code of 0 only says that the
//! function returned; whether it told the person stands in `resp_data`, a JSON text of the function's own:
//! `{"success":true,…}`, or `{"success":false,"error":{"code":43101,"message":"…"}}`. The key in the request makes
//! asking again safe, so whatever leaves the result open is uncertain and nothing worse.

use chrono::{DateTime, Utc};
use domain::notification::FailureClass;
use serde::Deserialize;
use serde_json::Value;

use super::super::verdict::{Verdict, coded, judge, look_up};
use super::super::wechat_subscribe;
use crate::delivery::{Answer, Outcome};

/// Every documented code of the call itself.
pub const CODES: &[(i64, Verdict)] = &[
    (0, Verdict::Accepted),
    (40001, Verdict::Token),
    (40014, Verdict::Token),
    (42001, Verdict::Token),
    (-1, Verdict::Uncertain),
    (-1000, Verdict::Uncertain),
    (-501_001, Verdict::Uncertain),
    (-501_002, Verdict::Uncertain),
    (-504_001, Verdict::Uncertain),
    (-504_002, Verdict::Uncertain),
    (-601_001, Verdict::Uncertain),
    (-601_003, Verdict::Uncertain),
    (-604_102, Verdict::Uncertain),
    (-604_103, Verdict::Uncertain),
    (-501_003, Verdict::UntilNextMinute),
    (-501_004, Verdict::Crowded),
    (45011, Verdict::UntilNextMinute),
    (45009, Verdict::UntilTomorrow),
    (-501_015, Verdict::UntilTomorrow),
    (-501_016, Verdict::UntilTomorrow),
    (-501_017, Verdict::AfterRepair),
    (40164, Verdict::AfterRepair),
    (45035, Verdict::AfterRepair),
    (61004, Verdict::AfterRepair),
    (40101, Verdict::Never(FailureClass::Content)),
    (44002, Verdict::Never(FailureClass::Content)),
    (47001, Verdict::Never(FailureClass::Content)),
    (-601_002, Verdict::Never(FailureClass::Content)),
    (41001, Verdict::Never(FailureClass::Config)),
    (43002, Verdict::Never(FailureClass::Config)),
    (48001, Verdict::Never(FailureClass::Config)),
    (48004, Verdict::Never(FailureClass::Config)),
    (50002, Verdict::Never(FailureClass::Config)),
    (85088, Verdict::Never(FailureClass::Config)),
    (-501_000, Verdict::Never(FailureClass::Config)),
    (-501_005, Verdict::Never(FailureClass::Config)),
    (-501_007, Verdict::Never(FailureClass::Config)),
    (-501_009, Verdict::Never(FailureClass::Config)),
    (-501_018, Verdict::Never(FailureClass::Config)),
    (-501_019, Verdict::Never(FailureClass::Config)),
    (-501_020, Verdict::Never(FailureClass::Config)),
    (-501_021, Verdict::Never(FailureClass::Config)),
    (-601_009, Verdict::Never(FailureClass::Config)),
    (-604_101, Verdict::Never(FailureClass::Config)),
    (-604_104, Verdict::Never(FailureClass::Config)),
];

/// Database codes of the function: whether it had sent before the database failed is not known.
const DATABASE_CODES: std::ops::RangeInclusive<i64> = -502_999..=-502_000;

/// Codes a function gives by name instead of a number.
pub const INNER_CODES: &[(&str, Verdict)] = &[
    ("UNKNOWN", Verdict::Uncertain),
    ("SENDING", Verdict::Uncertain),
    ("TIMEOUT", Verdict::Uncertain),
    ("BUSY", Verdict::Busy),
    ("USER_NOT_FOUND", Verdict::Never(FailureClass::Recipient)),
    ("NO_OPENID", Verdict::Never(FailureClass::Recipient)),
    ("OPENID_NOT_FOUND", Verdict::Never(FailureClass::Recipient)),
    ("NO_CREDIT", Verdict::Never(FailureClass::Consent)),
    ("INVALID_PARAMS", Verdict::Never(FailureClass::Content)),
    ("UNKNOWN_TYPE", Verdict::Never(FailureClass::Config)),
    ("NO_TEMPLATE", Verdict::Never(FailureClass::Config)),
];

/// What a code of the call means. One that is not in the table leaves open whether the function ran.
pub fn verdict(code: i64) -> Verdict {
    if DATABASE_CODES.contains(&code) {
        return Verdict::Uncertain;
    }
    look_up(CODES, code, Verdict::Uncertain)
}

/// What the function says of its own work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inner {
    /// It told the person, or had done so before.
    Told {
        /// The id of the message it sent, when it says so.
        message_id: Option<String>,
    },
    /// It did not.
    Refused {
        /// A number of WeChat's, or a name of the function's.
        code: String,
        /// In words.
        message: String,
    },
    /// It returned something that does not say.
    Unclear,
}

/// What came back: of the call, and of the function behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The call.
    pub answer: Answer,
    /// The function; only looked at when the call's code is 0.
    pub inner: Inner,
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        Self { answer, inner: Inner::Unclear }
    }
}

#[derive(Deserialize)]
struct Body {
    errcode: Option<i64>,
    #[serde(default)]
    errmsg: String,
    #[serde(default)]
    resp_data: Option<String>,
}

/// Reads an answer; `None` when it is none of WeChat's.
pub fn read(body: &[u8]) -> Option<Reply> {
    let Body { errcode, errmsg, resp_data } = serde_json::from_slice(body).ok()?;
    // An answer with data and no code is a success (wechat-apis.md section 1).
    let code = errcode.or_else(|| resp_data.is_some().then_some(0))?;
    let inner = resp_data.map_or(Inner::Unclear, |text| inner(&text));
    Some(Reply { answer: Answer::Code { code, message: errmsg, message_id: None }, inner })
}

fn inner(text: &str) -> Inner {
    let Ok(result) = serde_json::from_str::<Value>(text) else { return Inner::Unclear };
    let message_id = || scalar(&result["data"]["msgid"]).or_else(|| scalar(&result["msgid"]));
    let error = &result["error"];
    let code = [&error["code"], &error["errCode"], &result["errCode"], &result["errcode"]];
    let code = code.into_iter().find_map(scalar);
    match (result["success"].as_bool(), code) {
        (Some(true), _) => Inner::Told { message_id: message_id() },
        // What `cloud.openapi` returns when the function passes it on.
        (None, Some(code)) if code == "0" => Inner::Told { message_id: message_id() },
        (_, Some(code)) => {
            let words = [&error["message"], &error["errMsg"], &result["message"], &result["errMsg"]];
            let message = words.into_iter().find_map(Value::as_str).unwrap_or_default().to_owned();
            Inner::Refused { code, message }
        }
        _ => Inner::Unclear,
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        _ => None,
    }
}

/// What the function's own code means: WeChat's numbers are those of the message it sends.
pub fn inner_verdict(code: &str) -> Verdict {
    let Ok(number) = code.parse::<i64>() else {
        let known = INNER_CODES.iter().find(|(name, _)| *name == code);
        return known.map_or(Verdict::Busy, |(_, verdict)| *verdict);
    };
    if CODES.iter().any(|(known, _)| *known == number && number < -1) || DATABASE_CODES.contains(&number) {
        return verdict(number);
    }
    match wechat_subscribe::verdict(number) {
        // It is the function's token, not ours: refreshing ours helps nobody.
        Verdict::Token => Verdict::Busy,
        // "Not a success", and no error either.
        Verdict::Accepted => Verdict::Uncertain,
        verdict => verdict,
    }
}

/// What an answer means for the delivery. A refused token arrives here only after it was refreshed once.
pub fn outcome(reply: Reply, now: DateTime<Utc>) -> Outcome {
    let Answer::Code { code: 0, .. } = reply.answer else { return judge(reply.answer, verdict, now) };
    match reply.inner {
        Inner::Told { message_id } => Outcome::Accepted { provider_message_id: message_id },
        Inner::Refused { code, message } => {
            let detail = format!("the cloud function answered {code}: {message}");
            coded(inner_verdict(&code), code.parse().ok(), detail, None, now)
        }
        Inner::Unclear => {
            let detail = "the cloud function did not say whether it told the person".to_owned();
            coded(Verdict::Uncertain, Some(0), detail, None, now)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::verdict::testing::{check_table, now};
    use super::*;

    fn told(answer: Answer) -> Reply {
        Reply { answer, inner: Inner::Told { message_id: Some("9".to_owned()) } }
    }

    #[test]
    fn every_row_has_its_outcome() {
        use FailureClass::{Config, Content};
        check_table(
            CODES,
            |answer, now| outcome(told(answer), now),
            &[
                (&[0], Verdict::Accepted),
                (&[40001, 40014, 42001], Verdict::Token),
                (
                    &[
                        -1, -1000, -501_001, -501_002, -504_001, -504_002, -601_001, -601_003, -604_102,
                        -604_103, -502_001, -502_011, 77_777,
                    ],
                    Verdict::Uncertain,
                ),
                (&[-501_003, 45011], Verdict::UntilNextMinute),
                (&[-501_004], Verdict::Crowded),
                (&[45009, -501_015, -501_016], Verdict::UntilTomorrow),
                (&[-501_017, 40164, 45035, 61004], Verdict::AfterRepair),
                (&[40101, 44002, 47001, -601_002], Verdict::Never(Content)),
                (
                    &[
                        41001, 43002, 48001, 48004, 50002, 85088, -501_000, -501_005, -501_007, -501_009,
                        -501_018, -501_019, -501_020, -501_021, -601_009, -604_101, -604_104,
                    ],
                    Verdict::Never(Config),
                ),
            ],
        );
    }

    #[test]
    fn every_code_of_the_function_has_its_verdict() {
        use FailureClass::{Config, Consent, Content, Recipient};
        let rows: &[(&[&str], Verdict)] = &[
            (&["UNKNOWN", "SENDING", "TIMEOUT"], Verdict::Uncertain),
            (&["USER_NOT_FOUND", "NO_OPENID", "OPENID_NOT_FOUND", "40003"], Verdict::Never(Recipient)),
            (&["NO_CREDIT", "43101"], Verdict::Never(Consent)),
            (&["INVALID_PARAMS", "47003"], Verdict::Never(Content)),
            (&["UNKNOWN_TYPE", "NO_TEMPLATE", "40037", "-501007"], Verdict::Never(Config)),
            (&["BUSY", "42001", "40001", "oops", "12345"], Verdict::Busy),
            (&["45009"], Verdict::UntilTomorrow),
            (&["-1", "-504002", "-502001", "0"], Verdict::Uncertain),
        ];
        for (codes, expected) in rows {
            for code in *codes {
                assert_eq!(inner_verdict(code), *expected, "{code}");
            }
        }
        let tested: Vec<&str> = rows.iter().flat_map(|(codes, _)| codes.to_vec()).collect();
        assert!(INNER_CODES.iter().all(|(name, _)| tested.contains(name)));
    }

    #[test]
    fn what_the_function_returned_decides() {
        let body = |resp_data: &str| {
            serde_json::json!({ "errcode": 0, "errmsg": "ok", "resp_data": resp_data }).to_string()
        };
        let refused =
            |code: &str, message: &str| Inner::Refused { code: code.to_owned(), message: message.to_owned() };
        let sent = |id: Option<&str>| Inner::Told { message_id: id.map(str::to_owned) };
        for (resp_data, inner) in [
            (r#"{"success":true,"message":"ok"}"#, sent(None)),
            (
                r#"{"success":true,"data":{"errCode":0,"msgid":2097683633284153344}}"#,
                sent(Some("2097683633284153344")),
            ),
            (r#"{"errCode":0,"errMsg":"openapi.subscribeMessage.send:ok","msgid":"7"}"#, sent(Some("7"))),
            (r#"{"success":false,"error":{"code":43101,"message":"no"}}"#, refused("43101", "no")),
            (r#"{"success":false,"error":{"code":"USER_NOT_FOUND"}}"#, refused("USER_NOT_FOUND", "")),
            (r#"{"errCode":-501007,"errMsg":"bad"}"#, refused("-501007", "bad")),
            (r#"{"success":false}"#, Inner::Unclear),
            (r#"{"success":"yes"}"#, Inner::Unclear),
            ("null", Inner::Unclear),
            ("", Inner::Unclear),
        ] {
            assert_eq!(read(body(resp_data).as_bytes()).unwrap().inner, inner, "{resp_data}");
        }
        let unclear = outcome(read(body("").as_bytes()).unwrap(), now());
        assert!(matches!(unclear, Outcome::Unknown(_)), "{unclear:?}");
        let Outcome::Rejected(failure) =
            outcome(read(body(r#"{"success":false,"error":{"code":43101}}"#).as_bytes()).unwrap(), now())
        else {
            panic!("43101 is a refusal");
        };
        assert_eq!((failure.class, failure.code), (FailureClass::Consent, Some(43101)));
        assert!(read(br#"{"resp_data":"{\"success\":true}"}"#).is_some());
        for body in ["", "<html>", "{}", r#"{"errcode":0,"errm"#] {
            assert_eq!(read(body.as_bytes()), None, "{body}");
        }
    }
}
