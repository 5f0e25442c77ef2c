//! The two token families of wechat-apis.md §1.1: classic (every call a new one) and stable (the same one until
//! it nears its end), neither of which touches the other; and WeCom's (§5.1: the same one until it ends).

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use rand::{distr::Alphanumeric, prelude::*};
use serde::{Deserialize, Serialize};

use crate::{calls::Host, errcode::Refusal, quota, switches::Limits};

/// A fresh token lives two hours.
const LIFETIME: TimeDelta = TimeDelta::seconds(7200);
/// Around a refresh the old and the new token are both good for five minutes.
const OVERLAP: TimeDelta = TimeDelta::seconds(300);
/// Dead tokens are remembered for a day, so that they are told apart from unknown ones.
const REMEMBERED: TimeDelta = TimeDelta::days(1);
const RANDOM_CHARS: usize = 120;
const PREFIX: &str = "91_";
/// WeCom's tokens are longer and without a prefix.
const WECOM_RANDOM_CHARS: usize = 214;

/// The way a token was fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenFamily {
    /// `GET /cgi-bin/token`.
    Classic,
    /// `POST /cgi-bin/stable_token`.
    Stable,
    /// `GET /cgi-bin/gettoken` of WeCom.
    Wecom,
}

/// What a token that stopped early looks like to its holder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenEnd {
    /// Another holder fetched a newer one: 40001.
    #[default]
    Superseded,
    /// Its time ran out: 42001.
    Expired,
}

#[derive(Debug)]
struct Issued {
    token: String,
    appid: String,
    family: TokenFamily,
    expires_at: DateTime<Utc>,
    /// Earlier than `expires_at` once a newer token took over.
    superseded_at: DateTime<Utc>,
}

/// A token as the token endpoints answer it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) access_token: String,
    pub(crate) expires_in: i64,
}

#[derive(Debug, Default)]
pub(crate) struct Tokens {
    /// Oldest first; the last one of an app and family is the current one.
    issued: Vec<Issued>,
    forced: HashMap<String, Vec<DateTime<Utc>>>,
}

impl Tokens {
    /// A new token; the previous one stays good for five minutes.
    pub(crate) fn classic(&mut self, appid: &str, now: DateTime<Utc>, rng: &mut StdRng) -> Grant {
        self.supersede(appid, TokenFamily::Classic, now + OVERLAP);
        self.issue(appid, TokenFamily::Classic, now, rng)
    }

    /// The current token with its remaining seconds; a new one when less than five minutes are left, the old one
    /// then lives on to its end.
    pub(crate) fn stable(&mut self, appid: &str, now: DateTime<Utc>, rng: &mut StdRng) -> Grant {
        let current = self.issued.iter().rfind(|t| t.appid == appid && t.family == TokenFamily::Stable);
        match current {
            Some(token) if token.superseded_at > now && token.expires_at - now >= OVERLAP => Grant {
                access_token: token.token.clone(),
                expires_in: (token.expires_at - now).num_seconds(),
            },
            _ => self.issue(appid, TokenFamily::Stable, now, rng),
        }
    }

    /// A new stable token that ends the previous one at once, if the limits allow; otherwise as [`Self::stable`].
    pub(crate) fn force_stable(
        &mut self,
        appid: &str,
        limits: &Limits,
        now: DateTime<Utc>,
        rng: &mut StdRng,
    ) -> Grant {
        let forced = self.forced.entry(appid.to_owned()).or_default();
        forced.retain(|at| quota::day(*at) == quota::day(now));
        let apart = i64::try_from(limits.force_refresh_apart_seconds).ok().and_then(TimeDelta::try_seconds);
        let apart = apart.unwrap_or(TimeDelta::MAX);
        let used_up = forced.len() as u64 >= limits.force_refresh_per_day;
        if used_up || forced.last().is_some_and(|last| now - *last < apart) {
            return self.stable(appid, now, rng);
        }
        forced.push(now);
        self.supersede(appid, TokenFamily::Stable, now);
        self.issue(appid, TokenFamily::Stable, now, rng)
    }

    /// The current token of a WeCom app with its remaining seconds; a new one once it has ended.
    pub(crate) fn wecom(&mut self, app: &str, now: DateTime<Utc>, rng: &mut StdRng) -> Grant {
        let current = self.issued.iter().rfind(|t| t.appid == app && t.family == TokenFamily::Wecom);
        match current {
            Some(token) if token.superseded_at > now => Grant {
                access_token: token.token.clone(),
                expires_in: (token.expires_at - now).num_seconds(),
            },
            _ => self.issue(app, TokenFamily::Wecom, now, rng),
        }
    }

