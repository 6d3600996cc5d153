//! What an expectation says against what is there: lists in any order, entries by the fields they name, and a difference that people read.

use std::ops::Range;

use crate::cmdb::same_name;
use crate::event::World;
use crate::ids::AlertId;
use crate::model::alert::CiRef;
use crate::model::incident::Incident;
use crate::model::incident::clock::{Promise, Standing};
use crate::model::message::Message;
use crate::model::problem::Problem;
use crate::policy::tests::{AlertExpectation, Expect, IncidentExpectation, MailExpectation, ProblemExpectation, SlaExpectation};
use crate::sight;
use crate::source::Spanned;
use crate::state::{AlertCell, State};
use crate::text::{Because, cut, one_line};
use crate::time::Time;
use crate::words::{AlertState, Role};

/// Characters of a text that a difference shows.
const SHOWN_BYTES_MAX: usize = 160;

/// Holds an expectation against State and the mails since the last: each list that is not as expected, with its bytes in the file.
pub(super) fn check(state: &State, world: &World, mails: &[Message], expected: &Expect, now: Time) -> Vec<(Range<usize>, String)> {
    let mut found = Vec::new();
    if let Some(Spanned { value, span }) = &expected.incidents {
        let actual: Vec<&Incident> = state.incidents.values().filter(|incident| incident.parent.is_none()).collect();
        let show = |incident: &&Incident| incident_in_a_line(incident);
        let text = differ("incidents", value, &actual, |e, a| incident(state, world, e, a, now), show, incident_wanted);
        found.extend(text.map(|text| (span.clone(), text)));
    }
    if let Some(Spanned { value, span }) = &expected.mails {
        let actual: Vec<&Message> = mails.iter().collect();
        let text = differ("mails", value, &actual, |e, a| mail(world, e, a), |message| mail_in_a_line(message), mail_wanted);
        found.extend(text.map(|text| (span.clone(), text)));
    }
    if let Some(Spanned { value, span }) = &expected.alerts {
        let actual: Vec<&AlertCell> = state.alerts().filter(|cell| cell.alert.is_active()).collect();
        let text = differ("alerts", value, &actual, |e, a| alert(world, e, a), |cell| alert_in_a_line(world, cell), alert_wanted);
        found.extend(text.map(|text| (span.clone(), text)));
    }
    if let Some(Spanned { value, span }) = &expected.sla {
        let actual = promises(state, state.incidents.values().filter(|incident| incident.parent.is_none()), now);
        let text = differ("sla", value, &actual, |e, a| promise(world, e, a), promise_in_a_line, promise_wanted);
        found.extend(text.map(|text| (span.clone(), text)));
    }
    if let Some(Spanned { value, span }) = &expected.problems {
        let actual: Vec<&Problem> = state.problems.values().collect();
        let text = differ("problems", value, &actual, |e, a| problem(world, e, a), |problem| problem_in_a_line(problem), problem_wanted);
        found.extend(text.map(|text| (span.clone(), text)));
    }
    found
}

/// Whether an item is the one an expectation or a command names: by id, alias or short name; an unknown one by the value it was looked up by.
pub(super) fn is_item(world: &World, ci: &CiRef, item: &str, named: &str) -> bool {
    same_name(item, named) || ci.known().is_some_and(|no| world.cmdb.find(named) == Some(no))
}

/// One incident as lists show it.
pub(super) fn incident_in_a_line(incident: &Incident) -> String {
    let child = incident.parent.map(|parent| format!(", child of {parent}")).unwrap_or_default();
    let Incident { id, item, state, priority, rule, title, .. } = incident;
    format!("{id} {{ci: {}, state: {state}, priority: {priority}, rule: {rule}, title: {}}}{child}", shown(item), quoted(title))
}

/// One mail as lists show it.
pub(super) fn mail_in_a_line(message: &Message) -> String {
    let ci = message.content.ci();
    let ci = if ci.is_empty() { String::new() } else { format!(", ci: {}", shown(ci)) };
    format!(
        "{{to: {}, reason: {}, subject: {}{ci}}} by {}",
        shown(&message.to),
        message.reason,
        quoted(&message.subject),
        message.notify_rule
    )
}

fn alert_in_a_line(world: &World, cell: &AlertCell) -> String {
    let alert = &cell.alert;
    let muted = muted_by(cell).map(|by| format!(", muted_by: {by}")).next().unwrap_or_default();
    format!("{{name: {}, ci: {}, state: {}{muted}}}", shown(&alert.name), shown(sight::item_name(world, &alert.ci)), alert.state)
}

