//! What a value of a subscribe-message field may look like, by the name of its key (wechat-apis.md §2.5).

use chrono::NaiveDate;

/// The type of a template field, named by the prefix of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of WeChat; their rules are in `FieldKind::accepts`")]
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
}

/// How characters outside the basic plane (most emoji) count against a limit. Not documented by WeChat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counting {
    /// An emoji counts two: the conservative reading.
    Utf16Units,
    /// An emoji counts one.
    Characters,
}

impl Counting {
    fn length(self, value: &str) -> usize {
        match self {
            Self::Utf16Units => value.encode_utf16().count(),
            Self::Characters => value.chars().count(),
        }
    }
}

const THING_MAX: usize = 20;
const NUMBER_DIGITS_MAX: usize = 32;
const LETTER_MAX: usize = 32;
const SYMBOL_MAX: usize = 5;
const CHARACTER_STRING_MAX: usize = 32;
const AMOUNT_DIGITS_MAX: usize = 10;
const PHONE_MAX: usize = 17;
const CAR_NUMBER_MAX: usize = 8;
const NAME_WITH_CHINESE_MAX: usize = 10;
const NAME_WITHOUT_CHINESE_MAX: usize = 20;
const PHRASE_MAX: usize = 5;

/// `y` is four digits, `m` a month, `d` a day, `h` an hour, `i` a minute, `s` a second; the rest stands for
/// itself.
const DATES: [&str; 8] = ["y年m月d日", "y-m-d", "y/m/d", "y.m.d", "y年m月", "y-m", "m月d日", "m-d"];
const TIMES: [&str; 2] = ["h:i:s", "h:i"];
const CURRENCY_SIGNS: [char; 6] = ['¥', '￥', '$', '€', '£', '₩'];

impl FieldKind {
    /// The kind a key prefix names, such as `phone_number` of `phone_number2`.
    pub(crate) fn from_prefix(prefix: &str) -> Option<Self> {
        Some(match prefix {
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
            "enum" | "const" => Self::Enum, // `const` of an official account: one of the audited values
            _ => return None,
        })
    }

    /// Whether WeChat takes `value` (not empty) for a field of this kind; `choices` are those of an `enum`.
    pub(crate) fn accepts(self, value: &str, choices: &[String], counting: Counting) -> bool {
        let within = |max: usize| counting.length(value) <= max;
        let all = |rule: fn(char) -> bool| value.chars().all(rule);
        match self {
            Self::Thing => within(THING_MAX) && all(|c| !c.is_control()),
            Self::Number => is_decimal(value, NUMBER_DIGITS_MAX),
            Self::Letter => within(LETTER_MAX) && all(|c| c.is_ascii_alphabetic()),
            Self::Symbol => within(SYMBOL_MAX) && all(is_symbol),
            Self::CharacterString => {
                within(CHARACTER_STRING_MAX) && all(|c| c.is_ascii_alphanumeric() || c == ' ' || is_symbol(c))
            }
            Self::Time => is_range(value, is_moment),
            Self::Date => is_range(value, is_date_with_optional_time),
            Self::Amount => is_amount(value),
            Self::PhoneNumber => {
                within(PHONE_MAX)
                    && all(|c| c.is_ascii_digit() || c == ' ' || is_symbol(c))
                    && value.contains(|c: char| c.is_ascii_digit())
            }
            Self::CarNumber => within(CAR_NUMBER_MAX) && is_plate(value),
            Self::Name => {
                let max =
                    if value.contains(is_chinese) { NAME_WITH_CHINESE_MAX } else { NAME_WITHOUT_CHINESE_MAX };
                within(max) && all(|c| c.is_alphabetic() || c == ' ' || is_symbol(c))
            }
            Self::Phrase => within(PHRASE_MAX) && all(is_chinese),
            Self::Enum => choices.iter().any(|choice| choice == value),
        }
    }
}

fn is_chinese(c: char) -> bool {
    matches!(c, '〇' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}'
        | '\u{20000}'..='\u{3FFFF}')
}

fn is_symbol(c: char) -> bool {
    !c.is_alphanumeric() && !c.is_control() && !c.is_whitespace()
}

/// Digits with at most one decimal point inside.
fn is_decimal(value: &str, digits_max: usize) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = value.split_once('.').unwrap_or((value, "0"));
    let count = value.bytes().filter(u8::is_ascii_digit).count();
    digits(whole) && digits(fraction) && count <= digits_max
}

fn is_amount(value: &str) -> bool {
    let value = value.strip_prefix(CURRENCY_SIGNS).unwrap_or(value);
    is_decimal(value.strip_suffix('元').unwrap_or(value), AMOUNT_DIGITS_MAX)
}

/// The first and the last character may be Chinese, the rest are letters and digits.
fn is_plate(value: &str) -> bool {
    let last = value.chars().count().saturating_sub(1);
    value
        .chars()
        .enumerate()
        .all(|(at, c)| c.is_ascii_alphanumeric() || (is_chinese(c) && (at == 0 || at == last)))
}

/// One point, or two joined by the half-width tilde; the full-width one is refused by WeChat.
fn is_range(value: &str, point: fn(&str) -> bool) -> bool {
    match value.split_once('~') {
        None => point(value),
        Some((from, to)) => point(from) && point(to),
    }
}

fn is_moment(value: &str) -> bool {
    let (date, time) = value.split_once(' ').map_or((None, value), |(date, time)| (Some(date), time));
    date.is_none_or(is_date) && matches_any(time, &TIMES)
}

fn is_date_with_optional_time(value: &str) -> bool {
    is_date(value)
        || value.split_once(' ').is_some_and(|(date, time)| is_date(date) && matches_any(time, &TIMES))
}

