//! The rules of template fields (wechat-apis.md section 2.5), applied before the message is stored: a value that
//! WeChat would refuse with 47003 is cut or replaced here, so that a long name never costs a notice.

use chrono::{DateTime, Utc};
use chrono_tz::Asia::Shanghai;

const THING_MAX: usize = 20;
const DIGITS_MAX: usize = 32;
const LETTERS_MAX: usize = 32;
const SYMBOLS_MAX: usize = 5;
const CHARACTER_STRING_MAX: usize = 32;
const AMOUNT_DIGITS_MAX: usize = 10;
const PHONE_MAX: usize = 17;
const CAR_NUMBER_MAX: usize = 8;
const NAME_CHINESE_MAX: usize = 10;
const NAME_LATIN_MAX: usize = 20;
const PHRASE_MAX: usize = 5;

/// What a notice knows about a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Words.
    Text(String),
    /// A number.
    Number(i64),
    /// An instant, shown in Beijing time.
    Time(DateTime<Utc>),
    /// So many leads, where a field expects the name or the phone of one.
    Leads(usize),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// The type of a template field, named by the letters of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are WeChat's; their rules are in `FieldKind::show`")]
pub enum FieldKind {
    Thing,
    Number,
    Letter,
    Symbol,
    CharacterString,
    Time,
    Date,
    Amount,
    PhoneNumber,
    CarNumber,
    Name,
    Phrase,
    Enum,
    Const,
}

impl FieldKind {
    /// The kind a key such as `thing1` names; `None` when it is not a key of WeChat's.
    pub fn of_key(key: &str) -> Option<Self> {
        let letters = key.trim_end_matches(|c: char| c.is_ascii_digit());
        if letters.len() == key.len() {
            return None;
        }
        Some(match letters {
            "thing" => Self::Thing,
            "number" => Self::Number,
            "letter" => Self::Letter,
            "symbol" => Self::Symbol,
            "character_string" => Self::CharacterString,
            "time" => Self::Time,
            "date" => Self::Date,
            "amount" => Self::Amount,
            "phone_number" => Self::PhoneNumber,
            "car_number" => Self::CarNumber,
            "name" => Self::Name,
            "phrase" => Self::Phrase,
            "enum" => Self::Enum,
            "const" => Self::Const,
            _ => return None,
        })
    }

    /// The value as this kind of field may show it; never empty. `at` stands in for a missing time.
    pub fn show(self, value: Option<&Value>, at: DateTime<Utc>) -> String {
        match (self, value) {
            (Self::Time, Some(Value::Time(time))) => moment(*time),
            (Self::Time, _) => moment(at),
            (Self::Date, Some(Value::Time(time))) => day(*time),
            (Self::Date, _) => day(at),
            (kind, Some(Value::Time(time))) => kind.cut(&moment(*time)),
            (kind, Some(Value::Number(number))) => kind.cut(&number.to_string()),
            (kind, Some(Value::Text(text))) => kind.cut(text),
            (kind, Some(Value::Leads(count))) => kind.cut(&kind.leads(*count)),
            (kind, None) => kind.cut(""),
        }
    }

    /// How many leads, in the characters of this kind. Brackets keep a count from being read, or dialled, as a number.
    fn leads(self, count: usize) -> String {
        match self {
            Self::PhoneNumber => format!("({count})"),
            Self::Name | Self::Phrase => "多个客户".to_owned(),
            _ => format!("{count}个客户"),
        }
    }

    /// The text within the rules of this kind; never empty.
    pub(in crate::channels) fn cut(self, text: &str) -> String {
        let text = tidy(text);
        let kept = match self {
            Self::Thing | Self::Enum | Self::Const => shortened(&text, THING_MAX),
            Self::Number => number(&text, DIGITS_MAX),
            Self::Letter => only(&text, LETTERS_MAX, |c| c.is_ascii_alphabetic()),
            Self::Symbol => only(&text, SYMBOLS_MAX, is_symbol),
            Self::CharacterString => {
                only(&text, CHARACTER_STRING_MAX, |c| c.is_ascii_alphanumeric() || c == ' ' || is_symbol(c))
            }
            Self::Amount => number(&text, AMOUNT_DIGITS_MAX),
            Self::PhoneNumber => phone(&text),
            Self::CarNumber => only(&text, CAR_NUMBER_MAX, |c| c.is_ascii_alphanumeric() || is_chinese(c)),
            Self::Name => name(&text),
            Self::Phrase => only(&text, PHRASE_MAX, is_chinese),
            // Times do not come here.
            Self::Time | Self::Date => text,
        };
        let kept = kept.trim();
        if kept.is_empty() { self.nothing().to_owned() } else { kept.to_owned() }
    }

