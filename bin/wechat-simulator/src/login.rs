//! One-time login codes of `wx.login` (`sns/jscode2session`): good once, for five minutes.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use rand::{RngExt, rngs::StdRng};

use crate::errcode::Refusal;

/// How long a code is good.
const CODE_SECONDS: i64 = 5 * 60;
/// Characters of a code.
const CODE_CHARS: usize = 32;
/// Characters of a session key; base64 of 16 bytes.
const SESSION_KEY_CHARS: usize = 22;
/// What codes and keys are made of.
const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

#[derive(Debug)]
struct Code {
    appid: String,
    openid: String,
    ends_at: DateTime<Utc>,
    used: bool,
}

#[derive(Debug, Default)]
pub(crate) struct LoginCodes {
    codes: HashMap<String, Code>,
}

impl LoginCodes {
    /// A fresh code for a person of an app.
    pub(crate) fn issue(
        &mut self,
        appid: &str,
        openid: &str,
        now: DateTime<Utc>,
        rng: &mut StdRng,
    ) -> String {
        let code = random_text(CODE_CHARS, rng);
        let ends_at = now + TimeDelta::seconds(CODE_SECONDS);
        let known = Code { appid: appid.to_owned(), openid: openid.to_owned(), ends_at, used: false };
        self.codes.insert(code.clone(), known);
        code
    }

    /// Uses a code up; the person it stands for.
    pub(crate) fn redeem(&mut self, appid: &str, code: &str, now: DateTime<Utc>) -> Result<String, Refusal> {
        let known = self.codes.get_mut(code).filter(|known| known.appid == appid);
        let known = known.ok_or(Refusal::InvalidCode)?;
        if known.used {
            return Err(Refusal::CodeUsed);
        }
        if known.ends_at <= now {
            return Err(Refusal::InvalidCode);
        }
        known.used = true;
        Ok(known.openid.clone())
    }
}

/// The key that comes with every login.
pub(crate) fn session_key(rng: &mut StdRng) -> String {
    format!("{}==", random_text(SESSION_KEY_CHARS, rng))
}

fn random_text(length: usize, rng: &mut StdRng) -> String {
    (0..length).map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())])).collect()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn a_code_is_good_once_for_its_app_and_for_five_minutes() {
        let mut rng = StdRng::seed_from_u64(1);
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let mut codes = LoginCodes::default();
        let code = codes.issue("wx1", "o1", now, &mut rng);
        assert_eq!(code.len(), CODE_CHARS);
        assert_eq!(codes.redeem("wx2", &code, now), Err(Refusal::InvalidCode));
        assert_eq!(codes.redeem("wx1", "other", now), Err(Refusal::InvalidCode));
        assert_eq!(codes.redeem("wx1", &code, now), Ok("o1".to_owned()));
        assert_eq!(codes.redeem("wx1", &code, now), Err(Refusal::CodeUsed));
        let late = codes.issue("wx1", "o1", now, &mut rng);
        let end = now + TimeDelta::seconds(CODE_SECONDS);
        assert_eq!(codes.redeem("wx1", &late, end), Err(Refusal::InvalidCode));
    }
}
