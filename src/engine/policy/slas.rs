//! `slas`: which clocks run for an incident, how long they may run, when they pause and when they warn.

use std::collections::BTreeSet;
use std::sync::Arc;

use minicbor::{Decode, Encode};
use sha2::{Digest as _, Sha256};

use super::Policy;
use super::calendars::ALWAYS;
use super::named::{Mention, Mentioned, Named};
use super::rules::{self, DISABLED, MATCHERS, NAME, NOTE, Names, Scope, WHEN};
use super::sections::{self, FileSection, Found, IsBuiltin, Keyed as _, StandsFor};
use crate::calendar::{Allowance, Calendar, Hours, NoAllowance};
use crate::expr::Section;
use crate::ids::TermsId;
use crate::source::{Diagnostic, Key, Keys, Node, OneOrMany, Reading, Shape, Spanned, Takes};
use crate::words::{HOLD_REASONS, Priority, SlaKind, SlaTarget};

/// One compiled rule.
#[derive(Debug)]
pub struct Sla {
    /// Its name.
    pub name: String,
    /// What must hold of the incident and the service it hurts.
    pub condition: super::Condition,
    /// The CMDB's contract, of a vendor's promise.
    pub contract: Option<String>,
    /// What a clock keeps of it.
    pub terms: Terms,
    /// The name of those by their content.
    pub terms_id: TermsId,
}

/// What a clock keeps of the SLA that it was attached with, its calendar in it: a row keeps it for good, because past incidents are shown by it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Terms {
    /// The SLA's name.
    #[n(0)]
    pub name: String,
    /// Between whom.
    #[n(1)]
    pub kind: SlaKind,
    /// The calendar's name.
    #[n(2)]
    pub calendar: String,
    /// The calendar.
    #[n(3)]
    pub hours: Hours,
    /// What is promised.
    #[n(4)]
    pub targets: Vec<Target>,
    /// The reasons of a hold that pause resolution and update.
    #[n(5)]
    pub pause: Vec<String>,
    /// The used shares that warn, in percent, in order.
    #[n(6)]
    pub warn_at: Vec<u8>,
}

/// One promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct Target {
    /// For which priority.
    #[n(0)]
    pub priority: Priority,
    /// Of what.
    #[n(1)]
    pub target: SlaTarget,
    /// Within what.
    #[n(2)]
    pub allowance: Allowance,
}

impl Terms {
    /// How long a target may take at a priority; `None`: nothing is promised.
    pub fn allowance(&self, target: SlaTarget, priority: Priority) -> Option<Allowance> {
        self.targets.iter().find(|known| known.target == target && known.priority == priority).map(|known| known.allowance)
    }

    /// Their name: the first sixteen bytes of the SHA-256 over their row.
    pub fn id(&self) -> TermsId {
        let bytes = minicbor::to_vec(self).expect("encoding into a vector has no way to fail");
        let number = |bytes: &[u8]| bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        let hash = Sha256::digest(bytes);
        TermsId { high: number(&hash[..8]), low: number(&hash[8..16]) }
    }
}

/// Words of a share at which somebody is warned.
const WARN_AT: u8 = 75;
/// Shares of one SLA. More would be a mail every few minutes.
const WARNINGS_MAX: usize = 10;

static TARGETS: Shape = Shape {
    what: "the targets of a priority",
    keys: &[
        Key::may("response", Takes::Allowance, "until somebody has it, such as 15m or 30bm."),
        Key::may("resolution", Takes::Allowance, "until it is over, such as 4h, 8bh or 2bd."),
        Key::may(
            "update",
            Takes::Allowance,
            "until those who wait hear of it again, once somebody has it: a note, an assignment or a hold.",
        ),
    ],
    later: &[],
};

static BY_PRIORITY: Shape = Shape {
    what: "`targets`",
    keys: &[
        Key::may("P1", Takes::Map(&TARGETS), "what is promised of P1. Default: nothing."),
        Key::may("P2", Takes::Map(&TARGETS), "what is promised of P2. Default: nothing."),
        Key::may("P3", Takes::Map(&TARGETS), "what is promised of P3. Default: nothing."),
        Key::may("P4", Takes::Map(&TARGETS), "what is promised of P4. Default: nothing."),
        Key::may("P5", Takes::Map(&TARGETS), "what is promised of P5. Default: nothing."),
    ],
    later: &[],
};

