//! The page for people: what each person's phone shows, whatever channel it came by, and what was kept back.
//! Everything from outside is escaped.

use std::{collections::BTreeMap, fmt::Write};

use axum::{extract::State, response::Html};

use crate::{
    handle::SimulatorHandle,
    ledger::{Dropped, Received},
};

const HEAD: &str = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
    <meta name=\"viewport\" content=\"width=device-width\"><meta http-equiv=\"refresh\" content=\"2\">\
    <title>WeChat simulator</title><style>body{font:15px system-ui,sans-serif;max-width:44rem;margin:2rem auto;\
    padding:0 1rem;background:#ededed;color:#222}article{background:#fff;border-radius:8px;padding:.7rem 1rem;\
    margin:.6rem 0}dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem;margin:.4rem 0}\
    dt,small{color:#666}dd{margin:0}</style></head><body><h1>What people really received</h1>";

const TIME: &str = "%Y-%m-%d %H:%M:%S UTC";

pub(super) async fn show(State(handle): State<SimulatorHandle>) -> Html<String> {
    Html(render(&handle.ledger(), &handle.dropped()))
}

fn render(ledger: &[Received], dropped: &[Dropped]) -> String {
    let mut people: BTreeMap<&str, Vec<&Received>> = BTreeMap::new();
    for received in ledger {
        people.entry(&received.openid).or_default().push(received);
    }
    let mut page = HEAD.to_owned();
    if people.is_empty() {
        page.push_str("<p>Nothing yet.</p>");
    }
    for (openid, messages) in people {
        push(&mut page, format_args!("<h2>{} <small>{}</small></h2>", escaped(openid), messages.len()));
        for message in messages.into_iter().rev() {
            article(&mut page, message);
        }
    }
    if !dropped.is_empty() {
        push(
            &mut page,
            format_args!("<h2>Said yes to, received by nobody <small>{}</small></h2>", dropped.len()),
        );
    }
    for one in dropped.iter().rev() {
        let time = one.time.format(TIME);
        let (who, reason) = (escaped(&one.openid), escaped(&format!("{:?}", one.reason)));
        push(
            &mut page,
            format_args!(
                "<article>{who} <small>{} · {reason} · {time}</small></article>",
                one.channel.as_str()
            ),
        );
    }
    page.push_str("</body></html>");
    page
}

fn article(page: &mut String, message: &Received) {
    let (channel, template) = (message.channel.as_str(), escaped(&message.template_id));
    push(page, format_args!("<article><strong>{channel}</strong> <small>{template}</small><dl>"));
    for (key, value) in &message.data {
        push(page, format_args!("<dt>{}</dt><dd>{}</dd>", escaped(key), escaped(value)));
    }
    let (time, app, id) = (message.time.format(TIME), escaped(&message.appid), escaped(&message.message_id));
    push(page, format_args!("</dl><small>#{} · {time} · {app} · msgid {id}", message.seq));
    if let Some(target) = &message.page {
        push(page, format_args!(" · opens {}", escaped(target)));
    }
    if let Some(at) = message.recalled_at {
        push(page, format_args!(" · taken back {}", at.format(TIME)));
    }
    page.push_str("</small></article>");
}

fn push(page: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = page.write_fmt(text); // a String takes everything
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_becomes_markup() {
        assert_eq!(escaped(r#"<b a="1">&'x"#), "&lt;b a=&quot;1&quot;&gt;&amp;&#39;x");
    }
}
