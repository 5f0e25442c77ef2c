//! Words for people, in Chinese as system A has them and in English for `Accept-Language: en`.

use std::borrow::Cow;

use axum::http::{HeaderMap, header};

/// Most languages of one header that are looked at.
const LANGUAGES_MAX: usize = 16;

/// Which words the client reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Language {
    /// 中文, unless asked otherwise.
    #[default]
    Chinese,
    /// English.
    English,
}

impl Language {
    /// What `Accept-Language` prefers among the two; the order decides between equals.
    pub fn of(headers: &HeaderMap) -> Self {
        let header = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let mut best = (Self::default(), 0.0);
        for entry in header.unwrap_or_default().split(',').take(LANGUAGES_MAX) {
            let mut parts = entry.split(';').map(str::trim);
            let tag = parts.next().unwrap_or_default();
            let weight = parts
                .find_map(|part| part.strip_prefix("q="))
                .map_or(1.0, |q| q.parse::<f32>().unwrap_or(0.0));
            let language = match tag.split('-').next().unwrap_or_default() {
                primary if primary.eq_ignore_ascii_case("zh") => Self::Chinese,
                primary if primary.eq_ignore_ascii_case("en") => Self::English,
                _ => continue,
            };
            if weight > best.1 {
                best = (language, weight);
            }
        }
        best.0
    }
}

/// The same words in both languages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// 中文.
    pub zh: Cow<'static, str>,
    /// English.
    pub en: Cow<'static, str>,
}

impl Text {
    /// Words known at compile time.
    pub const fn new(zh: &'static str, en: &'static str) -> Self {
        Self { zh: Cow::Borrowed(zh), en: Cow::Borrowed(en) }
    }

    /// Words with something in them.
    pub fn with(zh: impl Into<Cow<'static, str>>, en: impl Into<Cow<'static, str>>) -> Self {
        Self { zh: zh.into(), en: en.into() }
    }

    /// The words in one language.
    pub fn get(&self, language: Language) -> &str {
        match language {
            Language::Chinese => &self.zh,
            Language::English => &self.en,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preferred_language_wins() {
        for (header, expected) in [
            ("", Language::Chinese),
            ("en", Language::English),
            ("en-US,en;q=0.9", Language::English),
            ("zh-CN,zh;q=0.9,en;q=0.8", Language::Chinese),
            ("en;q=0.5, zh;q=0.6", Language::Chinese),
            ("fr, en;q=0.1", Language::English),
            ("de", Language::Chinese),
            ("en;q=0", Language::Chinese),
            ("en;q=x", Language::Chinese),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_LANGUAGE, header.parse().unwrap());
            assert_eq!(Language::of(&headers), expected, "{header}");
        }
    }
}