/// A rule of `slas`.
pub(super) static RULE: Shape = Shape {
    what: "an SLA",
    keys: &[
        NAME,
        NOTE,
        DISABLED,
        MATCHERS,
        WHEN,
        Key::may(
            "kind",
            Takes::Word(&["sla", "uc"]),
            "between whom: sla with those who use the service, uc by a vendor whose contract is in the CMDB. Default sla.",
        ),
        Key::may("contract", Takes::Text, "of the kind uc: the id of the contract. It must cover the CI at fault."),
        Key::may("calendar", Takes::Text, "the calendar of its working time (bm, bh, bd). Default always."),
        Key::must("targets", Takes::Map(&BY_PRIORITY), "what is promised, by priority."),
        Key::may(
            "pause",
            Takes::OneOrList(&Takes::Word(HOLD_REASONS)),
            "reasons of a hold that pause resolution and update. Default: none.",
        ),
        Key::may("warn_at", Takes::OneOrList(&Takes::Text), "used shares that warn, such as [50%, 75%, 90%]. Default [75%]."),
    ],
    later: &[("team", "leave the rule out: only what is promised to users (sla) and by vendors (uc) is measured")],
};

/// `slas` of all files.
#[derive(Default)]
pub(super) struct SlasSection {
    names: Names,
    drafts: Vec<Draft>,
    mentions: Vec<Mention>,
}

struct Draft {
    name: Option<String>,
    /// Where it stands, if it has a name and is switched on.
    at: Option<sections::Rule>,
    condition: super::Condition,
    is_disabled: bool,
    kind: SlaKind,
    contract: Option<String>,
    calendar: Option<Named>,
    targets: Vec<(Target, Named)>,
    pause: Vec<String>,
    warn_at: Vec<u8>,
}

impl Draft {
    /// Whether a service that this one measures is not measured by `other`: the first of a kind counts, and of vendors the first of a contract.
    fn stands_before(&self, other: &Draft) -> bool {
        let contract = |draft: &Draft| draft.contract.as_ref().map(|contract| contract.to_ascii_lowercase());
        self.kind == other.kind && contract(self) == contract(other)
    }
}

impl FileSection for SlasSection {
    const TAKES: Takes = Takes::List(&Takes::Map(&RULE));
    const DOC: &'static str = "which clocks run for an incident; the first that matches for each service.";
    const SEES: &'static [&'static str] = Section::OF_INCIDENT;
    const NAMES: StandsFor = StandsFor::Rules;

    fn read<'a>(&mut self, reading: &Reading<'a>, node: &'a Node, scope: &Scope<'a>) {
        sections::each(reading, node, Self::KEY, &RULE, |keys| self.rule(keys, scope));
    }

    /// The rules of the files, with their calendars.
    fn finish(self, policy: &mut Policy, found: &mut Found<'_>) {
        policy.mentions.extend(self.mentions);
        let own: Vec<&Draft> = self.drafts.iter().filter(|draft| draft.at.is_some()).collect();
        let asked: Vec<_> = own.iter().filter_map(|draft| Some((&draft.condition, draft.at.as_ref()?))).collect();
        found.hidden(&asked, |earlier, later| own[earlier].stands_before(own[later]));
        let calendars = &policy.calendars;
        for draft in self.drafts {
            let named = draft.calendar.as_ref().filter(|named| named.name != ALWAYS);
            let calendar = match named {
                None => Some(Arc::new(Calendar::always())),
                Some(named) => {
                    let calendar = calendars.get(&named.name).cloned();
                    if calendar.is_none() {
                        let words = calendars.keys().map(String::as_str).chain([ALWAYS]);
                        found.unknown(&named.name, || named.unknown("calendar", words, "name a key of `calendars`, or `always`"));
                    }
                    calendar
                }
            };
            if named.is_none() {
                for (_, place) in draft.targets.iter().filter(|(target, _)| target.allowance.needs_calendar()) {
                    let error = place.error(format!("`{}` is working time, and this SLA has no calendar", place.name));
                    found.list.push(error.label("always open").help("name one with `calendar`, or write wall time, such as 8h"));
                }
            }
            let (Some(name), Some(calendar), false) = (draft.name, calendar, draft.is_disabled) else { continue };
            let terms = Terms {
                name: name.clone(),
                kind: draft.kind,
                calendar: named.map_or_else(|| ALWAYS.to_owned(), |named| named.name.clone()),
                hours: calendar.hours().clone(),
                targets: draft.targets.into_iter().map(|(target, _)| target).collect(),
                pause: draft.pause,
                warn_at: draft.warn_at,
            };
            let terms_id = terms.id();
            policy.slas.push(Sla { name, condition: draft.condition, contract: draft.contract, terms, terms_id });
        }
    }

    fn names(policy: &Policy) -> Vec<(&str, IsBuiltin)> {
        sections::own(policy.slas.iter().map(|rule| rule.name.as_str()))
    }
}

