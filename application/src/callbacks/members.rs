//! Answers to whoever asks the WeCom application for a member 会员 (existing-systems.md section 7.8).

use async_trait::async_trait;
use domain::contact::mask;

/// Longest text that WeCom shows, in bytes; it cuts the rest off.
const TEXT_BYTES_MAX: usize = 2048;

/// Words that ask how it works.
const HELP_WORDS: [&str; 7] = ["帮助", "help", "使用说明", "怎么用", "说明", "?", "？"];

/// How it works.
pub const HELP: &str = "发送会员编号即可查询会员资料，例如：M12345 或 12345。\n手机号只显示部分数字。\n\nSend a member number \
                        to look the member up, for example M12345 or 12345.";

/// Nothing that looks like a number.
const NO_NUMBER: &str = "没有找到会员编号。请发送会员编号，例如 M12345；发送“帮助”查看说明。\n\nThere is no member number in \
                         your message. Send 帮助 for help.";

/// The members cannot be asked at the moment.
const UNAVAILABLE: &str = "会员资料暂时无法查询，请稍后重试。\n\nMembers cannot be looked up right now.";

/// What may be shown of a member.
#[derive(Clone, PartialEq, Eq)]
pub struct MemberCard {
    /// The number.
    pub number: String,
    /// The phone; only its mask is shown.
    pub phone: Option<String>,
    /// Further lines in their order: label and value.
    pub lines: Vec<(String, String)>,
}

/// The members cannot be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the members cannot be looked up")]
pub struct CardsUnavailable;

/// Finds members by number.
#[async_trait]
pub trait MemberCards: Send + Sync {
    /// The member with this number, if there is one.
    async fn find(&self, number: &str) -> Result<Option<MemberCard>, CardsUnavailable>;
}

/// The answer to a text.
pub async fn answer(cards: &dyn MemberCards, content: &str) -> String {
    let content = content.trim();
    if HELP_WORDS.iter().any(|word| content.eq_ignore_ascii_case(word)) {
        return HELP.to_owned();
    }
    let Some(number) = member_number(content) else { return NO_NUMBER.to_owned() };
    match cards.find(&number).await {
        Ok(Some(card)) => shown(&card),
        Ok(None) => format!("未找到编号为 {number} 的会员。\n\nThere is no member with the number {number}."),
        Err(CardsUnavailable) => UNAVAILABLE.to_owned(),
    }
}

fn shown(card: &MemberCard) -> String {
    let mut lines = vec![format!("会员编号：{}", card.number)];
    lines.extend(card.phone.as_ref().map(|phone| format!("手机号：{}", mask(phone))));
    lines.extend(card.lines.iter().map(|(label, value)| format!("{label}：{value}")));
    let text = lines.join("\n");
    text[..text.floor_char_boundary(TEXT_BYTES_MAX)].to_owned()
}

/// The member number in a text, in capitals: `M` with digits, else 4 to 6 digits, else letters with digits, else 3 to 8
/// digits. A telephone number is none.
pub fn member_number(content: &str) -> Option<String> {
    let words: Vec<&str> =
        content.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let digits = |word: &str| word.bytes().all(|b| b.is_ascii_digit());
    let number_of =
        |word: &&&str, least: usize, most: usize| digits(word) && (least..=most).contains(&word.len());
    let with_letters = |word: &&&str| {
        let letters = word.bytes().take_while(u8::is_ascii_alphabetic).count();
        (1..word.len()).contains(&letters) && digits(&word[letters..]) && word.len() <= NUMBER_CHARS_MAX
    };
    let with_m = |word: &&&str| {
        with_letters(word) && matches!(&word[..2], m if m.starts_with(['M', 'm']) && digits(&m[1..]))
    };
    let found = words
        .iter()
        .find(with_m)
        .or_else(|| words.iter().find(|word| number_of(word, 4, 6)))
        .or_else(|| words.iter().find(with_letters))
        .or_else(|| words.iter().find(|word| number_of(word, 3, 8)));
    found.map(|word| word.to_ascii_uppercase())
}

/// Longest member number.
const NUMBER_CHARS_MAX: usize = 32;
