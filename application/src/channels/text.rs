//! Cutting texts to what providers take: at a character's boundary, and visibly.

/// Ends a text that was cut.
const ELLIPSIS: &str = "…";
/// Stands before a Chinese text whose message may have arrived already.
const REPEATED_ZH: &str = "（可能重复）";
/// Stands before a text in another language.
const REPEATED_EN: &str = "(possibly repeated) ";

/// Control characters become blanks, line ends one `\n`; blanks at the ends go.
pub(super) fn tidy(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let calm = text.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c });
    calm.collect::<String>().trim().to_owned()
}

/// The same on one line.
pub(super) fn tidy_line(text: &str) -> String {
    tidy(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// At most `max` bytes of UTF-8; a cut text ends in `…`.
pub(super) fn within_bytes(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(max.saturating_sub(ELLIPSIS.len()));
    format!("{}{ELLIPSIS}", text[..end].trim_end())
}

/// The text between two that stay whole, in at most `max` bytes.
pub(super) fn framed(before: &str, text: &str, behind: &str, max: usize) -> String {
    let room = max.saturating_sub(before.len() + behind.len());
    format!("{before}{}{behind}", within_bytes(text, room))
}

/// The text with the mark of a message that may have arrived already, once.
pub(super) fn marked(text: &str) -> String {
    if text.starts_with(REPEATED_ZH) || text.starts_with(REPEATED_EN) {
        return text.to_owned();
    }
    let is_chinese = text.chars().any(|c| matches!(c, '\u{3400}'..='\u{9FFF}'));
    format!("{}{text}", if is_chinese { REPEATED_ZH } else { REPEATED_EN })
}

/// What `WeCom` would read as a tag stays visible and is none: a lead may call itself `<a href=…>`.
pub(super) fn without_tags(text: &str) -> String {
    text.replace('<', "＜").replace('>', "＞")
}

/// What markdown would read as a sign stays visible and is none; `138****8999` is a phone and nothing bold.
pub(super) fn without_markdown(text: &str) -> String {
    let sign = |c| match c {
        '<' => '＜',
        '>' => '＞',
        '[' => '［',
        ']' => '］',
        '*' => '＊',
        '`' => '｀',
        '#' => '＃',
        c => c,
    };
    text.chars().map(sign).collect()
}

/// The whole address of a page of the console; `None` without a public address.
pub(super) fn page_url(public_url: Option<&str>, path: &str) -> Option<String> {
    let base = public_url?.trim_end_matches('/');
    if path.starts_with('/') { Some(format!("{base}{path}")) } else { Some(base.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_text_says_so_and_is_whole_characters() {
        for (text, max, cut) in [
            ("张三", 6, "张三"),
            ("张三丰", 8, "张…"),
            ("张三丰", 6, "张…"),
            ("张三丰", 5, "…"),
            ("abc def", 6, "abc…"),
            ("abcdef", 6, "abcdef"),
            ("", 0, ""),
        ] {
            assert_eq!(within_bytes(text, max), cut, "{text} in {max}");
        }
        assert_eq!(framed("<", "张三丰", ">", 8), "<张…>");
        assert_eq!(tidy(" a\u{0}b\r\nc\t "), "a b\nc");
        assert_eq!(tidy_line(" a \n b "), "a b");
    }

    #[test]
    fn a_mark_stands_once_in_the_texts_language() {
        assert_eq!(marked("新客户"), "（可能重复）新客户");
        assert_eq!(marked("（可能重复）新客户"), "（可能重复）新客户");
        assert_eq!(marked("New lead"), "(possibly repeated) New lead");
        assert_eq!(marked("(possibly repeated) New lead"), "(possibly repeated) New lead");
    }

    #[test]
    fn nobody_writes_a_link_into_a_notice() {
        assert_eq!(without_tags("<a href=\"x\">"), "＜a href=\"x\"＞");
        assert_eq!(without_markdown("[x](y) <@all> 138****8999"), "［x］(y) ＜@all＞ 138＊＊＊＊8999");
    }

    #[test]
    fn links_lead_to_the_public_address() {
        let base = Some("https://crm.example.com/");
        assert_eq!(page_url(base, "/customers/1").as_deref(), Some("https://crm.example.com/customers/1"));
        assert_eq!(page_url(base, "").as_deref(), Some("https://crm.example.com"));
        assert_eq!(
            page_url(base, "//evil.example").as_deref(),
            Some("https://crm.example.com//evil.example")
        );
        assert_eq!(page_url(None, "/x"), None);
    }
}
