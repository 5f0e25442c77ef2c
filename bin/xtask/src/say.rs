//! The one door to the terminal. Everything goes to standard error, so that the output of a command that runs
//! under xtask stays alone on standard output.

use std::{
    fmt,
    io::{self, Write as _},
    time::Duration,
};

/// Prints one plain line. Nobody listening any more, as behind `| head`, is no reason to leave a task half done,
/// which is why this is not `eprintln!`.
pub(crate) fn line(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Prints the heading of a step, set off by an empty line.
pub(crate) fn heading(text: &str) {
    line(&format!("\n==> {text}"));
}

/// Prints why the command failed.
pub(crate) fn error(text: &str) {
    line(&format!("error: {text}"));
}

/// A duration as people read it: tenths of seconds, minutes from one minute on.
pub(crate) struct Elapsed(pub(crate) Duration);

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match seconds / 60 {
            0 => write!(f, "{:.1} s", self.0.as_secs_f64()),
            minutes => write!(f, "{minutes} min {:02} s", seconds % 60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_seconds_then_minutes() {
        let check = |milliseconds, expected: &str| {
            assert_eq!(Elapsed(Duration::from_millis(milliseconds)).to_string(), expected);
        };
        check(40, "0.0 s");
        check(12_340, "12.3 s");
        check(60_000, "1 min 00 s");
        check(185_900, "3 min 05 s");
    }
}
