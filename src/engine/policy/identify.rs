//! `identify`: what an alert is looked up by among the ids and aliases of the CMDB. First that names a known CI; the built-in names stand last.

use super::Policy;
use super::rules::{self, DISABLED, MATCHERS, NAME, NOTE, Names, Scope, WHEN};
use super::sections::{self, FileSection, Found, IsBuiltin, Keyed as _, StandsFor};
use crate::expr::{Expr, Section, View};
use crate::source::{Key, Keys, Node, Reading, Shape, Takes};

/// The section, in order, the built-in rules last.
#[derive(Debug, Default)]
pub struct Identify {
    rules: Vec<Rule>,
}

/// One compiled rule.
#[derive(Debug)]
struct Rule {
    name: String,
    condition: super::Condition,
    from: Expr,
}

impl Identify {
    /// The names of the operator's rules, in order, without the built-in ones.
    pub fn own_names(&self) -> impl Iterator<Item = &str> {
        self.rules[..self.rules.len() - BUILTIN.len()].iter().map(|rule| rule.name.as_str())
    }

    /// What `view`'s alert is looked up by: the rules whose condition holds and whose value is not empty, with that value, in order.
    pub fn candidates(&self, view: &View<'_>) -> impl Iterator<Item = (&str, String)> {
        let rules = self.rules.iter().filter(|rule| rule.condition.holds(view).is_yes());
        rules.filter_map(|rule| {
            let value = rule.from.text(view).ok()?;
            let value = value.trim();
            (!value.is_empty()).then(|| (rule.name.as_str(), value.to_owned()))
        })
    }
}

/// The built-in rules: name, condition and value.
const BUILTIN: &[(&str, &str, &str)] = &[
    ("ci", r#"alert.labels.ci != """#, "alert.labels.ci"),
    (
        "namespace-workload",
        r#"alert.labels.pod != "" && alert.labels.namespace != """#,
        r#"alert.labels.namespace + "/" + workload(alert.labels.pod)"#,
    ),
    ("workload", r#"alert.labels.pod != """#, "workload(alert.labels.pod)"),
    ("node", r#"alert.labels.node != """#, "alert.labels.node"),
    ("instance", r#"alert.labels.instance != """#, "host(alert.labels.instance)"),
    ("host", r#"alert.labels.host != """#, "alert.labels.host"),
    ("device", r#"alert.labels.device != """#, "alert.labels.device"),
    ("service", r#"alert.labels.service != """#, "alert.labels.service"),
];

/// A rule of `identify`.
pub(super) static RULE: Shape = Shape {
    what: "an identify rule",
    keys: &[
        NAME,
        NOTE,
        DISABLED,
        MATCHERS,
        WHEN,
        Key::must("from", Takes::Expression, "an expression whose text is looked up among ids and aliases, whatever the case."),
    ],
    later: &[],
};

/// `identify` of all files.
pub(super) struct IdentifySection {
    names: Names,
    rules: Vec<(Rule, sections::Rule)>,
}

impl Default for IdentifySection {
    fn default() -> Self {
        let builtin: Vec<&str> = BUILTIN.iter().map(|(name, _, _)| *name).collect();
        IdentifySection { names: Names::reserved(&builtin), rules: Vec::new() }
    }
}

impl FileSection for IdentifySection {
    const TAKES: Takes = Takes::List(&Takes::Map(&RULE));
    const DOC: &'static str = "what an alert is looked up by, in order, before the built-in names.";
    const SEES: &'static [&'static str] = Section::OF_ALERT;
    const NAMES: StandsFor = StandsFor::Rules;

    fn read<'a>(&mut self, reading: &Reading<'a>, node: &'a Node, scope: &Scope<'a>) {
        sections::each(reading, node, Self::KEY, &RULE, |keys| self.rule(keys, scope));
    }

    /// The rules of the files, then the built-in ones.
    fn finish(self, policy: &mut Policy, found: &mut Found<'_>) {
        let own: Vec<_> = self.rules.iter().map(|(rule, at)| (&rule.condition, at)).collect();
        // One that finds no CI leaves the alert to the next, so only what looks up the same stands in the way.
        found.hidden(&own, |earlier, later| self.rules[earlier].0.from.source().trim() == self.rules[later].0.from.source().trim());
        let section = Self::section();
        let condition = |when| Expr::compile(section, when).expect("built in and tested");
        let builtin = BUILTIN.iter().map(|(name, when, from)| Rule {
            name: (*name).to_owned(),
            condition: super::Condition::new(Vec::new(), vec![condition(when)]),
            from: Expr::compile_text(section, from).expect("built in and tested"),
        });
        policy.identify.rules = self.rules.into_iter().map(|(rule, _)| rule).chain(builtin).collect();
    }

    fn names(policy: &Policy) -> Vec<(&str, IsBuiltin)> {
        sections::own(policy.identify.own_names())
    }
}

impl IdentifySection {
    /// Reads one rule.
    fn rule<'a>(&mut self, keys: &Keys<'a, '_>, scope: &Scope<'a>) {
        let name = self.names.take(keys, Self::KEY);
        let is_disabled = rules::is_disabled(keys);
        let condition = rules::condition(keys, Self::section(), scope);
        let from = rules::text_expression(keys, "from", Self::section());
        if let (Some(name), Some(from), false) = (name, from, is_disabled) {
            let at = sections::Rule::of(keys, "identify rule", &name);
            self.rules.push((Rule { name, condition, from }, at));
        }
    }
}