impl SlasSection {
    /// Reads one rule.
    fn rule<'a>(&mut self, keys: &Keys<'a, '_>, scope: &Scope<'a>) {
        let reading = keys.reading();
        let name = self.names.take(keys, Self::KEY);
        let is_disabled = rules::is_disabled(keys);
        let condition = rules::condition(keys, Self::section(), scope);
        let kind = keys.node("kind").map_or(SlaKind::Sla, |node| kind(reading, node));
        let contract = keys.get::<Spanned<String>>("contract").filter(|contract| !contract.value.trim().is_empty());
        if let (Some(contract), false) = (&contract, is_disabled) {
            self.mentions.push(Mention::new(Mentioned::Contract, "SLA", name.as_deref(), Named::at(reading, contract.clone())));
        }
        let contract = contract.map(|contract| contract.value);
        check_contract(keys, kind, contract.as_deref());
        let calendar = keys.get::<Spanned<String>>("calendar").map(|calendar| Named::at(reading, calendar));
        let targets = keys.node("targets").map(|node| targets(reading, node)).unwrap_or_default();
        for (_, place) in targets.iter().filter(|(target, _)| kind == SlaKind::Uc && target.target != SlaTarget::Resolution) {
            let error = place.error("a vendor's contract promises `resolution` only".to_owned()).label("not of a vendor");
            reading.report(error.help("who has an incident and who hears of it is promised by an SLA"));
        }
        let pause: Vec<&Node> = keys.get::<OneOrMany<&Node>>("pause").map(|pause| pause.0).unwrap_or_default();
        let pause: BTreeSet<String> = pause.into_iter().filter_map(|node| pause_reason(reading, node)).collect();
        let warn_at = warn_at(keys);
        let pause = pause.into_iter().collect();
        let at = name.as_deref().filter(|_| !is_disabled).map(|name| sections::Rule::of(keys, "SLA", name));
        self.drafts.push(Draft { name, at, condition, is_disabled, kind, contract, calendar, targets, pause, warn_at });
    }
}

/// `sla` or `uc`; one with a team comes later.
fn kind<'a>(reading: &Reading<'a>, node: &'a Node) -> SlaKind {
    if reading.read::<&str>(node) == Some(SlaKind::Ola.word()) {
        reading.not_yet(
            &node.span,
            "the kind `ola`",
            "leave the rule out: only what is promised to users (sla) and by vendors (uc) is measured",
        );
        return SlaKind::Ola;
    }
    reading.word(node, "kind", &[SlaKind::Sla.word(), SlaKind::Uc.word()]).and_then(SlaKind::from_word).unwrap_or(SlaKind::Sla)
}

/// A vendor's promise names its contract and has no pause; no other has a contract.
fn check_contract(keys: &Keys<'_, '_>, kind: SlaKind, contract: Option<&str>) {
    let reading = keys.reading();
    let refuse = |key: &str, message: &str, help: &str| {
        reading.report(Diagnostic::error(reading.file(), &keys.place_of(key), message).help(help));
    };
    if kind == SlaKind::Uc && contract.is_none() {
        refuse("kind", "the kind `uc` without a contract", "name one of the CMDB, such as contract: acme-net");
    }
    if kind == SlaKind::Uc && keys.node("pause").is_some() {
        refuse("pause", "`pause` of a vendor's contract", "its time counts only while the incident waits for the vendor; leave it out");
    }
    if kind != SlaKind::Uc && keys.node("contract").is_some() {
        refuse("contract", "`contract` belongs to the kind `uc`", "write kind: uc, or leave it out");
    }
}

