//! What a person wishes at this moment, for those who act without the policy: the own preferences and those of the role.

use application::bus::{CommandBus, LoadError};
use domain::preferences::{Document, Preferences};
use domain::staff::Staff;
use domain::{Sequence, StaffId, StreamId};

use crate::bus::Bus;

/// What counts for one person; `application::preferences` says which of the two does.
pub(crate) struct Wishes {
    /// What the person said.
    pub(crate) own: Document,
    /// What the person's role says.
    pub(crate) role: Document,
    /// The streams that say so, and where they were.
    pub(crate) read_from: Vec<(StreamId, Sequence)>,
}

impl Wishes {
    /// As the log has them now. Somebody without an account has no role.
    pub(crate) async fn of(bus: &Bus, person: StaffId, staff: &Staff) -> Result<Self, LoadError> {
        let role = staff.account.as_ref().map(|account| StreamId::role_preferences(account.role.as_str()));
        let streams: Vec<StreamId> = std::iter::once(StreamId::preferences(person)).chain(role).collect();
        let loaded = bus.load_many::<Preferences>(&streams).await?;
        let read_from =
            streams.into_iter().zip(loaded.iter().map(|preferences| preferences.sequence)).collect();
        let mut documents = loaded.into_iter().map(|preferences| preferences.state.document);
        let own = documents.next().unwrap_or_default();
        Ok(Self { own, role: documents.next().unwrap_or_default(), read_from })
    }
}