    /// What a field shows that has nothing to show: WeChat refuses an empty one.
    fn nothing(self) -> &'static str {
        match self {
            Self::Number | Self::Amount | Self::CarNumber => "0",
            Self::PhoneNumber => "(0)", // no number, and nothing that looks like one
            Self::Letter => "N",
            Self::Phrase | Self::Name => "无",
            _ => "-",
        }
    }
}

/// Control characters and line breaks become one blank, the full-width tilde the half-width one.
fn tidy(text: &str) -> String {
    let blanked = text.chars().map(|c| match c {
        '～' => '~',
        c if c.is_control()
            || c.is_whitespace()
            || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{FEFF}') =>
        {
            ' '
        }
        c => c,
    });
    let blanked: String = blanked.collect();
    blanked.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Length as WeChat may count it: UTF-16 units, the upper bound for characters outside the basic plane.
fn length(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// The longest beginning of at most `max` units.
fn beginning(text: &str, max: usize) -> &str {
    let mut units = 0;
    for (at, c) in text.char_indices() {
        units += c.len_utf16();
        if units > max {
            return &text[..at];
        }
    }
    text
}

/// At most `max` units; a cut text ends in `…`, one unit, so that more of it stays than with three dots.
fn shortened(text: &str, max: usize) -> String {
    if length(text) <= max { text.to_owned() } else { format!("{}…", beginning(text, max - 1).trim_end()) }
}

fn only(text: &str, max: usize, allowed: fn(char) -> bool) -> String {
    let kept: String = text.chars().filter(|c| allowed(*c)).collect();
    beginning(&kept, max).to_owned()
}

/// Digits with at most one point between them.
fn number(text: &str, digits_max: usize) -> String {
    let mut kept = String::new();
    for c in text.chars().filter(|c| c.is_ascii_digit() || *c == '.').take(digits_max) {
        if c != '.' || (!kept.is_empty() && !kept.contains('.')) {
            kept.push(c);
        }
    }
    kept.trim_end_matches('.').to_owned()
}

/// Digits and symbols; a text without a digit is no phone.
fn phone(text: &str) -> String {
    let kept = only(text, PHONE_MAX, |c| c.is_ascii_digit() || is_symbol(c));
    if kept.contains(|c: char| c.is_ascii_digit()) { kept } else { String::new() }
}

/// Letters and symbols: ten with a Chinese character among them, else twenty.
fn name(text: &str) -> String {
    let kept: String = text.chars().filter(|c| c.is_alphabetic() || *c == ' ' || is_symbol(*c)).collect();
    let max = if kept.contains(is_chinese) { NAME_CHINESE_MAX } else { NAME_LATIN_MAX };
    beginning(&kept, max).to_owned()
}

fn is_chinese(c: char) -> bool {
    matches!(c, '〇' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}'
        | '\u{20000}'..='\u{3FFFF}')
}

fn is_symbol(c: char) -> bool {
    !c.is_alphanumeric() && !c.is_control() && !c.is_whitespace()
}

fn moment(at: DateTime<Utc>) -> String {
    at.with_timezone(&Shanghai).format("%Y年%-m月%-d日 %H:%M").to_string()
}

fn day(at: DateTime<Utc>) -> String {
    at.with_timezone(&Shanghai).format("%Y年%-m月%-d日").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> DateTime<Utc> {
        "2026-12-31T16:01:00Z".parse().unwrap()
    }

    fn check(key: &str, rows: &[(&str, &str)]) {
        let kind = FieldKind::of_key(key).unwrap();
        for (given, shown) in rows {
            assert_eq!(kind.show(Some(&Value::from(*given)), at()), *shown, "{key}: {given:?}");
        }
    }

    #[test]
    fn texts_are_cut() {
        check(
            "thing1",
            &[
                ("张三", "张三"),
                ("一二三四五六七八九十一二三四五六七八九十", "一二三四五六七八九十一二三四五六七八九十"),
                ("一二三四五六七八九十一二三四五六七八九十一", "一二三四五六七八九十一二三四五六七八九…"),
                ("😀😀😀😀😀😀😀😀😀😀", "😀😀😀😀😀😀😀😀😀😀"),
                ("😀😀😀😀😀😀😀😀😀😀😀", "😀😀😀😀😀😀😀😀😀…"),
                (" two\r\nlines\u{0}\t ", "two lines"),
                ("", "-"),
                ("\u{200B} ", "-"),
            ],
        );
        check("name1", &[("张三", "张三"), ("张3", "张"), ("007", "无"), ("", "无")]);
        check("name1", &[("欧阳一二三四五六七八九十", "欧阳一二三四五六七八")]);
        check("name1", &[("Abcdefghij Klmnopqrstuv", "Abcdefghij Klmnopqrs")]);
        check("phrase1", &[("已分配", "已分配"), ("ok", "无"), ("一二三四五六", "一二三四五")]);
        check("letter1", &[("a1b", "ab"), ("1", "N")]);
        check("symbol1", &[("a!@#$%^", "!@#$%"), ("a", "-")]);
        check("character_string1", &[("CUS 00000000001 号", "CUS 00000000001"), ("甲", "-")]);
        check("car_number1", &[("粤A8Z888挂多", "粤A8Z888挂"), ("", "0")]);
        check("enum1", &[("待跟进", "待跟进")]);
    }

    #[test]
    fn numbers_are_cut() {
        check("number1", &[("12 个", "12"), ("1.5.2", "1.52"), (".5", "5"), ("7.", "7"), ("无", "0")]);
        check("amount1", &[("¥29.90", "29.90"), ("12345678901", "1234567890")]);
        check(
            "phone_number1",
            &[
                ("138****8999", "138****8999"),
                ("+86-0766-66888866", "+86-0766-66888866"),
                ("无", "(0)"),
                ("----", "(0)"),
            ],
        );
        let count = Some(Value::Number(12));
        assert_eq!(FieldKind::Thing.show(count.as_ref(), at()), "12");
        assert_eq!(FieldKind::Number.show(count.as_ref(), at()), "12");
    }

    #[test]
    fn several_leads_are_counted_where_one_is_expected() {
        let shown = |key: &str| FieldKind::of_key(key).unwrap().show(Some(&Value::Leads(12)), at());
        for (key, expected) in [
            ("thing1", "12个客户"),
            ("name1", "多个客户"),
            ("phrase1", "多个客户"),
            ("number1", "12"),
            ("character_string1", "12"),
            ("phone_number1", "(12)"),
        ] {
            assert_eq!(shown(key), expected, "{key}");
        }
        assert_eq!(FieldKind::PhoneNumber.show(None, at()), "(0)");
    }

    #[test]
    fn times_are_those_of_beijing() {
        let time = Some(Value::Time("2026-03-01T01:02:03Z".parse().unwrap()));
        assert_eq!(FieldKind::Time.show(time.as_ref(), at()), "2026年3月1日 09:02");
        assert_eq!(FieldKind::Date.show(time.as_ref(), at()), "2026年3月1日");
        assert_eq!(FieldKind::Time.show(None, at()), "2027年1月1日 00:01");
        assert_eq!(FieldKind::Date.show(Some(&Value::from("soon")), at()), "2027年1月1日");
        assert_eq!(FieldKind::Thing.show(time.as_ref(), at()), "2026年3月1日 09:02");
        check("thing1", &[("09:00～10:00", "09:00~10:00")]);
    }

    #[test]
    fn keys_name_their_kind() {
        for (key, kind) in [
            ("thing1", Some(FieldKind::Thing)),
            ("character_string12", Some(FieldKind::CharacterString)),
            ("phone_number2", Some(FieldKind::PhoneNumber)),
            ("thing", None),
            ("1", None),
            ("things1", None),
            ("", None),
        ] {
            assert_eq!(FieldKind::of_key(key), kind, "{key}");
        }
    }
}