    /// The app a token speaks for. A token of the other host is as good as garbage.
    pub(crate) fn holder(&self, token: &str, host: Host, now: DateTime<Utc>) -> Result<&str, Refusal> {
        let shaped =
            |text: &str| text.len() == RANDOM_CHARS && text.bytes().all(|b| b.is_ascii_alphanumeric());
        let (shaped, ended_early) = match host {
            Host::Wechat => (token.strip_prefix(PREFIX).is_some_and(shaped), Refusal::InvalidCredential),
            Host::Wecom => (token.len() == WECOM_RANDOM_CHARS, Refusal::InvalidAccessToken),
        };
        if !shaped {
            return Err(Refusal::InvalidAccessToken);
        }
        match self.issued.iter().find(|known| known.token == token) {
            Some(known) if now >= known.expires_at => Err(Refusal::AccessTokenExpired),
            Some(known) if now < known.superseded_at => Ok(&known.appid),
            _ => Err(ended_early),
        }
    }

    /// Ends the living tokens of one family, or of both, before their time.
    pub(crate) fn end(&mut self, family: Option<TokenFamily>, how: TokenEnd, now: DateTime<Utc>) {
        for token in self.issued.iter_mut().filter(|token| family.is_none_or(|family| family == token.family))
        {
            token.superseded_at = token.superseded_at.min(now);
            if how == TokenEnd::Expired {
                token.expires_at = token.expires_at.min(now);
            }
        }
    }

    fn supersede(&mut self, appid: &str, family: TokenFamily, at: DateTime<Utc>) {
        for token in self.issued.iter_mut().filter(|t| t.appid == appid && t.family == family) {
            token.superseded_at = token.superseded_at.min(at);
        }
    }

