//! What happened in a test that failed: each incident's timeline, each alert's judgements, each mail.

use super::compare::mail_in_a_line;
use crate::event::World;
use crate::limits;
use crate::model::incident::Incident;
use crate::model::message::Message;
use crate::sight;
use crate::state::{AlertCell, State};
use crate::text::{cut, one_line};
use crate::time::Time;

/// Bytes of one line.
const LINE_BYTES_MAX: usize = 300;

/// The lines, times counted from `start`. Of many alerts and incidents the first few.
pub(super) fn lines(state: &State, world: &World, mails: &[Message], start: Time) -> Vec<String> {
    let mut out = Lines { start, lines: Vec::new() };
    let incidents: Vec<&Incident> = {
        let mut all: Vec<&Incident> = state.incidents.values().chain(state.incidents.past().values()).collect();
        all.sort_unstable_by_key(|incident| incident.id);
        all
    };
    for incident in incidents.iter().take(limits::TRACE_NAMED_MAX) {
        let Incident { id, item, state: at, priority, rule, .. } = incident;
        let child = incident.parent.map(|parent| format!(", child of {parent}")).unwrap_or_default();
        out.line(format!("{id} on {item}: {at}, {priority}, rule {rule}{child}"));
        for (_, entry) in state.incidents.new_entries().range((*id, 0)..=(*id, u32::MAX)) {
            let because = if entry.because.is_empty() { String::new() } else { format!(", because {}", entry.because) };
            out.moment(entry.at, format!("{}{because}", entry.what));
        }
    }
    out.more(incidents.len(), "incidents");
    let alerts: Vec<&AlertCell> = state.alerts().chain(state.alerts.past().values()).collect();
    for cell in alerts.iter().take(limits::TRACE_NAMED_MAX) {
        let alert = &cell.alert;
        let place = alert.incident.map(|id| format!(", {} of {id}", alert.role)).unwrap_or_default();
        out.line(format!("{} {} on {}: {}{place}", alert.id, alert.name, sight::item_name(world, &alert.ci), alert.state));
        for step in &alert.judgement {
            let because = if step.because.is_empty() { String::new() } else { format!(" ({})", step.because) };
            out.moment(step.at, format!("{} {}{because}", step.what, step.outcome));
        }
    }
    out.more(alerts.len(), "alerts");
    for mail in mails.iter().take(limits::TRACE_NAMED_MAX) {
        out.moment(mail.planned_at, format!("mail {}", mail_in_a_line(mail)));
    }
    out.more(mails.len(), "mails");
    out.lines
}

struct Lines {
    start: Time,
    lines: Vec<String>,
}

impl Lines {
    fn line(&mut self, text: String) {
        self.lines.push(cut(&one_line(&text), LINE_BYTES_MAX));
    }

    fn moment(&mut self, at: Time, text: String) {
        let after = (at - self.start).to_string();
        self.lines.push(format!("{after:>10}  {}", cut(&one_line(&text), LINE_BYTES_MAX)));
    }

    fn more(&mut self, count: usize, what: &str) {
        if count > limits::TRACE_NAMED_MAX {
            self.line(format!("and {} more {what}", count - limits::TRACE_NAMED_MAX));
        }
    }
}
