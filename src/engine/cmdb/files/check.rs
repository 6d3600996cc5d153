//! Records of all files held against each other: names that two claim, names nobody has, and groups that cannot be; then the inventory.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::draft::{Draft, Drafts, ItemDraft, WORDS};
use super::meant;
use crate::cmdb::names::fold;
use crate::cmdb::{Ci, Edge, Inventory, MinUp};
use crate::ids::CiNo;
use crate::limits;
use crate::source::{Diagnostic, SourceFile, Spanned, Unread};
use crate::text::{cut, one_line};
use crate::words::Relation;

/// Reports all contradictions to `found` and builds what remains without them.
pub(super) fn build(drafts: Drafts, files: &[&SourceFile], base: &Inventory, unread: &Unread, found: &mut Vec<Diagnostic>) -> Inventory {
    let mut check = Check { files, unread, found, listed: 0, left_out: 0, looked: 0 };
    let people = check.unique(&drafts.people, "person");
    let teams = check.unique(&drafts.teams, "team");
    check.unique(&drafts.contracts, "contract");
    let names = check.names(&drafts.items);

    let mut inventory = Inventory { next_no: base.next_no, ..Inventory::default() };
    for mut draft in drafts.teams {
        if let Some(lead) = &draft.record.lead {
            draft.record.team.lead = check.known(draft.file, lead, "person", &people).unwrap_or_default();
        }
        inventory.teams.entry(draft.id.value).or_insert(draft.record.team);
    }
    for mut draft in drafts.contracts {
        let covers = draft.record.covers.iter().filter_map(|name| check.item(draft.file, name, &names));
        draft.record.contract.covers = covers.map(|named| named.id.to_owned()).collect();
        inventory.contracts.entry(draft.id.value).or_insert(draft.record.contract);
    }
    for draft in drafts.people {
        inventory.people.entry(draft.id.value).or_insert(draft.record);
    }

    let mut members: BTreeMap<usize, u32> = BTreeMap::new();
    let mut items = Vec::new();
    for (n, draft) in drafts.items.iter().enumerate() {
        let mut ci = draft.record.ci.clone();
        ci.owner = draft.record.owner.as_ref().and_then(|owner| check.known(draft.file, owner, "team", &teams)).unwrap_or_default();
        ci.aliases = aliases(&draft.record, &ci.id);
        ci.relations = check.relations(n, draft, &names, &mut members);
        items.push(ci);
    }
    for (n, draft) in drafts.items.iter().enumerate() {
        check.min_up(draft, members.get(&n).copied().unwrap_or(0));
    }
    check.slips(&drafts.items);
    check.finish();

    number(&mut inventory, items, base);
    inventory
}

/// Gives every item its number: the one its id had, or the next in id order.
fn number(inventory: &mut Inventory, items: Vec<Ci>, base: &Inventory) {
    let known: BTreeMap<String, CiNo> = base.items.values().map(|ci| (fold(&ci.id), ci.no)).collect();
    let in_order: BTreeMap<String, Ci> = items.into_iter().rev().map(|ci| (fold(&ci.id), ci)).collect();
    for (key, mut ci) in in_order {
        ci.no = known.get(&key).copied().unwrap_or_else(|| {
            let no = CiNo(inventory.next_no);
            inventory.next_no = inventory.next_no.checked_add(1).expect("4 billion CIs were never numbered");
            no
        });
        inventory.items.insert(ci.no, ci);
    }
}

/// The aliases without the id itself and without repetitions.
fn aliases(item: &ItemDraft, id: &str) -> Vec<String> {
    let mut seen = BTreeSet::from([fold(id)]);
    item.aliases.iter().filter(|alias| seen.insert(fold(&alias.value))).map(|alias| alias.value.clone()).collect()
}

/// A name that is taken.
#[derive(Debug, Clone)]
struct Named<'a> {
    /// Whose it is: an item by its place among the drafts.
    holder: usize,
    /// The id of the holder.
    id: &'a str,
    /// Where the name stands: the file, and its bytes there.
    place: (usize, &'a Range<usize>),
}

