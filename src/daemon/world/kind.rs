//! The three folders of files: which files each has, what a change of them looks like, and whether a loss is meant.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::config::{Files, Folder};

/// Which of the three folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Rule files.
    Rules,
    /// Mail templates.
    Templates,
    /// CMDB files.
    Cmdb,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 3] = [Kind::Rules, Kind::Templates, Kind::Cmdb];

    pub(super) fn extensions(self) -> &'static [&'static str] {
        match self {
            // Holidays lie beside the rules that name them.
            Kind::Rules => &["yaml", "yml", "ics"],
            Kind::Templates => &["hbs"],
            Kind::Cmdb => &["yaml", "yml", "csv"],
        }
    }

    /// Whether a file of this name is read in any of the folders.
    pub(super) fn reads(path: &Path) -> bool {
        Kind::ALL.iter().any(|kind| path.extension().is_some_and(|extension| kind.extensions().iter().any(|known| extension == *known)))
    }

    /// Its folder.
    pub fn folder(self, files: &Files) -> &Folder {
        match self {
            Kind::Rules => &files.rules,
            Kind::Templates => &files.templates,
            Kind::Cmdb => &files.cmdb,
        }
    }
}

/// Whether somebody said that a loss is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmed {
    /// They did.
    Yes,
    /// They did not: a folder that was emptied, or items that vanish in numbers, are refused.
    No,
}

/// What the folders look like: each file, when it was changed, and its length.
pub(super) type Stamp = Vec<(PathBuf, Option<SystemTime>, u64)>;
