//! Text that could not be read: what may be defined there is not missed anywhere else, so that one syntax fault does not become a hundred unknown names.

use std::collections::BTreeSet;

/// The words of all text that could not be read.
#[derive(Debug, Clone, Default)]
pub struct Unread {
    words: BTreeSet<String>,
    everything: bool,
}

impl Unread {
    /// Adds text that could not be read.
    pub fn add(&mut self, text: &str) {
        self.words.extend(words(text));
    }

    /// Says that there is text which nobody has seen, such as a file that cannot be opened.
    pub fn add_unseen(&mut self) {
        self.everything = true;
    }

    /// Whether everything could be read.
    pub fn is_empty(&self) -> bool {
        !self.everything && self.words.is_empty()
    }

    /// Whether `name` may be defined where nobody could look: every word of it stands there, whatever the case.
    pub fn may_define(&self, name: &str) -> bool {
        self.everything || (!self.words.is_empty() && words(name).all(|word| self.words.contains(&word)))
    }
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}