struct Check<'a> {
    files: &'a [&'a SourceFile],
    unread: &'a Unread,
    found: &'a mut Vec<Diagnostic>,
    listed: usize,
    left_out: usize,
    /// How often the nearest name was looked for.
    looked: usize,
}

impl<'a> Check<'a> {
    /// The ids of one kind without case, each with itself as written; of two the first stays.
    fn unique<T>(&mut self, drafts: &[Draft<T>], what: &str) -> BTreeMap<String, String> {
        let mut known: BTreeMap<String, &Draft<T>> = BTreeMap::new();
        for draft in drafts {
            let key = fold(&draft.id.value);
            match known.get(&key).copied() {
                None => {
                    known.insert(key, draft);
                }
                Some(first) => {
                    let message = format!("a second {what} has the id `{}`", shown(&draft.id.value));
                    self.taken_twice(draft.file, &draft.id.span, message, (first.file, &first.id.span));
                }
            }
        }
        known.into_iter().map(|(key, draft)| (key, draft.id.value.clone())).collect()
    }

    /// Every id and alias of items. Ids come first, so that an alias is at fault where it is somebody's id.
    fn names<'i>(&mut self, drafts: &'i [Draft<ItemDraft>]) -> BTreeMap<String, Named<'i>> {
        let mut names: BTreeMap<String, Named<'i>> = BTreeMap::new();
        for (n, draft) in drafts.iter().enumerate() {
            self.claim(&mut names, n, draft, &draft.id);
        }
        for (n, draft) in drafts.iter().enumerate() {
            for alias in &draft.record.aliases {
                self.claim(&mut names, n, draft, alias);
            }
        }
        names
    }

    fn claim<'i>(&mut self, names: &mut BTreeMap<String, Named<'i>>, n: usize, draft: &'i Draft<ItemDraft>, name: &'i Spanned<String>) {
        let key = fold(&name.value);
        match names.get(&key) {
            None => {
                names.insert(key, Named { holder: n, id: &draft.id.value, place: (draft.file, &name.span) });
            }
            Some(first) if first.holder == n => {}
            Some(first) => {
                let message =
                    format!("the name `{}` belongs to two CIs, `{}` and `{}`", shown(&name.value), shown(first.id), shown(&draft.id.value));
                self.taken_twice(draft.file, &name.span, message, first.place);
            }
        }
    }

    fn taken_twice(&mut self, file: usize, span: &Range<usize>, message: String, (first, at): (usize, &Range<usize>)) {
        self.report(|files| {
            let first = format!("{}:{}", files[first].path, files[first].place(at.start));
            Diagnostic::error(files[file], span, message)
                .label("here again")
                .help(format!("it stands first at {first}; ids and aliases ignore case, so rename one or leave it out"))
        });
    }

    /// The id as written of a person or team.
    fn known(&mut self, file: usize, name: &Spanned<String>, what: &str, known: &BTreeMap<String, String>) -> Option<String> {
        let id = known.get(&fold(&name.value)).cloned();
        if id.is_none() {
            self.unknown(file, name, what, || known.values().map(String::as_str));
        }
        id
    }

    fn item<'n, 'i>(&mut self, file: usize, name: &Spanned<String>, names: &'n BTreeMap<String, Named<'i>>) -> Option<&'n Named<'i>> {
        let named = names.get(&fold(&name.value));
        if named.is_none() {
            self.unknown(file, name, "item", || names.keys().map(String::as_str));
        }
        named
    }

    fn unknown<'k, I: Iterator<Item = &'k str>>(&mut self, file: usize, name: &Spanned<String>, what: &str, known: impl FnOnce() -> I) {
        if self.unread.may_define(&name.value) {
            return;
        }
        let looks = self.looked < limits::CMDB_NEAREST_MAX;
        self.looked += 1;
        self.report(|files| {
            let label = if looks { meant(&name.value, known()) } else { None };
            Diagnostic::error(files[file], &name.span, format!("unknown {what} `{}`", shown(&name.value)))
                .label(label.unwrap_or_default())
                .help(format!("add the {what} `{}` to these files, or use the id of one that is there", shown(&name.value)))
        });
    }

    fn relations(
        &mut self,
        n: usize,
        draft: &Draft<ItemDraft>,
        names: &BTreeMap<String, Named<'_>>,
        members: &mut BTreeMap<usize, u32>,
    ) -> Vec<Edge> {
        let mut edges = BTreeSet::new();
        for (relation, to) in &draft.record.relations {
            let Some(named) = self.item(draft.file, to, names) else { continue };
            if named.holder == n {
                let message = format!("`{}` {} itself", shown(&draft.id.value), relation.verb());
                self.report(|files| Diagnostic::error(files[draft.file], &to.span, message).help("leave this relation out"));
                continue;
            }
            if edges.insert(Edge { relation: *relation, to: named.id.to_owned() }) && *relation == Relation::MemberOf {
                *members.entry(named.holder).or_default() += 1;
            }
        }
        edges.into_iter().collect()
    }

    fn min_up(&mut self, draft: &Draft<ItemDraft>, members: u32) {
        let Some(span) = &draft.record.min_up else { return };
        let id = shown(&draft.id.value);
        match draft.record.ci.min_up {
            _ if members == 0 && !self.unread.is_empty() => {}
            _ if members == 0 => self.report(|files| {
                Diagnostic::error(files[draft.file], span, format!("`{id}` has `min_up` and no members"))
                    .help(format!("give its members the relation `member_of: {id}`, or leave `min_up` out"))
            }),
            MinUp::Count(count) if count > members => self.report(|files| {
                Diagnostic::warning(files[draft.file], span, format!("`{id}` needs {count} members up and has {members}"))
                    .label("the first member that fails takes it down")
            }),
            MinUp::Count(_) | MinUp::Percent(_) => {}
        }
    }

    /// Words that one CI has and that are a slip away from one that many have.
    fn slips(&mut self, drafts: &[Draft<ItemDraft>]) {
        for (key, (name, word)) in WORDS.into_iter().enumerate() {
            let mut used: BTreeMap<&str, (usize, &Draft<ItemDraft>)> = BTreeMap::new();
            for draft in drafts {
                used.entry(word(&draft.record.ci)).or_insert((0, draft)).0 += 1;
            }
            if used.len() > limits::CMDB_WORDS_MAX {
                continue;
            }
            for (word, (_, draft)) in used.iter().filter(|(_, (count, _))| *count == 1) {
                let many = used.iter().filter(|(_, (count, _))| *count >= limits::CMDB_WORD_OF_MANY);
                let Some((meant, (count, _))) = many.into_iter().find(|(meant, _)| is_slip(word, meant)) else { continue };
                let message = format!("`{}` alone has the {name} `{}`", shown(&draft.id.value), shown(word));
                self.report(|files| {
                    let warning = Diagnostic::warning(files[draft.file], &draft.record.words[key], message);
                    warning
                        .label(format!("did you mean `{}`?", shown(meant)))
                        .help(format!("{count} others have the {name} `{}`", shown(meant)))
                });
            }
        }
    }

    fn report(&mut self, diagnostic: impl FnOnce(&[&SourceFile]) -> Diagnostic) {
        if self.listed < limits::CMDB_FAULTS_MAX {
            self.listed += 1;
            self.found.push(diagnostic(self.files));
        } else {
            self.left_out += 1;
        }
    }

    fn finish(self) {
        if let (Some(file), 1..) = (self.files.first(), self.left_out) {
            let message = format!("{} further contradictions between records are not listed", self.left_out);
            self.found.push(Diagnostic::error(file, &(0..0), message).help("is a file there twice?"));
        }
    }
}

/// Whether one was probably typed for the other: a letter more, less, changed or swapped. Numbers are told apart on purpose.
fn is_slip(word: &str, meant: &str) -> bool {
    const LETTERS_MIN: usize = 4;
    let letters = |word: &str| word.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
    let is_long = word.chars().count().min(meant.chars().count()) >= LETTERS_MIN;
    is_long && letters(word) != letters(meant) && strsim::osa_distance(word, meant) == 1
}

fn shown(name: &str) -> String {
    cut(&one_line(name), 60)
}
