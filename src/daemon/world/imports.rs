//! CMDB rows that come over the API: each source with one document, which replaces what that source brought before. The files are a source like them.

use watchkeeper_engine::cmdb::diff::{Diff, TooManyRetired};
use watchkeeper_engine::cmdb::files::FILES;
use watchkeeper_engine::cmdb::{Cmdb, Inventory};
use watchkeeper_engine::source::SourceFile;

use super::kind::Confirmed;
use crate::diagnostics::Findings;

/// Sources beside the files. A further one is refused: each is a system that somebody keeps.
pub const IMPORTS_MAX: usize = 64;
/// Bytes of a source's name.
const NAME_BYTES_MAX: usize = 64;

/// What one source brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// Its name.
    pub source: String,
    /// Its document; findings call it `NAME:items.yaml`.
    pub file: SourceFile,
}

/// How a document is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportFormat {
    /// As CMDB files in YAML, with every section.
    Yaml,
    /// Items, a row each.
    Csv,
}

/// What somebody wants imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportWish {
    /// The document of a source.
    pub import: Import,
    /// Whether it is brought into force.
    pub run: Run,
    /// Whether a loss is meant.
    pub confirmed: Confirmed,
}

/// Whether an import is brought into force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    /// It is.
    Real,
    /// It is only said what would change.
    Dry,
}

/// What an import changed, or would change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The CMDB version in force.
    pub cmdb: u64,
    /// Whether another one came into force.
    pub changed: bool,
    /// What is different.
    pub diff: Diff,
    /// Why a dry run would need a confirmation.
    pub unconfirmed: Option<Loss>,
    /// What was taken and probably not meant.
    pub warnings: Findings,
}

/// A loss that needs a confirmation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Loss {
    /// Too many items of a source would go.
    #[error(transparent)]
    TooMany(#[from] TooManyRetired),
    /// A source would lose everything: an export that failed looks just like that.
    #[error("this would retire everything that source `{0}` brought; confirm it if that is meant")]
    Everything(String),
}

impl Import {
    /// The document of `source`.
    ///
    /// # Errors
    /// What was expected of the name.
    pub fn new(source: &str, format: ImportFormat, text: String) -> Result<Import, String> {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
        let begins = source.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        if !begins || !source.chars().all(is_plain) || source.len() > NAME_BYTES_MAX {
            return Err(format!("a name of at most {NAME_BYTES_MAX} letters a to z, digits and - _ ., such as netbox"));
        }
        if source == FILES {
            return Err(format!("another name than `{FILES}`, which is the folder of CMDB files"));
        }
        let extension = match format {
            ImportFormat::Yaml => "yaml",
            ImportFormat::Csv => "csv",
        };
        Ok(Import { source: source.to_owned(), file: SourceFile::new(format!("{source}:items.{extension}"), text) })
    }

    /// As the store kept it.
    pub(super) fn stored(file: SourceFile) -> Import {
        let source = file.path.split(':').next().unwrap_or_default().to_owned();
        Import { source, file }
    }
}

/// Whether a difference is a loss that must be confirmed.
pub(super) fn loss(source: &str, base: &Cmdb, diff: &Diff, next: &Inventory) -> Result<(), Loss> {
    diff.guard(base.inventory())?;
    if brings(base.inventory(), source) && !brings(next, source) { Err(Loss::Everything(source.to_owned())) } else { Ok(()) }
}

fn brings(inventory: &Inventory, source: &str) -> bool {
    inventory.items.values().any(|ci| ci.source == source)
}
