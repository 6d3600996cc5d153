//! Names in rules that stand for something elsewhere, each with its place, to be held against what is there.

use std::ops::Range;

use crate::source::{Diagnostic, Reading, SourceFile, Spanned, listed, nearest};

/// A name in a file, to be said wrong later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The name.
    pub name: String,
    /// The file's path.
    pub file: String,
    /// The name's bytes there.
    pub span: Range<usize>,
}

impl Named {
    pub(super) fn at(reading: &Reading<'_>, name: Spanned<String>) -> Named {
        Named { name: name.value, file: reading.file().path.clone(), span: name.span }
    }

    /// A finding at this place.
    pub fn error(&self, message: String) -> Diagnostic {
        let file = SourceFile::new(self.file.clone(), "");
        Diagnostic::error(&file, &self.span, message)
    }

    /// What is probably not meant at this place.
    pub fn warning(&self, message: String) -> Diagnostic {
        let file = SourceFile::new(self.file.clone(), "");
        Diagnostic::warning(&file, &self.span, message)
    }

    /// That nothing of that name is there.
    pub(super) fn unknown<'k>(&self, what: &str, known: impl Iterator<Item = &'k str> + Clone, where_to: &str) -> Diagnostic {
        let words: Vec<&str> = known.clone().collect();
        let help = match nearest(&self.name, known) {
            Some(word) => format!("did you mean `{word}`?"),
            None => where_to.to_owned(),
        };
        let label = if words.is_empty() { String::new() } else { format!("known are {}", listed(&words, "and")) };
        self.error(format!("unknown {what} `{}`", crate::text::cut(&self.name, 60))).label(label).help(help)
    }
}

/// A name that something outside the rule files gives: only who loads that can say whether it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention {
    /// What it names.
    pub what: Mentioned,
    /// The rule that names it, as messages say it: notify rule `page`.
    pub rule: String,
    /// The name.
    pub named: Named,
}

/// What a mention names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mentioned {
    /// A template of mails.
    Template,
    /// A team of the CMDB.
    Team,
    /// A person of the CMDB.
    Person,
    /// A contract of the CMDB.
    Contract,
    /// A `[[prometheus]]` of daemon.toml.
    Server,
    /// An `[[out]]` of daemon.toml.
    Hook,
}

impl Mention {
    /// That a rule, which may have no name, names something.
    pub(super) fn new(what: Mentioned, kind: &str, rule: Option<&str>, named: Named) -> Mention {
        Mention { what, rule: rule.map_or_else(|| kind.to_owned(), |rule| format!("{kind} `{rule}`")), named }
    }
}
