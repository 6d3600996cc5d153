//! What the store keeps of a World: the files it was built from, and the CMDB's rows.

use std::sync::Arc;

use watchkeeper_engine::cmdb::{Cmdb, Inventory};
use watchkeeper_engine::source::SourceFile;
use watchkeeper_store::{self as store, Snapshot, SourceKind, StoreError, inventory_rows};

use super::Built;
use super::files::Sources;
use super::imports::Import;
use super::kind::Kind;
use crate::writer::Adoption;

/// What a start finds.
#[derive(Debug, Default)]
pub struct Stored {
    /// The last good sources; `None` where none were ever taken.
    pub sources: Option<Sources>,
    /// The CMDB.
    pub inventory: Inventory,
    /// Its version; 0 where nothing was ever imported.
    pub version: u64,
}

impl Stored {
    /// Reads what the store keeps.
    ///
    /// # Errors
    /// The store fails, or a row is not readable.
    pub fn read(snapshot: &Snapshot) -> Result<Stored, StoreError> {
        let files = |kind| -> Result<Option<Vec<SourceFile>>, StoreError> {
            let set = snapshot.last_good(kind)?;
            let text = |file: store::SourceFile| SourceFile::new(file.path, String::from_utf8_lossy(&file.text).into_owned());
            Ok(set.map(|set| set.files.into_iter().map(text).collect()))
        };
        let rules = files(SourceKind::Rules)?;
        let (templates, cmdb) = (files(SourceKind::Templates)?.unwrap_or_default(), files(SourceKind::Cmdb)?.unwrap_or_default());
        let imports: Vec<Import> = files(SourceKind::Imports)?.unwrap_or_default().into_iter().map(Import::stored).collect();
        let sources = rules.map(|rules| Sources { rules, templates, cmdb, imports, ..Sources::default() });
        let (version, inventory) = snapshot.inventory()?.unwrap_or_default();
        Ok(Stored { sources, inventory, version })
    }
}

/// What the writer needs to bring `built` into force after `before`.
pub fn adoption(built: &Built, before: &Cmdb) -> Adoption {
    let rows = if built.diff.is_empty() {
        Vec::new()
    } else {
        inventory_rows(before.inventory(), built.world.cmdb.inventory(), built.world.cmdb.version())
    };
    let stored = |file: &SourceFile| store::SourceFile { path: file.path.clone(), text: file.text.clone().into_bytes() };
    let folders = Kind::ALL.into_iter().map(|kind| (source_kind(kind), built.sources.of(kind).iter().map(stored).collect()));
    let imports = built.sources.imports.iter().map(|import| stored(&import.file)).collect();
    let sources = folders.chain([(SourceKind::Imports, imports)]).collect();
    Adoption { world: built.world.clone(), templates: Arc::clone(&built.templates), rows, sources }
}

fn source_kind(kind: Kind) -> SourceKind {
    match kind {
        Kind::Rules => SourceKind::Rules,
        Kind::Templates => SourceKind::Templates,
        Kind::Cmdb => SourceKind::Cmdb,
    }
}
