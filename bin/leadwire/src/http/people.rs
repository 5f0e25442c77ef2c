//! Names for ids: answers name people, events and rows hold ids.

use std::collections::{BTreeSet, HashMap};
use std::pin::Pin;

use application::access::Caller;
use application::bus::LoadError;
use application::fates::load_each;
use domain::staff::{Account, Staff};
use domain::{StaffId, StreamId};
use infrastructure::bus::Bus;
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::Problem;
use super::refusals::load_problem;
use crate::app::App;

/// The people an answer names.
#[derive(Debug, Default)]
pub struct People {
    accounts: HashMap<StaffId, Account>,
    suspended: BTreeSet<StaffId>,
}

/// How system A shows a person beside an id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PersonName {
    /// Name on screens.
    pub name: String,
    /// Login name.
    pub username: String,
}

/// How system A shows a person who did something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Person {
    /// Id of the account.
    #[serde(rename = "_id")]
    #[schema(value_type = uuid::Uuid)]
    pub id: StaffId,
    /// Name on screens.
    pub name: String,
    /// Login name.
    pub username: String,
}

impl Person {
    /// Whoever asks.
    pub fn of(caller: &Caller) -> Self {
        Self { id: caller.id, name: caller.name.clone(), username: caller.username.clone() }
    }
}

impl People {
    /// One of them with the id; `None` as in [`People::name`].
    pub fn person(&self, id: Option<StaffId>) -> Option<Person> {
        let PersonName { name, username } = self.name(id)?;
        Some(Person { id: id?, name, username })
    }

    /// The name on screens of one of them; blank as in [`People::name`].
    pub fn shown(&self, id: StaffId) -> String {
        self.name(Some(id)).map(|person| person.name).unwrap_or_default()
    }

    /// Whether one of them cannot log in.
    pub fn is_suspended(&self, id: StaffId) -> bool {
        self.suspended.contains(&id)
    }

    /// Looks these people up, all at once. Boxed, so that whatever names the ids is not part of the caller's future.
    pub fn find<'a>(
        app: &'a App,
        ids: impl IntoIterator<Item = StaffId>,
    ) -> Pin<Box<dyn Future<Output = Result<Self, Problem>> + Send + 'a>> {
        let ids: BTreeSet<StaffId> = ids.into_iter().collect();
        Box::pin(async move { Self::read(&app.bus, ids).await.map_err(|error| load_problem(&error)) })
    }

    /// Looks these people up, for whoever serves nothing. Somebody whose account cannot be read has no name: whatever else
    /// a page shows is shown all the same.
    pub async fn read(bus: &Bus, ids: BTreeSet<StaffId>) -> Result<Self, LoadError> {
        let streams: Vec<StreamId> = ids.iter().copied().map(StreamId::from).collect();
        let staff = load_each::<_, Staff>(bus, &streams).await?;
        let mut people = Self::default();
        for (id, staff) in ids.into_iter().zip(staff).filter_map(|(id, staff)| Some((id, staff?))) {
            people.suspended.extend((!staff.state.is_active()).then_some(id));
            people.accounts.extend(staff.state.account.map(|account| (id, account)));
        }
        Ok(people)
    }

    /// The name of one of them; `None` for nobody and for somebody who is not in the directory.
    pub fn name(&self, id: Option<StaffId>) -> Option<PersonName> {
        let account = self.accounts.get(&id?)?;
        Some(PersonName { name: account.name.clone(), username: account.username.clone() })
    }
}

#[cfg(test)]
impl People {
    /// People a test makes up.
    pub fn of(accounts: impl IntoIterator<Item = (StaffId, Account)>) -> Self {
        Self { accounts: accounts.into_iter().collect(), suspended: BTreeSet::new() }
    }
}
