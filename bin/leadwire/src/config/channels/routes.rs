//! Who is told through which channels, in which order.

use application::channels::Routes;
use domain::notification::Channel;

use super::super::keys::{DEFAULT_ROUTE, route_keys};
use super::super::reader::{Reader, Sources};
use super::super::{Problem, Settings};

/// The name of the section before a type of notice.
const SECTION: &str = "routes.";

/// Every list that is configured. One that is empty keeps its types in the inbox.
pub(in super::super) fn routes(reader: &mut Reader) -> Option<Routes> {
    let mut lists: Vec<(&str, Vec<Channel>)> = Vec::new();
    for path in std::iter::once(DEFAULT_ROUTE).chain(route_keys()) {
        let list = reader.checked(path, |names: Vec<String>| {
            Routes::list(names.iter().map(String::as_str)).map_err(|error| error.to_string())
        });
        lists.extend(list.map(|list| (path.trim_start_matches(SECTION), list)));
    }
    match Routes::parse(lists) {
        Ok(routes) => Some(routes),
        Err(error) => {
            reader.problem("routes", error.to_string());
            None
        }
    }
}

/// Routes that name channels which are not configured: nobody is told through those, and every decision will say so. It
/// is allowed, because the route may be there before its channel is; the list that nobody set names them all.
pub fn doubts(sources: &Sources, settings: &Settings) -> Vec<Problem> {
    let (mut reader, channels) = (Reader::new(sources), settings.channels());
    let mut doubts = Vec::new();
    for path in std::iter::once(DEFAULT_ROUTE).chain(route_keys()) {
        if !reader.is_changed(path) {
            continue;
        }
        let names: Vec<String> = reader.optional(path).unwrap_or_default();
        let list = Routes::list(names.iter().map(String::as_str)).unwrap_or_default();
        let missing: Vec<&str> = list
            .iter()
            .filter(|channel| !channels.is_configured(**channel))
            .map(|one| one.as_str())
            .collect();
        if !missing.is_empty() {
            let rule = format!("names {}, not configured: nobody is told that way", missing.join(", "));
            doubts.push(Problem { setting: path.to_owned(), rule });
        }
    }
    doubts
}
