//! What an alert means: the first correlate rule that matches, with the built-in answers where it leaves things open.

use crate::event::World;
use crate::expr::View;
use crate::ids::Realm;
use crate::policy::correlate::{Correlate, GroupBy, means_by_name};
use crate::policy::priorities::urgency_of;
use crate::text::Because;
use crate::words::{Action, Explains, Level, Means, Severity};

/// A matched rule and what it says of this alert.
#[derive(Debug)]
pub struct Matched<'a> {
    /// The rule.
    pub rule: &'a Correlate,
    /// What the alert does to its item.
    pub means: Means,
    /// What it explains.
    pub explains: Explains,
    /// Its urgency.
    pub urgency: Level,
}

/// The rule of an alert.
pub fn matched<'a>(world: &'a World, view: &View<'_>) -> Matched<'a> {
    said_by(world.policy.correlate.first_match(view), view)
}

/// What a given rule says of an alert.
pub fn said_by<'a>(rule: &'a Correlate, view: &View<'_>) -> Matched<'a> {
    let means = rule.means.unwrap_or_else(|| means_by_name(view.alert.name, view.alert.severity));
    let explains = rule.explains.unwrap_or(match means {
        Means::Down => Explains::Downstream,
        Means::Degraded => Explains::Ci,
        Means::Nothing => Explains::Nothing,
    });
    let urgency = rule.urgency.as_ref().map_or_else(|| urgency_of(view.alert.severity), |given| given.of(view.alert.severity));
    Matched { rule, means, explains, urgency }
}

/// Why an alert is only recorded; `None` where it opens and joins incidents.
pub fn only_recorded(rule: &Correlate, name: &str, severity: Severity) -> Option<Because> {
    match rule.action {
        Action::Record => Some(Because::Rule { section: "correlate".to_owned(), name: rule.name.clone() }),
        Action::Open if matches!(name, "Watchdog" | "InfoInhibitor") => Some(Because::Signal { name: name.to_owned() }),
        Action::Open if severity == Severity::Info && rule.urgency.is_none() => Some(Because::OnlyInfo),
        Action::Open => None,
    }
}

/// Realm and `group_by` values of an alert: alerts with the same are of one incident.
pub fn group(rule: &Correlate, realm: &Realm, view: &View<'_>) -> String {
    let mut out = String::new();
    if !realm.is_main() {
        out.push_str(&format!("realm={realm},"));
    }
    for (n, by) in rule.group_by.iter().enumerate() {
        if n > 0 {
            out.push(',');
        }
        match by {
            // Whatever the case in which an unknown item was named: known ones carry their id.
            GroupBy::Ci => out.push_str(&format!("ci={}", view.ci.id)),
            GroupBy::Rule => out.push_str(&format!("rule={}", rule.name)),
            GroupBy::Service => out.push_str(&format!("service={}", view.service.id)),
            GroupBy::Path(path) => out.push_str(&format!("{path}={}", path.text(view))),
        }
    }
    out
}

/// What an incident of this alert is called: the rule's `title`, else the alert's name and item.
pub fn title(rule: &Correlate, view: &View<'_>) -> String {
    let title = match &rule.title {
        Some(template) => template.render(view),
        None => format!("{} on {}", view.alert.name, view.ci.id),
    };
    crate::text::cut(&crate::text::one_line(&title), 300)
}