    fn issue(&mut self, appid: &str, family: TokenFamily, now: DateTime<Utc>, rng: &mut StdRng) -> Grant {
        self.issued.retain(|token| token.expires_at + REMEMBERED > now);
        let (prefix, chars) = match family {
            TokenFamily::Classic | TokenFamily::Stable => (PREFIX, RANDOM_CHARS),
            TokenFamily::Wecom => ("", WECOM_RANDOM_CHARS),
        };
        let random: String = rng.sample_iter(Alphanumeric).take(chars).map(char::from).collect();
        let token = format!("{prefix}{random}");
        let expires_at = now + LIFETIME;
        self.issued.push(Issued {
            token: token.clone(),
            appid: appid.to_owned(),
            family,
            expires_at,
            superseded_at: expires_at,
        });
        Grant { access_token: token, expires_in: LIFETIME.num_seconds() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const APP: &str = "wx1";

    fn at(seconds: i64) -> DateTime<Utc> {
        "2026-01-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::seconds(seconds)
    }

    fn new() -> (Tokens, StdRng) {
        (Tokens::default(), StdRng::seed_from_u64(7))
    }

    #[test]
    fn a_classic_call_gives_a_new_token_and_five_minutes_to_the_old_one() {
        let (mut tokens, mut rng) = new();
        let first = tokens.classic(APP, at(0), &mut rng);
        let second = tokens.classic(APP, at(100), &mut rng);
        assert_ne!(first.access_token, second.access_token);
        assert_eq!(second.expires_in, 7200);
        assert_eq!(tokens.holder(&first.access_token, Host::Wechat, at(399)), Ok(APP));
        assert_eq!(
            tokens.holder(&first.access_token, Host::Wechat, at(400)),
            Err(Refusal::InvalidCredential)
        );
        assert_eq!(tokens.holder(&second.access_token, Host::Wechat, at(7299)), Ok(APP));
        assert_eq!(
            tokens.holder(&second.access_token, Host::Wechat, at(7300)),
            Err(Refusal::AccessTokenExpired)
        );
    }

    #[test]
    fn a_stable_token_stays_until_five_minutes_before_its_end_and_then_overlaps() {
        let (mut tokens, mut rng) = new();
        let first = tokens.stable(APP, at(0), &mut rng);
        for (second, remaining) in [(0, 7200), (6855, 345), (6900, 300)] {
            let again = tokens.stable(APP, at(second), &mut rng);
            assert_eq!(again, Grant { access_token: first.access_token.clone(), expires_in: remaining });
        }
        let next = tokens.stable(APP, at(6901), &mut rng);
        assert_ne!(next.access_token, first.access_token);
        assert_eq!(next.expires_in, 7200);
        for token in [&first, &next] {
            assert_eq!(tokens.holder(&token.access_token, Host::Wechat, at(7199)), Ok(APP));
        }
        assert_eq!(
            tokens.holder(&first.access_token, Host::Wechat, at(7200)),
            Err(Refusal::AccessTokenExpired)
        );
    }

    #[test]
    fn a_forced_refresh_ends_the_old_token_at_once_within_its_limits() {
        let (mut tokens, mut rng) = new();
        let limits = Limits { force_refresh_per_day: 2, ..Limits::default() };
        let mut previous = tokens.stable(APP, at(0), &mut rng);
        for (second, refreshed) in [(1, true), (30, false), (31, true), (61, false), (3600, false)] {
            let answer = tokens.force_stable(APP, &limits, at(second), &mut rng);
            assert_eq!(answer.access_token != previous.access_token, refreshed, "at {second} s");
            if refreshed {
                let old = tokens.holder(&previous.access_token, Host::Wechat, at(second));
                assert_eq!(old, Err(Refusal::InvalidCredential));
            }
            previous = answer;
        }
        let tomorrow = tokens.force_stable(APP, &limits, at(24 * 3600), &mut rng);
        assert_ne!(tomorrow.access_token, previous.access_token);
    }

    #[test]
    fn the_families_do_not_touch_each_other() {
        let (mut tokens, mut rng) = new();
        let stable = tokens.stable(APP, at(0), &mut rng);
        tokens.classic(APP, at(0), &mut rng);
        let classic = tokens.classic(APP, at(1), &mut rng);
        assert_eq!(tokens.holder(&stable.access_token, Host::Wechat, at(1000)), Ok(APP));
        assert_eq!(tokens.stable(APP, at(1000), &mut rng).access_token, stable.access_token);
        tokens.force_stable(APP, &Limits::default(), at(1000), &mut rng);
        assert_eq!(
            tokens.holder(&stable.access_token, Host::Wechat, at(1000)),
            Err(Refusal::InvalidCredential)
        );
        assert_eq!(tokens.holder(&classic.access_token, Host::Wechat, at(1000)), Ok(APP));
    }

    #[test]
    fn tokens_ended_early_say_how() {
        for (how, expected) in [
            (TokenEnd::Superseded, Refusal::InvalidCredential),
            (TokenEnd::Expired, Refusal::AccessTokenExpired),
        ] {
            let (mut tokens, mut rng) = new();
            let token = tokens.stable(APP, at(0), &mut rng);
            tokens.end(Some(TokenFamily::Classic), how, at(1));
            assert_eq!(tokens.holder(&token.access_token, Host::Wechat, at(1)), Ok(APP));
            tokens.end(None, how, at(1));
            assert_eq!(tokens.holder(&token.access_token, Host::Wechat, at(1)), Err(expected));
            assert_ne!(tokens.stable(APP, at(1), &mut rng).access_token, token.access_token);
        }
    }

    #[test]
    fn a_wecom_token_stays_to_its_end_or_until_it_is_ended_early() {
        let (mut tokens, mut rng) = new();
        let first = tokens.wecom("c/1", at(0), &mut rng);
        let again = tokens.wecom("c/1", at(7199), &mut rng);
        assert_eq!(again, Grant { access_token: first.access_token.clone(), expires_in: 1 });
        assert_ne!(tokens.wecom("c/2", at(0), &mut rng).access_token, first.access_token, "one per app");
        let holder = |tokens: &Tokens, token: &Grant, host, second| {
            tokens.holder(&token.access_token, host, at(second)).map(str::to_owned)
        };
        assert_eq!(holder(&tokens, &first, Host::Wecom, 7199), Ok("c/1".to_owned()));
        assert_eq!(holder(&tokens, &first, Host::Wechat, 0), Err(Refusal::InvalidAccessToken));
        assert_eq!(holder(&tokens, &first, Host::Wecom, 7200), Err(Refusal::AccessTokenExpired));
        let second = tokens.wecom("c/1", at(7200), &mut rng);
        assert_ne!(second.access_token, first.access_token);
        tokens.end(Some(TokenFamily::Wecom), TokenEnd::Superseded, at(7300));
        assert_eq!(holder(&tokens, &second, Host::Wecom, 7300), Err(Refusal::InvalidAccessToken));
        assert_ne!(tokens.wecom("c/1", at(7300), &mut rng).access_token, second.access_token);
    }

    #[test]
    fn strange_tokens() {
        let (tokens, _) = new();
        assert_eq!(tokens.holder("garbage", Host::Wechat, at(0)), Err(Refusal::InvalidAccessToken));
        let unknown = format!("{PREFIX}{}", "a".repeat(RANDOM_CHARS));
        assert_eq!(tokens.holder(&unknown, Host::Wechat, at(0)), Err(Refusal::InvalidCredential));
    }
}
