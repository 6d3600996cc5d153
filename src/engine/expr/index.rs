//! Which rules could match a view: an index over what their conditions demand of names and labels, so that cost follows the rules that can apply.
//!
//! It may offer a rule that does not match; it never leaves out one that does. A rule stands in it by its most selective demand,
//! or, where it has none that can be looked up, among those that are always offered.

use std::collections::BTreeMap;

use super::condition::Condition;
use super::eval::{Affix, Ir, Op};
use super::matcher::{Comparer, Matcher, stand_in};
use super::names::Field;
use super::parse::Comparison;
use super::value::Val;
use super::view::View;
use crate::lookup::Lookup;

/// The index of one section's conditions, by their position.
#[derive(Debug, Default)]
pub struct RuleIndex {
    /// Rules without a demand that can be looked up.
    always: Vec<u32>,
    /// Demands on fields, and on `alertname` and `severity` with their stand-ins: a few, each asked.
    fields: Vec<(Subject, Demands)>,
    /// Demands on labels: the labels that the view has are asked, however many names the rules use.
    labels: Vec<(&'static Field, Lookup<String, Demands>)>,
}

/// What a demand is about.
#[derive(Debug, Clone, Copy)]
enum Subject {
    Field(&'static Field),
    /// `alertname` or `severity` as matchers read them.
    StandIn(&'static str),
}

/// Rules by what they demand of one text.
#[derive(Debug, Default)]
struct Demands {
    exact: Lookup<String, Vec<u32>>,
    prefixes: Lookup<String, Vec<u32>>,
    /// The lengths of the prefixes, ascending.
    lengths: Vec<usize>,
}

/// A demand that must hold for the rule to match: the text is one of these, or begins with one of these. In the index none of them is empty.
#[derive(Debug, Clone)]
pub(super) struct Demand {
    pub(super) about: About,
    pub(super) texts: Vec<String>,
    pub(super) extent: Extent,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum About {
    Field(&'static str),
    StandIn(&'static str),
    Label(&'static str, String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Extent {
    Exact,
    Prefix,
}

impl RuleIndex {
    /// The index of conditions, in the order of their rules.
    pub fn new<'c>(conditions: impl IntoIterator<Item = &'c Condition>) -> RuleIndex {
        let usable = |condition| {
            let demands = demands_of(condition).into_iter();
            demands.filter(|demand| demand.texts.iter().all(|text| !text.is_empty())).collect()
        };
        let demands: Vec<Vec<Demand>> = conditions.into_iter().map(usable).collect();
        let mut crowd: BTreeMap<(&About, Extent, &str), u32> = BTreeMap::new();
        for demand in demands.iter().flatten() {
            for text in &demand.texts {
                *crowd.entry((&demand.about, demand.extent, text)).or_default() += 1;
            }
        }
        // The demand whose texts are shared with the fewest rules; an exact one before a prefix.
        let cost = |demand: &Demand| {
            let shared = demand.texts.iter().filter_map(|text| crowd.get(&(&demand.about, demand.extent, text.as_str()))).max().copied();
            (shared.unwrap_or(0), demand.extent, demand.texts.len())
        };
        let mut index = RuleIndex::default();
        let mut labels: BTreeMap<(&'static str, String), Demands> = BTreeMap::new();
        let mut fields: BTreeMap<About, Demands> = BTreeMap::new();
        for (rule, demands) in demands.iter().enumerate() {
            let rule = u32::try_from(rule).unwrap_or(u32::MAX);
            let Some(demand) = demands.iter().min_by_key(|demand| cost(demand)) else {
                index.always.push(rule);
                continue;
            };
            match &demand.about {
                About::Label(of, name) => labels.entry((of, name.clone())).or_default(),
                about => fields.entry(about.clone()).or_default(),
            }
            .add(demand, rule);
        }
        for (about, demands) in fields {
            match about {
                About::Field(path) => index.fields.extend(Field::of_path(path).map(|field| (Subject::Field(field), demands))),
                About::StandIn(name) => index.fields.push((Subject::StandIn(name), demands)),
                About::Label(..) => {}
            }
        }
        for ((of, name), demands) in labels {
            if index.labels.last().is_none_or(|(field, _)| field.path != of) {
                index.labels.extend(Field::of_path(of).map(|field| (field, Lookup::default())));
            }
            if let Some((_, names)) = index.labels.last_mut() {
                names.insert(name, demands);
            }
        }
        index
    }

    /// The positions of the rules that could match, ascending. Cost follows their number and the labels of the view.
    pub fn candidates<'i>(&'i self, view: &View<'_>) -> impl Iterator<Item = usize> + 'i {
        let mut lists: Vec<&'i [u32]> = Vec::new();
        if !self.always.is_empty() {
            lists.push(&self.always);
        }
        for (subject, demands) in &self.fields {
            match subject {
                Subject::StandIn(name) => demands.find(stand_in(name, &view.alert), &mut lists),
                Subject::Field(field) => {
                    if let Val::Text(text) = (field.read)(view) {
                        demands.find(&text, &mut lists);
                    }
                }
            }
        }
        for (field, names) in &self.labels {
            if let Val::Labels(labels) = (field.read)(view) {
                for (name, value) in labels.iter() {
                    if let Some(demands) = names.get(name) {
                        demands.find(value, &mut lists);
                    }
                }
            }
        }
        std::iter::from_fn(move || {
            let next = lists.iter().filter_map(|list| list.first()).min().copied()?;
            for list in &mut lists {
                if list.first() == Some(&next) {
                    *list = &list[1..];
                }
            }
            Some(next as usize)
        })
    }
}

impl RuleIndex {
    /// The positions of the rules that could hold wherever all of these are met, in no order.
    pub(super) fn offered<'i>(&'i self, met: &[Demand]) -> impl Iterator<Item = usize> + 'i {
        let mut lists: Vec<&'i [u32]> = vec![&self.always];
        for demand in met {
            // Who demands it lets through each of the texts, so one of them finds it.
            let Some(text) = demand.texts.first() else { continue };
            let field = self.fields.iter().filter(|(subject, _)| subject.is(&demand.about)).map(|(_, demands)| demands);
            let label = self.labels.iter().filter_map(|(field, names)| match &demand.about {
                About::Label(of, name) if *of == field.path => names.get(name),
                About::Label(..) | About::Field(_) | About::StandIn(_) => None,
            });
            field.chain(label).for_each(|demands| demands.find(text, &mut lists));
        }
        lists.into_iter().flatten().map(|rule| *rule as usize)
    }
}

impl Subject {
    fn is(&self, about: &About) -> bool {
        match (self, about) {
            (Subject::Field(field), About::Field(path)) => field.path == *path,
            (Subject::StandIn(name), About::StandIn(other)) => name == other,
            (Subject::Field(_) | Subject::StandIn(_), _) => false,
        }
    }
}

impl Demands {
    fn add(&mut self, demand: &Demand, rule: u32) {
        for text in &demand.texts {
            let rules = match demand.extent {
                Extent::Exact => self.exact.get_or_insert_with(text.clone(), Vec::new),
                Extent::Prefix => {
                    if let Err(at) = self.lengths.binary_search(&text.len()) {
                        self.lengths.insert(at, text.len());
                    }
                    self.prefixes.get_or_insert_with(text.clone(), Vec::new)
                }
            };
            if rules.last() != Some(&rule) {
                rules.push(rule);
            }
        }
    }

    fn find<'i>(&'i self, text: &str, lists: &mut Vec<&'i [u32]>) {
        if let Some(rules) = self.exact.get(text) {
            lists.push(rules);
        }
        for length in self.lengths.iter().take_while(|length| **length <= text.len()) {
            if let Some(rules) = text.get(..*length).and_then(|prefix| self.prefixes.get(prefix)) {
                lists.push(rules);
            }
        }
    }
}

/// What must be met for a condition to hold; of an alternative in it, or of what cannot be looked up, nothing.
pub(super) fn demands_of(condition: &Condition) -> Vec<Demand> {
    let mut found: Vec<Demand> = condition.matchers().iter().filter_map(of_matcher).collect();
    for expr in condition.exprs() {
        of_expr(expr.ir(), &mut found);
    }
    found
}

/// What a matcher of a label is about.
pub(super) fn of_name(label: &str) -> About {
    match label {
        "alertname" => About::StandIn("alertname"),
        "severity" => About::StandIn("severity"),
        name => About::Label("alert.labels", name.to_owned()),
    }
}

fn of_matcher(matcher: &Matcher) -> Option<Demand> {
    let about = of_name(matcher.name());
    let (texts, extent) = match matcher.comparer() {
        Comparer::Equal => (vec![matcher.value().to_owned()], Extent::Exact),
        Comparer::Like => of_pattern(matcher.value())?,
        Comparer::NotEqual | Comparer::NotLike => return None,
    };
    Some(Demand { about, texts, extent })
}

/// The demands of every conjunct of an expression.
fn of_expr(ir: &Ir, found: &mut Vec<Demand>) {
    match &ir.op {
        Op::And(parts) => parts.iter().for_each(|part| of_expr(part, found)),
        _ => found.extend(of_conjunct(ir)),
    }
}

fn of_conjunct(ir: &Ir) -> Option<Demand> {
    let exact = |of: &Ir, texts: Vec<String>| Some(Demand { about: about(of)?, texts, extent: Extent::Exact });
    match &ir.op {
        Op::Compare(Comparison::Equal, sides) => match (&sides[0].op, &sides[1].op) {
            (_, Op::Text(text)) => exact(&sides[0], vec![text.clone()]),
            (Op::Text(text), _) => exact(&sides[1], vec![text.clone()]),
            _ => None,
        },
        Op::InSet { of, set } => exact(of, set.keys().cloned().collect()),
        Op::Affix(Affix::Starts, sides) => match &sides[1].op {
            Op::Text(text) => Some(Demand { about: about(&sides[0])?, texts: vec![text.clone()], extent: Extent::Prefix }),
            _ => None,
        },
        Op::Matches(of, regex) => {
            let (head, _) = literal_head(regex.as_str().strip_prefix('^')?);
            let whole = !has_alternatives(regex.as_str());
            whole.then_some(Demand { about: about(of)?, texts: vec![head], extent: Extent::Prefix })
        }
        // `a == "x" || a == "y"` is a set, if every part is about the same.
        Op::Or(parts) => {
            let mut all = parts.iter().map(of_conjunct);
            let mut first = all.next()??;
            for part in all {
                let part = part?;
                if (&part.about, part.extent) != (&first.about, first.extent) {
                    return None;
                }
                first.texts.extend(part.texts);
            }
            Some(first)
        }
        _ => None,
    }
}

/// The subject of a part, where it can be looked up.
pub(super) fn about(ir: &Ir) -> Option<About> {
    match &ir.op {
        Op::Field(field) if field.ty.is_textual() => Some(About::Field(field.path)),
        Op::Label { of, name } => Some(About::Label(of.path, name.clone())),
        _ => None,
    }
}

/// What an anchored pattern demands: one of its alternatives where all are plain text, else its plain beginning.
fn of_pattern(pattern: &str) -> Option<(Vec<String>, Extent)> {
    let mut texts = Vec::new();
    for alternative in pattern.split('|') {
        match literal_head(alternative) {
            (text, Rest::Nothing) => texts.push(text),
            (_, Rest::Something) => {
                let (head, _) = literal_head(pattern);
                return (!has_alternatives(pattern)).then_some((vec![head], Extent::Prefix));
            }
        }
    }
    Some((texts, Extent::Exact))
}

/// Whether a pattern may have alternatives outside of everything; a class or an escape with `|` in it counts, which costs nothing but speed.
fn has_alternatives(pattern: &str) -> bool {
    pattern.contains('|')
}

enum Rest {
    Nothing,
    Something,
}

/// The plain text that a pattern begins with, and whether anything follows it.
fn literal_head(pattern: &str) -> (String, Rest) {
    let mut head = String::new();
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        let plain = match c {
            // Not every escaped sign is itself: `\<` begins a word.
            '\\' => chars.next_if(|escaped| ".+*?()|[]{}^$\\-/".contains(*escaped)),
            '.' | '+' | '*' | '?' | '(' | ')' | '|' | '[' | ']' | '{' | '}' | '^' | '$' => None,
            _ => Some(c),
        };
        // What is repeated may be there no time at all.
        match (plain, chars.peek()) {
            (Some(_), Some('*' | '?' | '{')) | (None, _) => return (head, Rest::Something),
            (Some(plain), _) => head.push(plain),
        }
    }
    (head, Rest::Nothing)
}