/// One field that is not as expected.
struct Difference {
    field: &'static str,
    expected: String,
    got: String,
}

/// The fields of one entry, named or not, and how they differ.
#[derive(Default)]
struct Differences(Vec<Difference>);

impl Differences {
    fn field<T>(
        &mut self,
        field: &'static str,
        expected: Option<&Spanned<T>>,
        holds: impl FnOnce(&T) -> bool,
        want: impl FnOnce(&T) -> String,
        got: impl FnOnce() -> String,
    ) {
        if let Some(Spanned { value, .. }) = expected
            && !holds(value)
        {
            self.0.push(Difference { field, expected: want(value), got: got() });
        }
    }

    /// A closed word or a number.
    fn same<T: PartialEq + ToString>(&mut self, field: &'static str, expected: Option<&Spanned<T>>, got: &T) {
        self.field(field, expected, |value| value == got, ToString::to_string, || got.to_string());
    }

    fn text(&mut self, field: &'static str, expected: Option<&Spanned<String>>, got: &str) {
        self.field(field, expected, |value| value == got, |value| quoted(value), || quoted(got));
    }

    fn part(&mut self, field: &'static str, expected: Option<&Spanned<String>>, got: &[String]) {
        let holds = |value: &String| got.iter().any(|sentence| sentence.contains(value.as_str()));
        let all = || got.iter().map(|sentence| quoted(sentence)).collect::<Vec<_>>().join("\n             ");
        self.field(field, expected, holds, |value| format!("a sentence with {}", quoted(value)), all);
    }

    /// Names whatever their order and case.
    fn set(&mut self, field: &'static str, expected: Option<&Spanned<Vec<String>>>, got: &[String], same: impl Fn(&str, &str) -> bool) {
        let holds = |value: &Vec<String>| {
            let within = |these: &[String], those: &[String]| these.iter().all(|this| those.iter().any(|that| same(this, that)));
            let count = got.len();
            within(value, got) && got.iter().all(|there| value.iter().any(|wanted| same(wanted, there))) && distinct(value) == count
        };
        self.field(field, expected, holds, |value| listed(value), || listed(got));
    }
}

fn incident(state: &State, world: &World, expected: &IncidentExpectation, incident: &Incident, now: Time) -> Vec<Difference> {
    let mut found = Differences::default();
    let item = |named: &String| is_item(world, &incident.ci, &incident.item, named);
    found.field("ci", expected.ci.as_ref(), item, |value| shown(value), || shown(&incident.item));
    found.same("state", expected.state.as_ref(), &incident.state);
    found.same("priority", expected.priority.as_ref(), &incident.priority);
    found.same("impact", expected.impact.as_ref(), &incident.impact);
    found.same("urgency", expected.urgency.as_ref(), &incident.urgency);
    found.text("rule", expected.rule.as_ref(), &incident.rule);
    found.text("team", expected.team.as_ref(), &incident.team);
    found.text("assignee", expected.assignee.as_ref(), &incident.assignee);
    found.text("title", expected.title.as_ref(), &incident.title);
    let services: Vec<String> = incident.services.iter().map(|hit| hit.id.clone()).collect();
    found.set("services", expected.services.as_ref(), &services, same_name);
    if expected.symptoms.is_some() {
        let mut symptoms: Vec<String> = state
            .alerts_in(incident.id)
            .filter(|cell| cell.alert.role == Role::Symptom)
            .map(|cell| sight::item_name(world, &cell.alert.ci).to_owned())
            .collect();
        symptoms.sort_unstable();
        symptoms.dedup();
        let same = |named: &str, item: &str| same_name(named, item) || world.cmdb.find(named).is_some_and(|no| world.cmdb.id(no) == item);
        found.set("symptoms", expected.symptoms.as_ref(), &symptoms, same);
    }
    let alerts = u32::try_from(state.alerts_in(incident.id).count()).unwrap_or(u32::MAX);
    found.same("alerts", expected.alerts.as_ref(), &alerts);
    if expected.because.is_some() {
        found.part("because", expected.because.as_ref(), &sentences(state, incident));
    }
    found.same("reopened", expected.reopened.as_ref(), &incident.reopened);
    found.same("recurrence", expected.recurrence.as_ref(), &incident.recurrence_of.is_some());
    let promises: Vec<(&Incident, Promise<'_>)> = promises(state, [incident], now);
    let holds = |value: &Vec<SlaExpectation>| {
        let fits = |wanted: &SlaExpectation| (0..promises.len()).filter(|at| promise(world, wanted, &promises[*at]).is_empty()).collect();
        let fits: Vec<Vec<usize>> = value.iter().map(fits).collect();
        value.len() == promises.len() && matching(&fits, promises.len()).iter().all(Option::is_some)
    };
    let all = || format!("[{}]", promises.iter().map(promise_in_a_line).collect::<Vec<_>>().join(", "));
    found.field("sla", expected.sla.as_ref(), holds, |value| promises_wanted(value), all);
    found.0
}

/// The promises of SLAs to some incidents.
fn promises<'s>(state: &'s State, incidents: impl IntoIterator<Item = &'s Incident>, now: Time) -> Vec<(&'s Incident, Promise<'s>)> {
    let of = |incident: &'s Incident| incident.promises(&state.terms, now).into_iter().map(move |promise| (incident, promise));
    incidents.into_iter().flat_map(of).collect()
}

