//! The list inside a digest.

use domain::preferences::Language;

/// Most notices a digest names; the rest is a count. Ten lines fit a WeCom card (512 characters).
pub const DIGEST_LINES_MAX: usize = 10;

/// Most characters of one line, its number left out.
const LINE_CHARS_MAX: usize = 42;

/// Ends a line that was cut.
const CUT: char = '…';

/// The variable `list` of the template `DIGEST`: one line for each notice (title, content), the earliest first.
pub fn digest_list<'n>(notices: impl IntoIterator<Item = (&'n str, &'n str)>, language: Language) -> String {
    let mut lines = Vec::with_capacity(DIGEST_LINES_MAX + 1);
    let mut more = 0_usize;
    for (n, (title, content)) in notices.into_iter().enumerate() {
        if n < DIGEST_LINES_MAX {
            lines.push(format!("{}. {}", n + 1, line(title, content, language)));
        } else {
            more += 1;
        }
    }
    if more > 0 {
        lines.push(match language {
            Language::ZhCn => format!("{CUT}以及另外 {more} 条"),
            Language::En => format!("{CUT}and {more} more"),
        });
    }
    lines.join("\n")
}

fn line(title: &str, content: &str, language: Language) -> String {
    let colon = match language {
        Language::ZhCn => "：",
        Language::En => ": ",
    };
    // A line break inside a notice would look like the next notice.
    let whole = format!("{title}{colon}{content}").replace(['\n', '\r'], " ");
    match whole.char_indices().nth(LINE_CHARS_MAX) {
        None => whole,
        Some(_) => whole.chars().take(LINE_CHARS_MAX - 1).chain([CUT]).collect(),
    }
}
