//! What every section of `daemon.toml` is read with: sections and lists of them, names, secrets, and a fault at its place.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use watchkeeper_engine::ids::Realm;
use watchkeeper_engine::source::{Diagnostic, Keys, Kind, Reading, Shape, Spanned};

use super::secret::{Secret, read_password, read_secret};
use super::{Environment, Secrets};

/// Characters of a name that stands in a path.
const NAME_CHARS_MAX: usize = 64;
/// Names of sources that are the daemon's own.
const RESERVED_SOURCES: &[&str] = &["capacity", "default", "watchkeeper"];

/// A file that is read; each section adds how it is.
pub(super) struct Reader<'a> {
    /// The file, and what was found in it.
    pub(super) reading: Reading<'a>,
    /// Where it lies: relative paths begin there.
    pub(super) folder: &'a Path,
    /// What else there is beside it.
    pub(super) environment: &'a Environment,
}

impl<'a> Reader<'a> {
    /// Opens the section `key`; a value that is no table is reported in TOML's words.
    pub(super) fn section(&self, parent: &Keys<'a, '_>, key: &'static str, shape: &'static Shape) -> Option<Keys<'a, '_>> {
        let node = parent.node(key)?;
        if !matches!(node.kind, Kind::Map(_)) {
            self.reading.report(
                Diagnostic::error(self.reading.file(), &node.span, format!("`{key}` is a section, found {}", node.describe()))
                    .help(format!("write {} on a line of its own, and its keys below", shape.what)),
            );
            return None;
        }
        self.reading.keys(node, shape)
    }

    /// Opens every table of the list `key`.
    pub(super) fn sections(&self, file: &Keys<'a, '_>, key: &'static str, shape: &'static Shape) -> Vec<Keys<'a, '_>> {
        let Some(node) = file.node(key) else { return Vec::new() };
        let Kind::Seq(items) = &node.kind else {
            self.reading.report(
                Diagnostic::error(self.reading.file(), &file.place_of(key), format!("`{key}` is a list of sections"))
                    .help(format!("write {} with two brackets on each side, once for each", shape.what)),
            );
            return Vec::new();
        };
        items.iter().filter_map(|item| self.reading.keys(item, shape)).collect()
    }

    /// Names stand in paths, metrics and timelines: short, and of characters that need no escape anywhere.
    pub(super) fn check_name(&self, name: &Spanned<&'a str>, what: &str, known: &mut BTreeMap<&'a str, Range<usize>>) {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.value.is_empty() || name.value.len() > NAME_CHARS_MAX || !name.value.chars().all(fits) {
            let message = format!("`{}` is no name of a {what}", name.value);
            self.fault(&name.span, message, "use 1 to 64 letters, digits, `-`, `_` and `.`");
        }
        if let Some(first) = known.insert(name.value, name.span.clone()) {
            let line = self.reading.file().place(first.start).line;
            let message = format!("the {what} `{}` is given twice", name.value);
            self.fault(&name.span, message, &format!("the first is on line {line}; each needs a name of its own"));
        }
    }

    /// What the alerts of a door belong to.
    pub(super) fn realm(&self, keys: &Keys<'a, '_>) -> Realm {
        let Some(realm) = keys.get::<Spanned<&str>>("realm") else { return Realm::MAIN };
        self.check_name(&realm, "realm", &mut BTreeMap::new());
        Realm::from(realm.value)
    }

    pub(super) fn not_reserved(&self, source: &Spanned<&str>) {
        if RESERVED_SOURCES.contains(&source.value) {
            let message = format!("`{}` is a source of the daemon's own", source.value);
            self.fault(&source.span, message, "choose another name: alerts and metrics show it as their source");
        }
    }

    pub(super) fn secret(&self, name: &Spanned<&str>) -> Option<Secret> {
        if self.environment.secrets == Secrets::Assumed {
            return Some(Secret::new(format!("{} at {}", name.value, name.span.start)));
        }
        match read_secret(name.value, self.environment.credentials.as_deref(), self.folder) {
            Ok(secret) => Some(secret),
            Err(error) => {
                let help = "a secret is looked for in $CREDENTIALS_DIRECTORY, then beside this file";
                self.fault(&name.span, error.to_string(), help);
                None
            }
        }
    }

    /// A password, which another system may have made short.
    pub(super) fn password(&self, name: &Spanned<&str>) -> Option<Secret> {
        if self.environment.secrets == Secrets::Assumed {
            return Some(Secret::new(format!("{} at {}", name.value, name.span.start)));
        }
        let read = read_password(name.value, self.environment.credentials.as_deref(), self.folder);
        let help = "a password is looked for in $CREDENTIALS_DIRECTORY, then beside this file";
        read.map_err(|error| self.fault(&name.span, error.to_string(), help)).ok()
    }

    pub(super) fn fault(&self, span: &Range<usize>, message: String, help: &str) {
        self.reading.report(Diagnostic::error(self.reading.file(), span, message).help(help));
    }
}
