//! Unpacks packages into one folder, as rpm would install them into a root, but without rpm, without scriptlets, and as an
//! ordinary user.
//!
//! The result does not depend on the machine: owners, devices, set-id bits and ghosts are left out. Permissions are those
//! of the package, but the user who owns the tree can always read and remove it. Two packages may have the
//! same file, but not two different files at one path. The digests of a package's files are checked while they are written.
//!
//! Nothing is written outside of the folder, whatever links a package has (`inside.rs`). Payloads are streamed, and
//! their size is limited while they are read.

mod digest;
mod inside;
mod member;
mod modes;
mod order;
mod tree;

use crate::{Result, read::Rpm};

pub use order::in_order;
pub use tree::{Tree, TreeSummary};

use tree::{What, named};

impl Tree {
    /// Unpacks one package. After an error the tree must not be used.
    ///
    /// # Errors
    /// [`crate::Error::Unpack`] or [`crate::Error::Format`] if the package is wrong, or an I/O error.
    pub fn add(&mut self, rpm: &Rpm) -> Result<()> {
        member::unpack(self, rpm)?;
        self.summary.packages += 1;
        Ok(())
    }

    /// Sets the permissions and times of the folders, and computes the digest of the tree.
    ///
    /// # Errors
    /// An I/O error that names the file.
    pub fn finish(mut self) -> Result<TreeSummary> {
        for path in &self.folders {
            let (mode, time) = match self.spot(path).ok().and_then(|spot| self.node(&spot)) {
                Some(What::Folder { mode, time }) => (*mode, *time),
                _ => (0o755, 0),
            };
            let folder = self.root.folder(path);
            let sealed = folder.and_then(|folder| modes::folder(&folder, mode, time));
            sealed.map_err(|e| named(e, self.whole(path).display()))?;
        }
        self.summary.digest = digest::of(&self)?;
        Ok(self.summary)
    }
}
