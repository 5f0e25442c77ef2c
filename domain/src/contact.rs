//! Ways to reach a person. Their `Debug` masks itself, so that no log line can carry a number.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Most characters of a WeChat id that is kept.
pub const WECHAT_ID_CHARS_MAX: usize = 64;

/// A Chinese phone number, normalised: no spaces, no `+86`. Mobile and landline alike
/// (existing-systems.md section 1.3).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Phone(String);

/// The text is not a Chinese phone number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("请输入有效的中国手机号码")]
pub struct InvalidPhone;

impl Phone {
    /// Reads a number as people type it: trimmed, spaces and hyphens dropped, `+86` dropped.
    pub fn parse(text: &str) -> Result<Self, InvalidPhone> {
        /// Longest text that is looked at; a number with prefix and separators fits.
        const TYPED_CHARS_MAX: usize = 32;
        let typed = text.trim();
        if typed.chars().count() > TYPED_CHARS_MAX {
            return Err(InvalidPhone);
        }
        let compact: String =
            typed.chars().filter(|c| !c.is_whitespace() && !matches!(c, '-' | '(' | ')')).collect();
        let national = compact
            .strip_prefix("+86")
            .or_else(|| compact.strip_prefix("0086"))
            .or_else(|| compact.strip_prefix("86").filter(|rest| rest.len() == 11))
            .unwrap_or(&compact);
        if !national.bytes().all(|b| b.is_ascii_digit()) {
            return Err(InvalidPhone);
        }
        let number =
            phonenumber::parse(Some(phonenumber::country::CN), national).map_err(|_| InvalidPhone)?;
        if number.code().value() != 86 || !phonenumber::is_valid(&number) {
            return Err(InvalidPhone);
        }
        Ok(Self(national.to_owned()))
    }

    /// The number itself. Only for storage, guards and people who may see it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number with its middle hidden: 11 digits 3+4, 10 digits 3+4, anything else its first 3 at most
    /// (domain.md section 3).
    pub fn masked(&self) -> String {
        mask(&self.0)
    }
}

/// Masks a phone number; see [`Phone::masked`].
pub fn mask(number: &str) -> String {
    let chars: Vec<char> = number.chars().collect();
    let head: String = chars.iter().take(3).collect();
    match chars.len() {
        length @ (10 | 11) => {
            let tail: String = chars[length - 4..].iter().collect();
            format!("{head}{}{tail}", "*".repeat(length - 7))
        }
        length => {
            let shown = length.saturating_sub(1).min(3);
            let head: String = chars.iter().take(shown).collect();
            format!("{head}{}", "*".repeat(length - shown))
        }
    }
}

/// A text with every mobile number in it masked, also one that is written `+86 138 1234 8999` or `138-1234-8999`. Digits
/// inside words stay: `CUS13800008999` and `HT20260115001` are no phones.
pub fn mask_mobiles(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some((length, number)) = leading_mobile(rest) {
            masked.push_str(&mask(&number));
            rest = &rest[length..];
            continue;
        }
        let word = rest.find(|c| !in_word(c)).unwrap_or(rest.len()).max(first.len_utf8());
        masked.push_str(&rest[..word]);
        rest = &rest[word..];
    }
    masked
}

/// What ids are made of: digits in the middle of one are no phone.
fn in_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

/// The mobile number that a text begins with, and how many bytes it takes there.
fn leading_mobile(text: &str) -> Option<(usize, String)> {
    /// Digits of a mobile number, which begins with a 1.
    const MOBILE_DIGITS: usize = 11;
    /// China's own number, which may stand before it.
    const CHINA: &str = "86";
    let (mut digits, mut length) = (String::new(), 0);
    for (at, c) in text.char_indices() {
        let national = digits.strip_prefix(CHINA).unwrap_or(&digits).len();
        match c {
            '0'..='9' if national == MOBILE_DIGITS => return None, // it goes on: some other number
            '0'..='9' => {
                digits.push(c);
                length = at + c.len_utf8();
            }
            ' ' | '\u{a0}' | '-' if matches!(national, 3 | 7) || digits == CHINA => {}
            _ => break,
        }
    }
    let number = digits.strip_prefix(CHINA).unwrap_or(&digits);
    let is_mobile = number.len() == MOBILE_DIGITS && number.starts_with('1');
    let ends = text[length..].chars().next().is_none_or(|next| !in_word(next));
    (is_mobile && ends).then(|| (length, number.to_owned()))
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Phone({})", self.masked())
    }
}

/// A WeChat id 微信号, trimmed and not empty.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WechatId(String);

/// The text is too long to be a WeChat id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("微信号不能超过{WECHAT_ID_CHARS_MAX}个字符")]
pub struct InvalidWechatId;

impl WechatId {
    /// Trims; `None` for a blank: absent is not the empty string (fault A-35).
    pub fn parse(text: &str) -> Result<Option<Self>, InvalidWechatId> {
        let trimmed = text.trim();
        if trimmed.chars().count() > WECHAT_ID_CHARS_MAX {
            return Err(InvalidWechatId);
        }
        Ok((!trimmed.is_empty()).then(|| Self(trimmed.to_owned())))
    }

    /// The id itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for WechatId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WechatId(***)")
    }
}

/// A WeChat openid: who a person is to one app. Its `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OpenId(String);

/// The text cannot be an openid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an openid is 1 to 128 letters, digits, '_' or '-'")]
pub struct InvalidOpenId;

