//! The form that the answers of WeChat and `WeCom` have (wechat-apis.md sections 1 and 6).

use application::delivery::Answer;
use serde::Deserialize;
use serde_json::Value;

use super::{Exchange, safe_detail};

/// Longest message id that is kept.
const MESSAGE_ID_CHARS_MAX: usize = 128;

#[derive(Deserialize)]
struct Body {
    errcode: Option<i64>,
    #[serde(default)]
    errmsg: String,
    #[serde(default)]
    msgid: Value,
}

/// Reads the answer of an action, which always carries a code.
pub(crate) fn action(exchange: Exchange) -> Answer {
    let read = |body: &[u8]| {
        let Body { errcode, errmsg, msgid } = serde_json::from_slice(body).ok()?;
        let message_id = message_id(msgid);
        errcode.map(|code| Answer::Code { code, message: errmsg, message_id })
    };
    answered(exchange, read).map_or_else(|answer| answer, made_safe)
}

/// The provider's own answer, as `read` understands it; without one, what is known of the call. The code decides,
/// not the HTTP status; but a 5xx comes from a gateway that does not know what happened behind it.
pub(crate) fn answered<T>(exchange: Exchange, read: impl FnOnce(&[u8]) -> Option<T>) -> Result<T, Answer> {
    let (status, body) = match exchange {
        Exchange::NotSent(detail) => return Err(Answer::NotSent(detail)),
        Exchange::NoAnswer(detail) => return Err(Answer::NoAnswer(detail)),
        Exchange::Answered { status, body } => (status, body),
    };
    if status >= 500 {
        return Err(Answer::NoAnswer(format!("HTTP {status}")));
    }
    read(&body).ok_or_else(|| match status {
        300.. => Answer::Gateway(format!("HTTP {status} from a gateway")),
        _ => Answer::NoAnswer(format!("HTTP {status} without a readable answer")),
    })
}

/// The answer with a text that may be stored.
pub(crate) fn made_safe(answer: Answer) -> Answer {
    match answer {
        Answer::Code { code, message, message_id } => {
            let message_id = message_id.map(|id| id.chars().take(MESSAGE_ID_CHARS_MAX).collect());
            Answer::Code { code, message: safe_detail(&message), message_id }
        }
        other => other,
    }
}

/// A 64-bit number beyond what a float holds; it has come as a text as well.
fn message_id(value: Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) if !text.is_empty() => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u16, body: &str, expected: Answer) {
        let answer = action(Exchange::Answered { status, body: body.as_bytes().to_vec() });
        assert_eq!((status, body, answer), (status, body, expected));
    }

    fn code(code: i64, message: &str, message_id: Option<&str>) -> Answer {
        Answer::Code { code, message: message.to_owned(), message_id: message_id.map(str::to_owned) }
    }

    fn no_answer(detail: &str) -> Answer {
        Answer::NoAnswer(detail.to_owned())
    }

    #[test]
    fn the_code_decides() {
        check(
            200,
            r#"{"errcode":0,"errmsg":"ok","msgid":2097683633284153344}"#,
            code(0, "ok", Some("2097683633284153344")),
        );
        check(200, r#"{"errcode":0,"errmsg":"ok","msgid":"77"}"#, code(0, "ok", Some("77")));
        check(200, r#"{"errcode":0,"errmsg":"ok"}"#, code(0, "ok", None));
        check(200, r#"{"errcode":43101}"#, code(43101, "", None));
        check(412, r#"{"errcode":-1,"errmsg":"system error"}"#, code(-1, "system error", None));
    }

    #[test]
    fn anything_else_is_no_definite_answer() {
        check(200, r#"{"errcode":0,"errm"#, no_answer("HTTP 200 without a readable answer"));
        check(200, "", no_answer("HTTP 200 without a readable answer"));
        check(200, "{}", no_answer("HTTP 200 without a readable answer"));
        check(200, "<html>", no_answer("HTTP 200 without a readable answer"));
        check(502, "<html>", no_answer("HTTP 502"));
        check(500, r#"{"errcode":0}"#, no_answer("HTTP 500"));
        check(403, "refused", Answer::Gateway("HTTP 403 from a gateway".to_owned()));
        check(302, "", Answer::Gateway("HTTP 302 from a gateway".to_owned()));
        assert_eq!(action(Exchange::NotSent("x".to_owned())), Answer::NotSent("x".to_owned()));
        assert_eq!(action(Exchange::NoAnswer("x".to_owned())), Answer::NoAnswer("x".to_owned()));
    }
}
