//! Identity: ids, aliases and the short forms of host names, found whatever the case.
//!
//! The index is two flat arrays over one text, so a million names cost tens of megabytes and finding one allocates nothing.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Range;

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::Ci;
use crate::ids::CiNo;

/// Whether two names are the same but for case.
pub fn same_name(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b) || !(a.is_ascii() && b.is_ascii()) && folded(a).eq(folded(b))
}

/// The order of names: without case first, then as written.
pub(super) fn compare_names(a: &str, b: &str) -> Ordering {
    let without_case = if a.is_ascii() && b.is_ascii() {
        a.bytes().map(|b| b.to_ascii_lowercase()).cmp(b.bytes().map(|b| b.to_ascii_lowercase()))
    } else {
        folded(a).cmp(folded(b))
    };
    without_case.then_with(|| a.cmp(b))
}

/// `name` without case, for keys.
pub(super) fn fold(name: &str) -> String {
    folded(name).collect()
}

/// The first label of a full host name: letters at its end, more than one label, no address. `None` for any other name.
pub(super) fn short_form(name: &str) -> Option<&str> {
    let (short, rest) = name.split_once('.')?;
    let is_host = !short.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
        && rest.rsplit('.').next().is_some_and(|last| last.bytes().any(|b| b.is_ascii_alphabetic()))
        && name.parse::<IpAddr>().is_err();
    is_host.then_some(short)
}

/// A key that sorts as [`compare_names`] does wherever two keys differ: the first bytes of the name without case.
pub(super) fn sort_key(name: &str) -> u128 {
    let mut key = [0_u8; 16];
    let mut filled = 0;
    let mut utf8 = [0_u8; 4];
    for c in folded(name) {
        let bytes = c.encode_utf8(&mut utf8).as_bytes();
        let fitting = bytes.len().min(key.len() - filled);
        key[filled..filled + fitting].copy_from_slice(&bytes[..fitting]);
        filled += fitting;
        if filled == key.len() {
            break;
        }
    }
    u128::from_be_bytes(key)
}

/// Every name of every item.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    /// All names without case, one behind the other.
    text: String,
    /// Open addressing: positions in `entries` plus one, 0 for a free place; a power of two long, or empty.
    table: Vec<u32>,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    /// Where in `text` the name begins.
    start: u32,
    /// Its bytes; a short form is the beginning of another name.
    length: u32,
    /// A part of the name's hash that its place does not use, compared before the name.
    tag: u32,
    ci: CiNo,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// An id or alias.
    Full,
    /// The short form of one.
    Short,
    /// A short form that names of several items share.
    Ambiguous,
}

impl Names {
    /// Names of `items`. Of an id or alias that two items claim, the first in order of number has it: readers refuse such files.
    pub(super) fn new(items: &BTreeMap<CiNo, Ci>) -> Names {
        let names =
            || items.values().map(|ci| (ci.no, &ci.id)).chain(items.values().flat_map(|ci| ci.aliases.iter().map(|alias| (ci.no, alias))));
        let count: usize = names().map(|(_, name)| 1 + usize::from(short_form(name).is_some())).sum();
        let mut index = Names {
            text: String::with_capacity(names().map(|(_, name)| name.len()).sum()),
            table: vec![0; if count == 0 { 0 } else { (count * 2).next_power_of_two() }],
            entries: Vec::with_capacity(count),
        };
        for (ci, name) in names() {
            let start = index.text.len();
            index.text.extend(folded(name));
            index.put(start..index.text.len(), ci, Kind::Full);
        }
        // Only now: a full name comes before a short one, whichever item has it.
        let mut start = 0;
        for (ci, name) in names() {
            let end = start + folded(name).map(char::len_utf8).sum::<usize>();
            if let Some(length) = short_form(&index.text[start..end]).map(str::len) {
                index.put(start..start + length, ci, Kind::Short);
            }
            start = end;
        }
        index.entries.shrink_to_fit();
        index
    }

    /// The item that has `name` as its id, an alias, or the short form of a full name that no other item shares.
    pub(super) fn find(&self, name: &str) -> Option<CiNo> {
        self.entry(name).filter(|entry| entry.kind != Kind::Ambiguous).map(|entry| entry.ci)
    }

    /// The item that has `name` as its id or an alias.
    pub(super) fn find_exact(&self, name: &str) -> Option<CiNo> {
        self.entry(name).filter(|entry| entry.kind == Kind::Full).map(|entry| entry.ci)
    }

    fn put(&mut self, name: Range<usize>, ci: CiNo, kind: Kind) {
        let text = &self.text[name.clone()];
        let hash = hash(text);
        match self.look(text, hash) {
            Place::Free(place) => {
                let fits = |n: usize| u32::try_from(n).expect("names of fewer than 4 GiB");
                self.entries.push(Entry { start: fits(name.start), length: fits(name.len()), tag: tag(hash), ci, kind });
                self.table[place] = fits(self.entries.len());
            }
            Place::Taken(at) => {
                let first = &mut self.entries[at];
                if first.ci != ci && first.kind == Kind::Short {
                    first.kind = Kind::Ambiguous;
                }
            }
        }
    }

    fn entry(&self, name: &str) -> Option<Entry> {
        if self.table.is_empty() {
            return None;
        }
        match self.look(name, hash(name)) {
            Place::Free(_) => None,
            Place::Taken(at) => Some(self.entries[at]),
        }
    }

    fn look(&self, name: &str, hash: u64) -> Place {
        let mask = self.table.len() - 1;
        let mut place = (hash & 0xffff_ffff) as usize & mask;
        loop {
            let Some(at) = (self.table[place] as usize).checked_sub(1) else { return Place::Free(place) };
            let entry = self.entries[at];
            if entry.tag == tag(hash) && same_name(&self.text[entry.start as usize..(entry.start + entry.length) as usize], name) {
                return Place::Taken(at);
            }
            place = (place + 1) & mask;
        }
    }
}

enum Place {
    /// In the table.
    Free(usize),
    /// In the entries.
    Taken(usize),
}

fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
}

fn folded(name: &str) -> impl Iterator<Item = char> + '_ {
    name.chars().flat_map(char::to_lowercase)
}

/// The hash of a name without case; ASCII names, which nearly all are, are folded on the stack.
fn hash(name: &str) -> u64 {
    let mut buffer = [0_u8; 128];
    match buffer.get_mut(..name.len()) {
        Some(bytes) if name.is_ascii() => {
            bytes.copy_from_slice(name.as_bytes());
            bytes.make_ascii_lowercase();
            xxh3_64(bytes)
        }
        Some(_) | None => {
            let mut hasher = Xxh3::new();
            let mut utf8 = [0_u8; 4];
            for c in folded(name) {
                hasher.update(c.encode_utf8(&mut utf8).as_bytes());
            }
            hasher.digest()
        }
    }
}
