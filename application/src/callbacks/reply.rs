//! The answers that are more than `success`: XML, as WeCom wants it.

use chrono::{DateTime, Utc};

use super::Message;

/// A text to whoever wrote, still to be encrypted.
pub fn text(to: &Message, content: &str, now: DateTime<Utc>) -> String {
    format!(
        "<xml><ToUserName>{}</ToUserName><FromUserName>{}</FromUserName><CreateTime>{}</CreateTime>\
         <MsgType><![CDATA[text]]></MsgType><Content>{}</Content></xml>",
        cdata(&to.from),
        cdata(&to.to),
        now.timestamp(),
        cdata(content),
    )
}

/// An encrypted answer with its signature.
pub fn sealed(encrypted: &str, signature: &str, timestamp: &str, nonce: &str) -> String {
    format!(
        "<xml><Encrypt>{}</Encrypt><MsgSignature>{}</MsgSignature><TimeStamp>{timestamp}</TimeStamp>\
         <Nonce>{}</Nonce></xml>",
        cdata(encrypted),
        cdata(signature),
        cdata(nonce),
    )
}

/// Any text, not read as XML; the end mark inside it is cut in two.
fn cdata(text: &str) -> String {
    format!("<![CDATA[{}]]>", text.replace("]]>", "]]]]><![CDATA[>"))
}
