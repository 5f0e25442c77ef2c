//! What `leadwire intake check` found.

/// How one thing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// As it should be.
    Good,
    /// It works, with a limit that somebody should know.
    Warning,
    /// It does not work.
    Failed,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What: `table`, `privileges`, `capture table`, `triggers`, `probe`, `order`, `registration`,
    /// `trigger account`, `members' own statements`.
    pub subject: &'static str,
    /// How it stands.
    pub verdict: Verdict,
    /// What was seen, and what to do about it.
    pub said: String,
}

/// Everything that was looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// In the order it was looked at.
    pub findings: Vec<Finding>,
}

impl CheckReport {
    /// Adds a finding.
    pub fn found(&mut self, subject: &'static str, verdict: Verdict, said: impl Into<String>) {
        self.findings.push(Finding { subject, verdict, said: said.into() });
    }

    /// The worst verdict; nothing looked at proves nothing.
    pub fn verdict(&self) -> Verdict {
        self.findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Failed)
    }

    /// The verdict about one subject, the worst if there are several.
    pub fn about(&self, subject: &str) -> Option<Verdict> {
        self.findings.iter().filter(|finding| finding.subject == subject).map(|finding| finding.verdict).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_finding_counts() {
        let mut report = CheckReport::default();
        assert_eq!(report.verdict(), Verdict::Failed);
        report.found("table", Verdict::Good, "there");
        assert_eq!(report.verdict(), Verdict::Good);
        report.found("probe", Verdict::Warning, "not allowed");
        report.found("probe", Verdict::Good, "an update arrived");
        assert_eq!((report.verdict(), report.about("probe")), (Verdict::Warning, Some(Verdict::Warning)));
        assert_eq!(report.about("triggers"), None);
    }
}
