//! Who is told through which channels, in which order.

use application::channels::Routes;
use domain::notification::Channel;

use super::super::keys::{DEFAULT_ROUTE, route_keys};
use super::super::reader::Reader;

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