fn promise(world: &World, expected: &SlaExpectation, (incident, there): &(&Incident, Promise<'_>)) -> Vec<Difference> {
    let mut found = Differences::default();
    found.text("name", expected.name.as_ref(), &there.clock.name);
    let item = |named: &String| is_item(world, &incident.ci, &incident.item, named);
    found.field("ci", expected.ci.as_ref(), item, |value| shown(value), || shown(&incident.item));
    found.same("kind", expected.kind.as_ref(), &there.clock.kind);
    let service = |named: &String| same_name(&there.clock.service, named);
    found.field("service", expected.service.as_ref(), service, |value| shown(value), || shown(&there.clock.service));
    found.same("target", expected.target.as_ref(), &there.target);
    found.same("state", expected.state.as_ref(), &there.standing.state);
    let deadline = there.standing.deadline;
    let got = || deadline.map_or_else(|| "none while it is paused".to_owned(), |deadline| deadline.to_string());
    found.field("deadline", expected.deadline.as_ref(), |value| Some(*value) == deadline, ToString::to_string, got);
    found.same("percent", expected.percent.as_ref(), &there.standing.percent);
    found.0
}

fn promise_in_a_line((incident, promise): &(&Incident, Promise<'_>)) -> String {
    let Standing { state, percent, deadline, .. } = &promise.standing;
    let deadline = deadline.map(|deadline| format!(", deadline: {deadline}")).unwrap_or_default();
    let (name, ci) = (shown(&promise.clock.name), shown(&incident.item));
    format!("{{name: {name}, ci: {ci}, target: {}, state: {state}, percent: {percent}{deadline}}}", promise.target)
}

fn promises_wanted(expected: &[SlaExpectation]) -> String {
    format!("[{}]", expected.iter().map(promise_wanted).collect::<Vec<_>>().join(", "))
}

fn promise_wanted(entry: &SlaExpectation) -> String {
    let mut parts = Parts::default();
    parts.text("name", entry.name.as_ref());
    parts.text("ci", entry.ci.as_ref());
    parts.word("kind", entry.kind.as_ref());
    parts.text("service", entry.service.as_ref());
    parts.word("target", entry.target.as_ref());
    parts.word("state", entry.state.as_ref());
    parts.word("percent", entry.percent.as_ref());
    parts.word("deadline", entry.deadline.as_ref());
    parts.finish()
}

/// Every reason of an incident: its own, its members', its timeline's.
fn sentences(state: &State, incident: &Incident) -> Vec<String> {
    let members = state.incidents.members().range((incident.id, AlertId(0))..=(incident.id, AlertId(u64::MAX)));
    let timeline = state.incidents.new_entries().range((incident.id, 0)..=(incident.id, u32::MAX));
    let own = std::iter::once(incident.because.to_string());
    let mut all: Vec<String> = own
        .chain(members.map(|(_, member)| member.because.to_string()))
        .chain(
            timeline
                .map(|(_, entry)| if entry.because.is_empty() { entry.what.clone() } else { format!("{}: {}", entry.what, entry.because) }),
        )
        .collect();
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|sentence| seen.insert(sentence.clone()));
    all
}

fn mail(world: &World, expected: &MailExpectation, message: &Message) -> Vec<Difference> {
    let mut found = Differences::default();
    let to = |value: &String| value.eq_ignore_ascii_case(&message.to);
    found.field("to", expected.to.as_ref(), to, |value| shown(value), || shown(&message.to));
    found.same("reason", expected.reason.as_ref(), &message.reason);
    let has = |value: &String| message.subject.contains(value.as_str());
    found.field("subject", expected.subject.as_ref(), has, |value| format!("a text with {}", quoted(value)), || quoted(&message.subject));
    let item = message.content.ci();
    let ci =
        |value: &String| same_name(item, value) || !item.is_empty() && world.cmdb.find(value).is_some_and(|no| world.cmdb.id(no) == item);
    found.field("ci", expected.ci.as_ref(), ci, |value| shown(value), || shown(item));
    found.text("template", expected.template.as_ref(), &message.template);
    found.0
}

fn alert(world: &World, expected: &AlertExpectation, cell: &AlertCell) -> Vec<Difference> {
    let mut found = Differences::default();
    let alert = &cell.alert;
    let item = sight::item_name(world, &alert.ci);
    found.text("name", expected.name.as_ref(), &alert.name);
    found.field("ci", expected.ci.as_ref(), |value| is_item(world, &alert.ci, item, value), |value| shown(value), || shown(item));
    found.same::<AlertState>("state", expected.state.as_ref(), &alert.state);
    let by: Vec<&str> = muted_by(cell).collect();
    let holds = |value: &String| if value.is_empty() { by.is_empty() } else { by.contains(&value.as_str()) };
    found.field("muted_by", expected.muted_by.as_ref(), holds, |value| quoted(value), || quoted(&by.join(", ")));
    found.0
}

fn problem(world: &World, expected: &ProblemExpectation, problem: &Problem) -> Vec<Difference> {
    let mut found = Differences::default();
    found.text("rule", expected.rule.as_ref(), &problem.key.rule);
    let item = |named: &String| is_item(world, &problem.ci, &problem.item, named);
    found.field("ci", expected.ci.as_ref(), item, |value| shown(value), || shown(&problem.item));
    found.same("state", expected.state.as_ref(), &problem.state);
    found.text("title", expected.title.as_ref(), &problem.title);
    found.same("incidents", expected.incidents.as_ref(), &problem.outage_count);
    found.0
}

fn problem_in_a_line(problem: &Problem) -> String {
    let Problem { id, item, state, outage_count, key, title, .. } = problem;
    format!("{id} {{rule: {}, ci: {}, state: {state}, incidents: {outage_count}, title: {}}}", shown(&key.rule), shown(item), quoted(title))
}

fn problem_wanted(entry: &ProblemExpectation) -> String {
    let mut parts = Parts::default();
    parts.text("rule", entry.rule.as_ref());
    parts.text("ci", entry.ci.as_ref());
    parts.word("state", entry.state.as_ref());
    parts.text("title", entry.title.as_ref());
    parts.word("incidents", entry.incidents.as_ref());
    parts.finish()
}

fn muted_by(cell: &AlertCell) -> impl Iterator<Item = &str> {
    cell.alert.muted_by.iter().filter_map(|because| {
        let Because::Silenced { by, .. } = because else { return None };
        Some(by.as_str())
    })
}

/// Pairs each expected entry with an actual one that has no difference, as many as can be; the rest is the difference of the two lists.
fn differ<E, A>(
    what: &str,
    expected: &[E],
    actual: &[A],
    differences: impl Fn(&E, &A) -> Vec<Difference>,
    show: impl Fn(&A) -> String,
    wanted: impl Fn(&E) -> String,
) -> Option<String> {
    let fits: Vec<Vec<usize>> = expected
        .iter()
        .map(|entry| actual.iter().enumerate().filter(|(_, there)| differences(entry, there).is_empty()).map(|(at, _)| at).collect())
        .collect();
    let taken = matching(&fits, actual.len());
    let mut left: Vec<usize> = (0..actual.len()).filter(|at| taken[*at].is_none()).collect();
    let missing: Vec<&E> = expected.iter().enumerate().filter(|(at, _)| !taken.contains(&Some(*at))).map(|(_, entry)| entry).collect();
    if missing.is_empty() && left.is_empty() {
        return None;
    }
    let mut text = format!("{what}: {} expected, {} there", expected.len(), actual.len());
    for entry in missing {
        text.push_str(&format!("\n- expected {}", wanted(entry)));
        let nearest = left.iter().copied().min_by_key(|at| (differences(entry, &actual[*at]).len(), *at));
        match nearest {
            None => text.push_str("\n  nothing is left that it could be"),
            Some(at) => {
                left.retain(|other| *other != at);
                text.push_str(&format!("\n  nearest is {}", show(&actual[at])));
                for Difference { field, expected, got } in differences(entry, &actual[at]) {
                    text.push_str(&format!("\n    {field}: expected {expected}\n    {:width$}  got      {got}", "", width = field.len()));
                }
            }
        }
    }
    for at in left {
        text.push_str(&format!("\n+ not expected {}", show(&actual[at])));
    }
    Some(text)
}

/// A largest matching by augmenting ways: by actual entry, the expected one it was taken for.
fn matching(fits: &[Vec<usize>], actual: usize) -> Vec<Option<usize>> {
    let mut taken = vec![None; actual];
    for entry in 0..fits.len() {
        let mut seen = vec![false; actual];
        place(entry, fits, &mut taken, &mut seen);
    }
    taken
}

fn place(entry: usize, fits: &[Vec<usize>], taken: &mut [Option<usize>], seen: &mut [bool]) -> bool {
    for &at in &fits[entry] {
        if std::mem::replace(&mut seen[at], true) {
            continue;
        }
        let free = match taken[at] {
            None => true,
            Some(other) => place(other, fits, taken, seen),
        };
        if free {
            taken[at] = Some(entry);
            return true;
        }
    }
    false
}

fn incident_wanted(entry: &IncidentExpectation) -> String {
    let mut parts = Parts::default();
    parts.text("ci", entry.ci.as_ref());
    parts.word("state", entry.state.as_ref());
    parts.word("priority", entry.priority.as_ref());
    parts.word("impact", entry.impact.as_ref());
    parts.word("urgency", entry.urgency.as_ref());
    parts.text("rule", entry.rule.as_ref());
    parts.text("team", entry.team.as_ref());
    parts.text("assignee", entry.assignee.as_ref());
    parts.text("title", entry.title.as_ref());
    parts.list("services", entry.services.as_ref());
    parts.list("symptoms", entry.symptoms.as_ref());
    parts.word("alerts", entry.alerts.as_ref());
    parts.text("because", entry.because.as_ref());
    parts.word("reopened", entry.reopened.as_ref());
    parts.word("recurrence", entry.recurrence.as_ref());
    parts.0.extend(entry.sla.as_ref().map(|sla| format!("sla: {}", promises_wanted(&sla.value))));
    parts.finish()
}

fn mail_wanted(entry: &MailExpectation) -> String {
    let mut parts = Parts::default();
    parts.text("to", entry.to.as_ref());
    parts.word("reason", entry.reason.as_ref());
    parts.text("subject", entry.subject.as_ref());
    parts.text("ci", entry.ci.as_ref());
    parts.text("template", entry.template.as_ref());
    parts.finish()
}

fn alert_wanted(entry: &AlertExpectation) -> String {
    let mut parts = Parts::default();
    parts.text("name", entry.name.as_ref());
    parts.text("ci", entry.ci.as_ref());
    parts.word("state", entry.state.as_ref());
    parts.text("muted_by", entry.muted_by.as_ref());
    parts.finish()
}

/// An expected entry as a rules file writes it.
#[derive(Default)]
struct Parts(Vec<String>);

impl Parts {
    fn text(&mut self, field: &str, value: Option<&Spanned<String>>) {
        self.0.extend(value.map(|value| format!("{field}: {}", shown(&value.value))));
    }

    fn word<T: ToString>(&mut self, field: &str, value: Option<&Spanned<T>>) {
        self.0.extend(value.map(|value| format!("{field}: {}", value.value.to_string())));
    }

    fn list(&mut self, field: &str, value: Option<&Spanned<Vec<String>>>) {
        self.0.extend(value.map(|value| format!("{field}: {}", listed(&value.value))));
    }

    fn finish(self) -> String {
        format!("{{{}}}", self.0.join(", "))
    }
}

fn distinct(names: &[String]) -> usize {
    names.iter().enumerate().filter(|(at, name)| !names[..*at].iter().any(|earlier| same_name(earlier, name))).count()
}

fn listed(names: &[String]) -> String {
    let mut names: Vec<String> = names.iter().map(|name| shown(name)).collect();
    names.sort_unstable();
    format!("[{}]", names.join(", "))
}

/// A text on one line, in quotes where YAML would want them.
fn shown(text: &str) -> String {
    let plain = !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "-_./@:+ ".contains(c)) && !text.contains(": ");
    if plain { cut(text, SHOWN_BYTES_MAX) } else { quoted(text) }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", cut(&one_line(text), SHOWN_BYTES_MAX))
}
