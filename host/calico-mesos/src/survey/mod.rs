//! Faults in what is in etcd, whoever made them: `check` names them, `repair` mends what can be mended without asking
//! anybody. Each is mended by compare-and-swap, and only if it still is what was found: agents may be at work meanwhile.

mod blocks;
mod profiles;
mod read;

pub use read::read_each;

use std::{fmt, time::Duration};

use crate::{
    deadline::Deadline,
    error::Result,
    etcd::{
        Client,
        cas::{self, Change},
    },
    ipam::{Ipam, block, block::Block, cidr::Cidr},
    profile,
    settings::Settings,
};

/// Thousands of keys are read.
const TIME: Duration = Duration::from_secs(60);

/// What a fault is about, which is the name of its check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// What Felix makes of profiles.
    Profiles,
    /// What BIRD makes of affinities.
    Affinities,
    /// What other Calico clients make of blocks.
    Blocks,
}

impl Topic {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Profiles, Self::Affinities, Self::Blocks];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Profiles => "profiles",
            Self::Affinities => "affinities",
            Self::Blocks => "blocks",
        }
    }
}

/// How a fault is mended.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Remedy {
    /// The rules are those of 0.2.0.
    Profile(String),
    /// The host's affinity goes.
    Drop(String, Cidr),
    /// The host gets an affinity.
    Restore(String, Cidr),
    /// The block's list of free addresses is made true.
    Correct(Cidr),
    /// By whoever knows what was meant.
    ByHand,
}

/// A fault.
#[derive(Clone, Debug)]
pub struct Fault {
    /// What it is about.
    pub topic: Topic,
    /// Whether something does not work, or is open, because of it.
    pub is_grave: bool,
    text: String,
    remedy: Remedy,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Fault {
    /// Whether [`Fault::mend`] can do something.
    pub fn is_mendable(&self) -> bool {
        self.remedy != Remedy::ByHand
    }

    /// Mends it, if it still is there; whether it was.
    pub fn mend(&self, client: &Client) -> Result<bool> {
        match &self.remedy {
            Remedy::Profile(name) => profile::mend(client, name),
            Remedy::Drop(host, block) => Ipam { client, host }.drop_if_stale(*block),
            Remedy::Restore(host, block) => Ipam { client, host }.restore(*block),
            Remedy::Correct(block) => correct(client, *block),
            Remedy::ByHand => Ok(false),
        }
    }
}

/// Writes a block whose list of free addresses was not true as it was read: then it is.
fn correct(client: &Client, cidr: Cidr) -> Result<bool> {
    cas::update(client, &block::key(cidr), |node| {
        let block = node.map(|node| Block::read(cidr, node)).transpose()?;
        Ok(match block.filter(Block::is_corrected) {
            Some(block) => Change::Write(block.to_json(), true),
            None => Change::Keep(false),
        })
    })
}

/// A client that has the time for a survey.
pub fn client(settings: &Settings) -> Result<Client> {
    Ok(Client::new(&settings.etcd(), Deadline::after(TIME))?)
}

/// The faults of one topic.
pub fn faults(client: &Client, topic: Topic) -> Result<Vec<Fault>> {
    match topic {
        Topic::Profiles => profiles::faults(client),
        Topic::Affinities => blocks::affinities(client),
        Topic::Blocks => blocks::faults(client),
    }
}
