//! The crates form a line, and each may use only what stands on its left (design: architecture.md section 1).
//! Cargo would accept any acyclic graph, so this is where a wrong dependency is refused.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use cargo_metadata::{DependencyKind, MetadataCommand};

/// The line, from left to right.
const LINE: [&str; 6] = ["domain", "application", "infrastructure", "projections", "leadwire", "tests"];

/// Crates beside the line: they use none of ours.
const ALONE: [&str; 2] = ["wechat-simulator", "xtask"];

/// What stands beside the line and may still be used, and by whom.
const USED_FROM_THE_SIDE: [(&str, &str); 2] =
    [("leadwire", "wechat-simulator"), ("tests", "wechat-simulator")];

/// What a crate must not depend on by itself, because of what it must not contain.
const FORBIDDEN: [(&str, &[&str]); 5] = [
    ("domain", &["tokio", "sqlx", "axum", "reqwest", "tracing", "rand", "sea-query"]),
    ("application", &["tokio", "sqlx", "axum", "reqwest", "rand", "sea-query"]),
    ("infrastructure", &["axum", "tower", "tower-http", "clap"]),
    ("projections", &["axum", "reqwest", "tower", "tower-http", "clap"]),
    ("leadwire", &["sqlx", "sea-query"]),
];

/// Package name → the names of what it depends on, development dependencies left out.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let metadata = MetadataCommand::new().manifest_path(manifest).no_deps().exec().unwrap();
    let members = metadata.workspace_packages().into_iter();
    members
        .map(|package| {
            let used = package.dependencies.iter().filter(|used| used.kind != DependencyKind::Development);
            (package.name.to_string(), used.map(|used| used.name.clone()).collect())
        })
        .collect()
}

/// Every dependency of one of our crates on another.
fn edges() -> Vec<(String, String)> {
    let dependencies = dependencies();
    let ours: BTreeSet<&String> = dependencies.keys().collect();
    let mut edges = Vec::new();
    for (user, used) in &dependencies {
        edges.extend(used.iter().filter(|used| ours.contains(used)).map(|used| (user.clone(), used.clone())));
    }
    edges
}

fn place(name: &str) -> Option<usize> {
    LINE.iter().position(|crate_name| *crate_name == name)
}

#[test]
fn every_crate_has_its_place() {
    let named: BTreeSet<&str> = LINE.into_iter().chain(ALONE).collect();
    let dependencies = dependencies();
    let found: BTreeSet<&str> = dependencies.keys().map(String::as_str).collect();
    assert_eq!(found, named, "a new crate needs a place in the line, here and in ARCHITECTURE.md");
}

#[test]
fn each_crate_uses_only_what_stands_on_its_left() {
    for (user, used) in edges() {
        let allowed = match (place(&user), place(&used)) {
            (Some(right), Some(left)) => left < right,
            (Some(_), None) => USED_FROM_THE_SIDE.contains(&(user.as_str(), used.as_str())),
            (None, _) => false,
        };
        assert!(allowed, "`{user}` must not depend on `{used}`");
    }
}

#[test]
fn the_line_is_really_used() {
    // Without this the test above would pass on a workspace whose names it no longer knows.
    let edges = edges();
    for pair in LINE.windows(2) {
        let edge = (pair[1].to_owned(), pair[0].to_owned());
        assert!(edges.contains(&edge), "`{}` no longer uses `{}`", pair[1], pair[0]);
    }
}

#[test]
fn no_crate_holds_what_belongs_to_another() {
    let dependencies = dependencies();
    for (user, forbidden) in FORBIDDEN {
        for name in forbidden {
            assert!(!dependencies[user].contains(*name), "`{user}` must not depend on `{name}`");
        }
    }
}
