//! Whom a file means by 负责人.

use std::collections::HashMap;

use domain::StaffId;
use domain::staff::normalise_username;

use super::{GoodRow, PlacedRow, StoreRefusal};
use crate::access::{self, Action, Caller};

/// The staff by user name and by name.
#[derive(Debug, Default)]
pub struct Owners {
    by_username: HashMap<String, StaffId>,
    by_name: HashMap<String, Vec<StaffId>>,
}

impl Owners {
    /// Of everybody: id, user name, name.
    pub fn of<'s>(staff: impl IntoIterator<Item = (StaffId, &'s str, &'s str)>) -> Self {
        let mut owners = Self::default();
        for (id, username, name) in staff {
            owners.by_username.insert(username.to_owned(), id);
            owners.by_name.entry(name.trim().to_owned()).or_default().push(id);
        }
        owners
    }

    /// Says who gets each row: whom it names, else the importer. A user name goes before a name.
    pub fn place(&self, caller: &Caller, rows: Vec<GoodRow>) -> Vec<PlacedRow> {
        rows.into_iter().map(|row| self.placed(caller, row)).collect()
    }

    fn placed(&self, caller: &Caller, row: GoodRow) -> PlacedRow {
        let GoodRow { number, form, owner } = row;
        let named = owner.is_some();
        let owner = match owner {
            None => Ok(caller.id),
            Some(name) => self.find(&name).and_then(|id| {
                let may = id == caller.id || access::allows(caller.role, Action::PickAssignee);
                if may { Ok(id) } else { Err(StoreRefusal::Forbidden) }
            }),
        };
        PlacedRow { number, form, owner, named }
    }

    fn find(&self, name: &str) -> Result<StaffId, StoreRefusal> {
        let username = normalise_username(name).ok();
        if let Some(id) = username.and_then(|username| self.by_username.get(&username)) {
            return Ok(*id);
        }
        match self.by_name.get(name.trim()).map(Vec::as_slice) {
            Some([id]) => Ok(*id),
            Some([_, ..]) => Err(StoreRefusal::StaffAmbiguous),
            _ => Err(StoreRefusal::StaffNotFound),
        }
    }
}
