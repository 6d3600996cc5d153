//! The judgement of one alert, in the order in which it is made: what it is about and by which rule, whether it is only recorded or suppressed, where it
//! belongs. `step` applies what these return and `trace` prints it; neither judges anything itself.

use crate::cmdb::health::HealthMap;
use crate::decide::attach::{self, Opening, Verdict};
use crate::decide::cause::{self, Cause};
use crate::decide::identify::{self, Identified};
use crate::decide::rate;
use crate::decide::rule;
use crate::decide::suppress::{self, Suppressed};
use crate::event::World;
use crate::expr::{Budget, Dearest, View};
use crate::ids::IncidentId;
use crate::limits;
use crate::model::alert::{Alert, CiRef};
use crate::model::incident::Incident;
use crate::policy::correlate::Correlate;
use crate::sight;
use crate::state::State;
use crate::text::Because;
use crate::time::Time;
use crate::words::{Reason, Role};

/// A step as people read it: what was looked at, with which outcome, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What was looked at.
    pub what: &'static str,
    /// What came of it.
    pub outcome: String,
    /// Why, or empty where the outcome says it.
    pub because: String,
}

/// What an alert is about, and the rule it is judged by.
#[derive(Debug)]
pub struct Matched<'a> {
    /// Its CI.
    pub identified: Identified,
    /// Its rule, and what that says of it.
    pub rule: rule::Matched<'a>,
    /// The dearest rule of the batch, where not all conditions were looked at because together they had cost too much.
    pub given_up: Option<Dearest>,
    /// Until when it must keep firing before it is judged; `None`: it is judged at once.
    pub pending_until: Option<Time>,
}

/// Ties an alert to its CI and rule. `began` is when it began to fire, where it only just did: then it waits for the rule's `for`.
pub fn matched<'a>(state: &State, world: &'a World, view: View<'_>, began: Option<Time>, now: Time) -> Matched<'a> {
    let identified = identify::identify(world, &view);
    let view = sight::with_ci(view, state, world, &identified.ci);
    let before = view.budget.map_or(0, Budget::refused);
    let rule = rule::matched(world, &view);
    let given_up = view.budget.filter(|budget| budget.refused() > before).and_then(Budget::dearest);
    let pending_until = began.map(|began| began + rule.rule.hold_for).filter(|until| *until > now);
    Matched { identified, rule, given_up, pending_until }
}

impl Matched<'_> {
    /// What it is about.
    pub fn identified_step(&self, world: &World) -> Step {
        let what = match self.identified.ci {
            CiRef::Known(_) => "identified",
            CiRef::Unknown(_) => "unmatched",
        };
        Step { what, outcome: sight::item_name(world, &self.identified.ci).to_owned(), because: self.identified.because.clone() }
    }

    /// Its rule, whether all conditions were looked at for it, and how long it has to keep firing.
    pub fn rule_steps(&self) -> Vec<Step> {
        let rule::Matched { rule, means, explains, urgency } = &self.rule;
        let because = format!("means {means}, explains {explains}, urgency {urgency}");
        let mut steps = vec![Step { what: "rule", outcome: rule.name.clone(), because }];
        if let Some(dearest) = &self.given_up {
            let (max, rule) = (limits::BATCH_ELEMENTS_MAX, &dearest.rule);
            let because = format!("conditions of a batch look at {max} elements in sum; the dearest rule is {rule}");
            steps.push(Step { what: "conditions", outcome: "not all looked at".to_owned(), because });
        }
        if self.pending_until.is_some() {
            let because = Because::Waits { hold: rule.hold_for }.to_string();
            steps.push(Step { what: "pending", outcome: rule.hold_for.words(), because });
        }
        steps
    }
}

/// The rule of an alert; where a reload took it away, the first that matches.
pub fn rule_of<'a>(world: &'a World, alert: &Alert, view: &View<'_>) -> &'a Correlate {
    let correlate = &world.policy.correlate;
    correlate.by_name(&alert.rule).unwrap_or_else(|| correlate.first_match(view))
}

/// What an alert is in its incident, as a sentence says it.
pub const fn as_role(role: Role) -> &'static str {
    match role {
        Role::Cause => "the cause",
        Role::Symptom => "a symptom",
        Role::Member => "a member",
    }
}

/// Whether an alert opens and joins incidents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Why it is only recorded, where it is.
    pub recorded: Option<Because>,
    /// What suppresses it.
    pub suppressed: Suppressed,
}

/// Judges whether an alert that fires is only recorded or suppressed.
pub fn standing(state: &State, world: &World, rule: &Correlate, view: &View<'_>, now: Time) -> Standing {
    Standing {
        recorded: rule::only_recorded(rule, view.alert.name, view.alert.severity),
        suppressed: suppress::suppressed(state, world, view, now),
    }
}

impl Standing {
    /// Why it opens and joins nothing; empty where it does.
    pub fn steps(&self) -> Vec<Step> {
        if let Some(because) = &self.recorded {
            return vec![Step { what: "recorded", outcome: String::new(), because: because.to_string() }];
        }
        let step = |because: Because| Step { what: "suppressed", outcome: String::new(), because: because.to_string() };
        self.suppressed.because().into_iter().map(step).collect()
    }
}

/// Where a firing alert belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its group: alerts with the same are of one incident.
    pub group: String,
    /// The alert that explains it.
    pub cause: Option<Cause>,
    /// What becomes of it.
    pub verdict: Verdict,
}

/// Finds the incident of an alert that fires unsuppressed. `leaving` is one it is being released from.
pub fn place(
    state: &State,
    world: &World,
    alert: &Alert,
    rule: &Correlate,
    view: &View<'_>,
    leaving: Option<IncidentId>,
    now: Time,
) -> Place {
    let group = rule::group(rule, &alert.realm, view);
    let cause = cause::of(state, world, alert);
    let verdict = attach::verdict(state, alert, rule, &group, cause.clone(), leaving, now);
    Place { group, cause, verdict }
}

/// What the incident that an alert opens is made of, beside the verdict.
#[derive(Debug)]
pub struct Opens<'a> {
    /// The alert.
    pub alert: &'a Alert,
    /// Its rule.
    pub rule: &'a Correlate,
    /// Its group.
    pub group: String,
    /// The incident before it with the same group.
    pub recurrence_of: Option<IncidentId>,
    /// Why it opens.
    pub because: Because,
    /// What its first mail is: opened, or released.
    pub notify_as: Reason,
}

/// The incident that an alert opens, rated over the health that holds with it.
pub fn opened(state: &State, health: &HealthMap, world: &World, view: &View<'_>, opens: Opens<'_>, now: Time) -> Incident {
    let Opens { alert, rule, group, recurrence_of, because, notify_as } = opens;
    let title = rule::title(rule, view);
    let rating = rate::rate(health, world, &alert.ci, rate::Burden::of_alert(alert));
    attach::opened(state, world, view, Opening { alert, rule, group, title, rating, recurrence_of, because, notify_as }, now)
}
