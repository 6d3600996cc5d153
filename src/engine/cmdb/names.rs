//! Identity: ids, aliases and the short forms of host names, found whatever the case.
//!
//! The index holds hashes and points into the records, so a name is stored once.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::net::IpAddr;

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::Ci;
use crate::ids::CiNo;

/// Whether two names are the same but for case.
pub fn same_name(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b) || !(a.is_ascii() && b.is_ascii()) && folded(a).eq(folded(b))
}

/// The order of names: without case first, then as written.
pub(super) fn compare_names(a: &str, b: &str) -> Ordering {
    folded(a).cmp(folded(b)).then_with(|| a.cmp(b))
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

/// Every name of every item.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    /// Open addressing: positions in `entries` plus one, 0 for a free place; a power of two long.
    table: Vec<u32>,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    ci: CiNo,
    /// A part of the name's hash that its place does not use, compared before any record is read.
    tag: u32,
    kind: Kind,
    /// Whether full names of several items have this short form.
    ambiguous: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Id,
    Alias(u32),
    /// The short form of the id, or of an alias.
    ShortId,
    ShortAlias(u32),
}

impl Names {
    /// Names of `items`. Of an id or alias that two items claim, the first in order of number has it: readers refuse such files.
    pub(super) fn new(items: &BTreeMap<CiNo, Ci>) -> Names {
        let count: usize = items.values().map(|ci| (1 + ci.aliases.len()) * 2).sum();
        let mut names = Names { table: vec![0; (count * 2).next_power_of_two().max(8)], entries: Vec::with_capacity(count) };
        for ci in items.values() {
            names.put(items, &ci.id, ci.no, Kind::Id);
        }
        for ci in items.values() {
            for (n, alias) in (0..).zip(&ci.aliases) {
                names.put(items, alias, ci.no, Kind::Alias(n));
            }
        }
        for ci in items.values() {
            if let Some(short) = short_form(&ci.id) {
                names.put(items, short, ci.no, Kind::ShortId);
            }
            for (n, alias) in (0..).zip(&ci.aliases) {
                if let Some(short) = short_form(alias) {
                    names.put(items, short, ci.no, Kind::ShortAlias(n));
                }
            }
        }
        names.entries.shrink_to_fit();
        names
    }

    /// The item that has `name` as its id, an alias, or the short form of a full name that no other item shares.
    pub(super) fn find(&self, items: &BTreeMap<CiNo, Ci>, name: &str) -> Option<CiNo> {
        self.entry(items, name).filter(|entry| !entry.ambiguous).map(|entry| entry.ci)
    }

    /// The item that has `name` as its id or an alias.
    pub(super) fn find_exact(&self, items: &BTreeMap<CiNo, Ci>, name: &str) -> Option<CiNo> {
        self.entry(items, name).filter(|entry| matches!(entry.kind, Kind::Id | Kind::Alias(_))).map(|entry| entry.ci)
    }

    fn put(&mut self, items: &BTreeMap<CiNo, Ci>, name: &str, ci: CiNo, kind: Kind) {
        let hash = hash(name);
        match self.look(items, name, hash) {
            Place::Free(place) => {
                self.entries.push(Entry { ci, tag: tag(hash), kind, ambiguous: false });
                self.table[place] = u32::try_from(self.entries.len()).expect("fewer names than 4 billion fit in memory");
            }
            Place::Taken(at) => {
                let first = &mut self.entries[at];
                first.ambiguous |= first.ci != ci && matches!(first.kind, Kind::ShortId | Kind::ShortAlias(_));
            }
        }
    }

    fn entry(&self, items: &BTreeMap<CiNo, Ci>, name: &str) -> Option<Entry> {
        if self.table.is_empty() {
            return None;
        }
        match self.look(items, name, hash(name)) {
            Place::Free(_) => None,
            Place::Taken(at) => Some(self.entries[at]),
        }
    }

    fn look(&self, items: &BTreeMap<CiNo, Ci>, name: &str, hash: u64) -> Place {
        let mask = self.table.len() - 1;
        let mut place = (hash & 0xffff_ffff) as usize & mask;
        loop {
            let Some(at) = (self.table[place] as usize).checked_sub(1) else { return Place::Free(place) };
            let entry = self.entries[at];
            if entry.tag == tag(hash) && is_named(items, entry, name) {
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

fn is_named(items: &BTreeMap<CiNo, Ci>, entry: Entry, name: &str) -> bool {
    let Some(ci) = items.get(&entry.ci) else { return false };
    let alias = |n: u32| ci.aliases.get(n as usize).map(String::as_str);
    let known = match entry.kind {
        Kind::Id => Some(ci.id.as_str()),
        Kind::Alias(n) => alias(n),
        Kind::ShortId => short_form(&ci.id),
        Kind::ShortAlias(n) => alias(n).and_then(short_form),
    };
    known.is_some_and(|known| same_name(known, name))
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
