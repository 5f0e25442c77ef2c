//! The processes of a run, and which of them is at it.

use anyhow::{Context as _, Result};
use futures_util::future::try_join_all;

use crate::crash::service::{Address, Service};

/// What a process logs when it begins a period of a job, or begins it again.
const BEGINS: [&str; 2] = [" begins", " is begun again"];

/// Processes with numbers, some of them killed.
#[derive(Debug)]
pub(crate) struct Crew {
    addresses: Vec<Address>,
    services: Vec<Option<Service>>,
}

impl Crew {
    /// Starts so many, all at once.
    pub(crate) async fn start(first: &Address, processes: usize) -> Result<Self> {
        let others = (1..processes).map(|n| first.beside(n));
        let addresses = std::iter::once(Ok(first.clone())).chain(others).collect::<Result<Vec<_>>>()?;
        let services = try_join_all(addresses.iter().map(Service::start)).await?;
        Ok(Self { services: services.into_iter().map(Some).collect(), addresses })
    }

    /// Where everybody is, or was.
    pub(crate) fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// Whether that one lives.
    pub(crate) fn lives(&self, number: usize) -> bool {
        self.services[number].is_some()
    }

    /// Of those that live, the one that was the last to begin a period of a job.
    pub(crate) fn last_began(&self, job: &str) -> Option<usize> {
        let job = format!("job {job} of ");
        let begun = |service: &Service| {
            let log = service.log();
            let begins = |line: &&str| line.contains(&job) && BEGINS.iter().any(|words| line.contains(words));
            let mut lines = log.lines().filter(begins);
            lines.next_back().map(str::to_owned)
        };
        let services = self.services.iter().enumerate();
        let begun = services.filter_map(|(number, service)| Some((begun(service.as_ref()?)?, number)));
        // A line begins with its time.
        begun.max().map(|(_, number)| number)
    }

    /// Kills one; where it was.
    pub(crate) async fn kill(&mut self, number: usize) -> Result<Address> {
        let service = self.services[number].take().context("that process was killed before")?;
        service.kill().await?;
        Ok(self.addresses[number].clone())
    }

    /// Another one in its place.
    pub(crate) async fn start_again(&mut self, number: usize, address: &Address) -> Result<()> {
        self.services[number] = Some(Service::start(address).await?);
        Ok(())
    }

    /// Where somebody lives, the last of them.
    pub(crate) fn free(&self) -> Result<Address> {
        let last = self.services.iter().rposition(Option::is_some).context("nobody lives")?;
        Ok(self.addresses[last].clone())
    }

    /// Somebody who lives, the last of them.
    pub(crate) fn anybody(&mut self) -> Result<(Address, &mut Service)> {
        let address = self.free()?;
        let service = self.services.iter_mut().rev().flatten().next().context("nobody lives")?;
        Ok((address, service))
    }

    /// Stops those that are left, in good order.
    pub(crate) async fn stop(self) -> Result<()> {
        for service in self.services.into_iter().flatten() {
            service.stop().await?;
        }
        Ok(())
    }
}