fn is_date(value: &str) -> bool {
    matches_any(value, &DATES)
}

fn matches_any(value: &str, patterns: &[&str]) -> bool {
    patterns.iter().any(|pattern| matches_pattern(value, pattern).unwrap_or(false))
}

/// Walks value and pattern together; `None` when they differ.
fn matches_pattern(mut value: &str, pattern: &str) -> Option<bool> {
    let (mut year, mut month, mut day) = (2000, 1, 1); // a leap year, so that 02-29 alone is a day
    for part in pattern.chars() {
        let (digits, highest) = match part {
            'y' => (4..=4, 9999),
            'm' => (1..=2, 12),
            'd' => (1..=2, 31),
            'h' => (1..=2, 23),
            'i' | 's' => (2..=2, 59),
            literal => {
                value = value.strip_prefix(literal)?;
                continue;
            }
        };
        let found = value.bytes().take(*digits.end()).take_while(u8::is_ascii_digit).count();
        let number: u32 = value[..found].parse().ok()?;
        if !digits.contains(&found) || number > highest {
            return None;
        }
        value = &value[found..];
        match part {
            'y' => year = i32::try_from(number).ok()?,
            'm' => month = number,
            'd' => day = number,
            _ => {}
        }
    }
    Some(value.is_empty() && NaiveDate::from_ymd_opt(year, month, day).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(prefix: &str, rows: &[(&str, bool)]) {
        let kind = FieldKind::from_prefix(prefix).unwrap();
        let choices = ["待跟进".to_owned(), "已签约".to_owned()];
        for (value, expected) in rows {
            assert_eq!(kind.accepts(value, &choices, Counting::Utf16Units), *expected, "{prefix}: {value:?}");
        }
    }

    #[test]
    fn texts() {
        check(
            "thing",
            &[
                ("客户张三 13800000000!", true),
                ("一二三四五六七八九十一二三四五六七八九十", true),
                ("一二三四五六七八九十一二三四五六七八九十一", false),
                ("一二三四五六七八九十一二三四五六七八九…", true),
                ("two\nlines", false),
                ("tab\there", false),
            ],
        );
        check("letter", &[("abcXYZ", true), ("abc1", false), ("a b", false), ("é", false)]);
        check("symbol", &[("!@#￥%", true), ("!!!!!!", false), ("a!", false), ("中", false)]);
        check(
            "character_string",
            &[("A-001_#", true), ("12345678901234567890123456789012", true), ("甲1", false)],
        );
        check("character_string", &[("123456789012345678901234567890123", false), ("a\nb", false)]);
        check(
            "name",
            &[
                ("张三", true),
                ("欧阳·阿卜杜拉", true),
                ("一二三四五六七八九十一", false),
                ("Li Ming", true),
                ("Abcdefghij Klmnopqrs", true),
                ("Abcdefghij Klmnopqrst", false),
                ("张Abcdefghij", false),
                ("张3", false),
            ],
        );
        check("phrase", &[("已分配", true), ("正常结束啦", true), ("一二三四五六", false), ("ok", false)]);
        check("enum", &[("待跟进", true), ("别的", false)]);
    }

    #[test]
    fn numbers() {
        check("number", &[("12", true), ("12.50", true), ("1.", false), (".5", false), ("1,000", false)]);
        check(
            "number",
            &[("12345678901234567890123456789012", true), ("123456789012345678901234567890123", false)],
        );
        check(
            "amount",
            &[
                ("¥29.90", true),
                ("￥29.90元", true),
                ("29.90元", true),
                ("$1234567890", true),
                ("¥元", false),
            ],
        );
        check("amount", &[("¥12345678901", false), ("¥¥1", false), ("二十元", false)]);
        check(
            "phone_number",
            &[
                ("+86-0766-66888866", true),
                ("13800000000", true),
                ("+86-0766-668888667", false),
                ("---", false),
                ("1380000000a", false),
            ],
        );
        check(
            "car_number",
            &[("粤A8Z888挂", true), ("粤A8Z888挂A", false), ("AB中123", false), ("粤A-123", false)],
        );
    }

    #[test]
    fn dates_and_times() {
        check(
            "time",
            &[
                ("15:01", true),
                ("15:01:59", true),
                ("2019年10月1日 15:01", true),
                ("2019-10-01 15:01", true),
                ("2019年10月1日 15:01~16:00", true),
                ("15:01~16:00", true),
                ("15:01～16:00", false),
                ("24:00", false),
                ("15:60", false),
                ("15:1", false),
                ("2019年10月1日", false),
                ("2019-02-30 15:01", false),
                ("2019/10/1 下午3:01:00", false),
            ],
        );
        check(
            "date",
            &[
                ("2019年10月1日", true),
                ("2018-01-01", true),
                ("2018/01/01", true),
                ("2018.01.01", true),
                ("2018-01", true),
                ("01-01", true),
                ("2018年1月", true),
                ("1月2日", true),
                ("2018-01-01 15:01", true),
                ("2018-01-01~2018-01-03", true),
                ("2018-13-01", false),
                ("2018-02-29", false),
                ("2018-01-01～2018-01-03", false),
                ("15:01", false),
                ("18-1-1", false),
            ],
        );
    }

    #[test]
    fn emoji_count_as_the_switch_says() {
        let ten_and_one = "😀".repeat(11);
        assert!(!FieldKind::Thing.accepts(&ten_and_one, &[], Counting::Utf16Units));
        assert!(FieldKind::Thing.accepts(&ten_and_one, &[], Counting::Characters));
    }
}