fn pause_reason<'a>(reading: &Reading<'a>, node: &'a Node) -> Option<String> {
    if reading.read::<&str>(node)? == "maintenance" {
        reading.not_yet(&node.span, "a pause by `maintenance`", "leave it out: there is no maintenance to pause for");
        return None;
    }
    reading.word(node, "reason to pause", HOLD_REASONS).map(str::to_owned)
}

fn targets<'a>(reading: &Reading<'a>, node: &'a Node) -> Vec<(Target, Named)> {
    let Some(by_priority) = reading.keys(node, &BY_PRIORITY) else { return Vec::new() };
    let mut targets = Vec::new();
    for priority in Priority::ALL.iter().copied() {
        let Some(node) = by_priority.node(priority.word()) else { continue };
        let Some(keys) = reading.keys(node, &TARGETS) else { continue };
        if keys.entries().is_empty() {
            let error = Diagnostic::error(reading.file(), &reading.first_line(node), format!("this SLA promises nothing of {priority}"));
            reading.report(error.help("write a target, such as {resolution: 4h}, or leave the priority out"));
        }
        for target in SlaTarget::ALL.iter().copied() {
            let Some(text) = keys.get::<Spanned<String>>(target.word()) else { continue };
            if let Some(allowance) = allowance(reading, &text) {
                targets.push((Target { priority, target, allowance }, Named::at(reading, text)));
            }
        }
    }
    if targets.is_empty() && by_priority.entries().is_empty() {
        let error = Diagnostic::error(reading.file(), &reading.first_line(node), "this SLA promises nothing");
        reading.report(error.help("write targets, such as {P1: {response: 15m, resolution: 4h}}"));
    }
    targets
}

fn allowance(reading: &Reading<'_>, text: &Spanned<String>) -> Option<Allowance> {
    let shown = crate::text::cut(&crate::text::one_line(&text.value), 60);
    let (message, help) = match Allowance::parse(&text.value) {
        Ok(allowance) => return Some(allowance),
        Err(NoAllowance::Ambiguous) => {
            let help = "write hours by the clock on the wall (24h), working hours (8bh) or working days (2bd)";
            (format!("`{shown}` has days or weeks, which could be of 24 hours or of working time"), help.to_owned())
        }
        Err(NoAllowance::OutOfRange) => {
            (format!("`{shown}` is no time that a target can be kept in"), "more than nothing, and at most a year".to_owned())
        }
        Err(NoAllowance::NotOne) => {
            let help = match text.value.trim().parse::<u32>() {
                Ok(number) => format!("a number needs its unit: `{number}m`, `{number}h` or `{number}bh`"),
                Err(_) => "write 15m or 4h of wall time, 30bm or 8bh of working time, or 2bd for working days".to_owned(),
            };
            (format!("`{shown}` is no time for a target"), help)
        }
    };
    reading.report(Diagnostic::error(reading.file(), &text.span, message).label("expected the time of a target").help(help));
    None
}

/// `[50%, 75%]`, in order, each once.
fn warn_at(keys: &Keys<'_, '_>) -> Vec<u8> {
    let reading = keys.reading();
    let Some(given) = keys.get::<OneOrMany<Spanned<String>>>("warn_at") else { return vec![WARN_AT] };
    if given.0.len() > WARNINGS_MAX {
        reading.error(&keys.place_of("warn_at"), format!("more than {WARNINGS_MAX} warnings of one SLA"));
    }
    let read = |share: Spanned<String>| {
        let percent = share.value.trim().strip_suffix('%').and_then(|number| number.trim().parse().ok());
        let known = percent.filter(|percent| (1..100u8).contains(percent));
        if known.is_none() {
            let message = format!("`{}` is no share that can warn", crate::text::cut(&crate::text::one_line(&share.value), 60));
            let help = match percent {
                Some(100) => "at 100% it is breached, which is told anyway",
                Some(_) | None => "write whole percents, such as 75%",
            };
            reading.report(Diagnostic::error(reading.file(), &share.span, message).label("expected 1% to 99%").help(help));
        }
        known
    };
    given.0.into_iter().filter_map(read).collect::<BTreeSet<u8>>().into_iter().collect()
}
