//! Publishes the packages that are ready before compiles that may take an hour: if the run is stopped then, or a
//! compile fails, there is a repository.

use super::{
    ready,
    session::{Ready, Session},
};
use base::{
    events::{Event, Reporter},
    failure::Result,
    workspace::Workspace,
};
use pipeline::{
    cache::Cache,
    keys::Keys,
    plan::Plan,
    publish::{Destination, Publication},
};

/// The settings for publishing in this run.
pub(super) struct Publisher<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) destination: &'a Destination,
    pub(super) base_url: &'a str,
    pub(super) keys: &'a Keys,
    /// Whether checks of builds are left out.
    pub(super) unchecked: bool,
    pub(super) reporter: &'a dyn Reporter,
}

impl Publisher<'_> {
    /// Publishes the packages that are ready, unless the repository at the destination has more. Returns whether a
    /// repository was written.
    pub(super) fn early(&self, session: &Session<'_>, now: Ready<'_>) -> Result<bool> {
        let Ready { plan, mut ended, rest, last_time } = now;
        ready::leave_out(plan, &mut ended, self.workspace, &session.cache)?;
        let certificate = self.keys.signer.certificate();
        let rpms = ready::signed_rpms(plan, &ended, &session.cache, certificate)?;
        let publication = self.of(plan, &rpms, &session.cache);
        if rpms.is_empty() || !publication.has_all_of_the_present()? {
            return Ok(false);
        }
        let written = publication.write_if_new(self.reporter)?;
        self.reporter.event(&Event::Published { packages: rpms.len(), rest: &rest, last_time });
        Ok(written)
    }

    /// The repository of these RPMs.
    pub(super) fn of<'a>(
        &'a self,
        plan: &'a Plan,
        rpms: &'a ready::Signed,
        cache: &Cache,
    ) -> Publication<'a> {
        let Self { workspace, destination, base_url, keys, unchecked, .. } = *self;
        let compiler = plan.compiler_of(rpms);
        let roots = plan.roots_of(rpms, cache);
        Publication { workspace, destination, base_url, keys, rpms, compiler, roots, unchecked }
    }
}
