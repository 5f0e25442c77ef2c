//! Who is known to an app and how many one-time subscriptions each person has left (wechat-apis.md §2.4).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// The credits of one person for one template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credit {
    /// The app.
    pub appid: String,
    /// The person.
    pub openid: String,
    /// The template accepted.
    pub template_id: String,
    /// Messages that may still be sent.
    pub remaining: u32,
}

type Key = (String, String, String);

fn key(appid: &str, openid: &str, template_id: &str) -> Key {
    (appid.to_owned(), openid.to_owned(), template_id.to_owned())
}

#[derive(Debug, Default)]
pub(crate) struct Credits {
    people: BTreeSet<(String, String)>,
    remaining: BTreeMap<Key, u32>,
}

impl Credits {
    pub(crate) fn register(&mut self, appid: &str, openid: &str) {
        self.people.insert((appid.to_owned(), openid.to_owned()));
    }

    pub(crate) fn knows(&self, appid: &str, openid: &str) -> bool {
        self.people.contains(&(appid.to_owned(), openid.to_owned()))
    }

    /// Each accept adds up.
    pub(crate) fn grant(&mut self, appid: &str, openid: &str, template_id: &str, count: u32) {
        self.register(appid, openid);
        let remaining = self.remaining.entry(key(appid, openid, template_id)).or_default();
        *remaining = remaining.saturating_add(count);
    }

    pub(crate) fn remaining(&self, appid: &str, openid: &str, template_id: &str) -> u32 {
        self.remaining.get(&key(appid, openid, template_id)).copied().unwrap_or(0)
    }

    /// Takes one, if there is one.
    pub(crate) fn consume(&mut self, appid: &str, openid: &str, template_id: &str) {
        if let Some(remaining) = self.remaining.get_mut(&key(appid, openid, template_id)) {
            *remaining = remaining.saturating_sub(1);
        }
    }

    /// Takes all.
    pub(crate) fn clear(&mut self, appid: &str, openid: &str, template_id: &str) {
        if let Some(remaining) = self.remaining.get_mut(&key(appid, openid, template_id)) {
            *remaining = 0;
        }
    }

    pub(crate) fn list(&self) -> Vec<Credit> {
        self.remaining
            .iter()
            .map(|((appid, openid, template_id), remaining)| Credit {
                appid: appid.clone(),
                openid: openid.clone(),
                template_id: template_id.clone(),
                remaining: *remaining,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credits_add_up_and_run_out() {
        let mut credits = Credits::default();
        assert!(!credits.knows("wx1", "o1"));
        credits.grant("wx1", "o1", "T", 1);
        credits.grant("wx1", "o1", "T", 2);
        assert!(credits.knows("wx1", "o1"));
        assert!(!credits.knows("wx2", "o1"), "an openid belongs to one app");
        for left in [2, 1, 0, 0] {
            credits.consume("wx1", "o1", "T");
            assert_eq!(credits.remaining("wx1", "o1", "T"), left);
        }
        assert_eq!(credits.remaining("wx1", "o1", "other"), 0);
        credits.grant("wx1", "o1", "T", u32::MAX);
        credits.grant("wx1", "o1", "T", 1);
        assert_eq!(credits.list()[0].remaining, u32::MAX);
    }
}