impl OpenId {
    /// Checks the alphabet and the length.
    pub fn parse(text: &str) -> Result<Self, InvalidOpenId> {
        let valid = (1..=128).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidOpenId) }
    }

    /// The id itself; only for storage and the provider.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for OpenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpenId(***)")
    }
}

/// Most bytes of a WeCom userid.
const WECOM_USER_BYTES_MAX: usize = 64;

/// A WeCom userid: who a person is within one corporation. WeCom compares them without regard to case and repeats
/// them in lower case. Its `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WecomUserId(String);

/// The text cannot be a WeCom userid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a WeCom userid is 1 to 64 letters, digits, '_', '-', '@' or '.', and begins with a letter or a digit"
)]
pub struct InvalidWecomUserId;

impl WecomUserId {
    /// Checks the alphabet and the length.
    pub fn parse(text: &str) -> Result<Self, InvalidWecomUserId> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_-@.".contains(&b);
        let valid = (1..=WECOM_USER_BYTES_MAX).contains(&text.len())
            && text.bytes().all(allowed)
            && text.as_bytes()[0].is_ascii_alphanumeric();
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidWecomUserId) }
    }

    /// The id itself; only for storage and the provider.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether WeCom takes both for the same person.
    pub fn is_same_person(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl fmt::Debug for WecomUserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WecomUserId(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wecom_userids_have_wecoms_letters() {
        let longest = "a".repeat(WECOM_USER_BYTES_MAX);
        for good in ["z", "Zhang.San", "9_a-b@c.d", longest.as_str()] {
            assert_eq!(WecomUserId::parse(good).map(|id| id.as_str().to_owned()), Ok(good.to_owned()));
        }
        let too_long = "a".repeat(WECOM_USER_BYTES_MAX + 1);
        for bad in ["", "_a", "@all", ".a", "-", "a|b", "a b", "张三", "a\n", too_long.as_str()] {
            assert_eq!(WecomUserId::parse(bad), Err(InvalidWecomUserId), "{bad}");
        }
        let id = |text: &str| WecomUserId::parse(text).unwrap();
        assert!(id("ZhangSan").is_same_person(&id("zhangsan")));
        assert_eq!(format!("{:?}", id("ZhangSan")), "WecomUserId(***)");
    }

    #[test]
    fn numbers_are_normalised() {
        for typed in ["13812348999", " 138 1234 8999 ", "+86 138-1234-8999", "8613812348999"] {
            assert_eq!(
                Phone::parse(typed).map(|p| p.as_str().to_owned()),
                Ok("13812348999".into()),
                "{typed}"
            );
        }
        assert_eq!(Phone::parse("010-62345678").map(|p| p.as_str().to_owned()), Ok("01062345678".into()));
    }

    #[test]
    fn other_texts_are_refused() {
        for typed in
            ["", "abc", "123", "+1 650 253 0000", "1381234899x", "138123489999999", "１３８１２３４８９９９"]
        {
            assert_eq!(Phone::parse(typed), Err(InvalidPhone), "{typed}");
        }
    }

    #[test]
    fn masks_never_show_a_whole_number() {
        for (number, expected) in [
            ("13812348999", "138****8999"),
            ("0101234567", "010***4567"),
            ("12345", "123**"),
            ("123", "12*"),
            ("1", "*"),
            ("", ""),
            ("013812348999", "013*********"),
        ] {
            assert_eq!(mask(number), expected);
        }
        assert_eq!(format!("{:?}", Phone("13812348999".into())), "Phone(138****8999)");
    }

    #[test]
    fn a_text_keeps_its_ids_and_loses_its_phones() {
        for (text, expected) in [
            ("客户王女士（电话：13812348999）", "客户王女士（电话：138****8999）"),
            ("13812348999, 13912340000", "138****8999, 139****0000"),
            ("致电+86 138 1234 8999或138-1234-8999。", "致电+138****8999或138****8999。"),
            ("8613812348999", "138****8999"),
            ("CUS13800008999 HT20260115001 x-13800008999", "CUS13800008999 HT20260115001 x-13800008999"),
            ("01937f00-0000-7000-8000-000000000002", "01937f00-0000-7000-8000-000000000002"),
            ("2026-01-15 09:30, 138123489991, 138 人", "2026-01-15 09:30, 138123489991, 138 人"),
            ("", ""),
        ] {
            assert_eq!(mask_mobiles(text), expected);
        }
    }

    proptest::proptest! {
        #[test]
        fn a_mask_shows_at_most_seven_characters_and_hides_at_least_one(number in "\\PC{0,40}|[0-9+]{1,15}") {
            let masked = mask(&number);
            proptest::prop_assert_eq!(masked.chars().count(), number.chars().count());
            let shown = masked.chars().zip(number.chars()).filter(|(m, n)| m == n && *n != '*').count();
            proptest::prop_assert!(shown <= 7);
            proptest::prop_assert!(number.is_empty() || masked.contains('*'));
        }

        #[test]
        fn a_phone_is_its_own_normal_form_and_hides_itself(n in 0..100_000_000_u32) {
            if let Ok(phone) = Phone::parse(&format!("138{n:08}")) {
                proptest::prop_assert_eq!(Phone::parse(phone.as_str()), Ok(phone.clone()));
                let text = format!("{phone:?} {}", phone.masked());
                proptest::prop_assert!(!text.contains(phone.as_str()));
            }
        }
    }
}
