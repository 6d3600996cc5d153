//! `incident …`: lists, records, and the commands to one.

use clap::Subcommand;
use serde_json::Value;
use watchkeeper_engine::command::{IncidentCommand, OpenIncident};
use watchkeeper_engine::ids::{AlertId, IncidentId};
use watchkeeper_engine::time::{Span, Time};
use watchkeeper_engine::words::{ClockState, HOLD_REASONS, Level, Priority};

use super::client::{Client, Output, part};
use super::table::{Reader, joined, listed, maybe, show, table, words};
use super::ticket::{self, Id};
use crate::app::Failure;
use crate::view::{IncidentView, MemberView, Page, ServiceView, SlaView, WholeIncident};

/// What is done with incidents.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// List incidents, the most urgent first
    List {
        /// `open`, `all`, or states: new acknowledged in_progress on_hold resolved closed
        #[arg(long, default_value = "open")]
        state: String,
        /// Priorities, such as P1,P2
        #[arg(long)]
        priority: Option<String>,
        /// CIs at fault
        #[arg(long)]
        ci: Option<String>,
        /// Teams that own them
        #[arg(long)]
        owner: Option<String>,
        /// Affected services
        #[arg(long)]
        service: Option<String>,
        /// Words in the title, the CI or the resolution
        #[arg(long)]
        q: Option<String>,
        /// The order: priority, opened_at or updated_at; `-` before a word turns it around
        #[arg(long, default_value = "priority", allow_hyphen_values = true)]
        sort: String,
        /// How many: 1 to 1000
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Show an incident: what it affects, its alerts, its timeline
    Show {
        /// Such as INC0000042
        id: String,
    },
    /// Open an incident for a fault that no alert tells of, such as a phone call
    Open {
        /// What is wrong, in a sentence
        #[arg(required = true)]
        title: Vec<String>,
        /// The CI, by its id or an alias
        #[arg(long)]
        ci: String,
        /// P1 to P5; by the CI's criticality unless given
        #[arg(long, conflicts_with_all = ["impact", "urgency"])]
        priority: Option<Priority>,
        /// high, medium or low
        #[arg(long, requires = "urgency")]
        impact: Option<Level>,
        /// high, medium or low
        #[arg(long, requires = "impact")]
        urgency: Option<Level>,
        /// What else was said
        #[arg(long)]
        words: Option<String>,
    },
    /// Merge other incidents into an incident, as its children
    Merge {
        #[command(flatten)]
        id: Id,
        /// The other incidents, such as INC0000043
        #[arg(required = true)]
        children: Vec<IncidentId>,
    },
    /// Acknowledge an incident (you become its assignee)
    #[command(visible_alias = "acknowledge")]
    Ack(Id),
    /// Assign an incident to a person or a team
    Assign {
        #[command(flatten)]
        id: Id,
        /// Person or team
        to: String,
    },
    /// Add a note to an incident's timeline
    Note {
        #[command(flatten)]
        id: Id,
        /// Text of the note
        #[arg(required = true)]
        text: Vec<String>,
    },
    /// Put an incident on hold
    Hold {
        #[command(flatten)]
        id: Id,
        /// What it waits for: waiting_for_customer, waiting_for_vendor or waiting_for_change
        #[arg(value_parser = HOLD_REASONS.to_vec())]
        reason: String,
        /// For how long at most, such as 2h
        #[arg(long = "for", value_name = "DURATION", value_parser = Span::parse)]
        lasts: Option<Span>,
        /// Until when at most, RFC 3339
        #[arg(long, conflicts_with = "lasts", value_parser = moment)]
        until: Option<Time>,
    },
    /// Resume work on an incident that is on hold
    Resume(Id),
    /// Resolve an incident
    Resolve {
        #[command(flatten)]
        id: Id,
        /// How it was fixed
        words: Vec<String>,
    },
    /// Reopen a resolved incident
    Reopen {
        #[command(flatten)]
        id: Id,
        /// Why
        words: Vec<String>,
    },
    /// Close a resolved incident
    Close(Id),
    /// Detach an alert that does not belong to an incident
    Detach {
        #[command(flatten)]
        id: Id,
        /// Such as ALR0000007
        alert: AlertId,
    },
    /// Change an incident's priority
    Priority {
        #[command(flatten)]
        id: Id,
        /// P1 to P5
        priority: Priority,
        /// Why
        words: Vec<String>,
    },
}

/// Does it.
pub(super) fn run(client: &Client, output: Output, verb: Verb, reader: &Reader) -> Result<(), Failure> {
    let one_text = |words: Vec<String>| words.join(" ");
    let (id, command) = match verb {
        Verb::List { state, priority, ci, owner, service, q, sort, limit } => {
            let given = [("priority", priority), ("ci", ci), ("owner", owner), ("service", service), ("q", q)];
            let is_all_open = state == "open" && given.iter().all(|(_, value)| value.is_none());
            let mut query = vec![("state", state), ("sort", sort), ("limit", limit.to_string())];
            query.extend(given.into_iter().filter_map(|(name, value)| Some((name, value?))));
            let nothing = if is_all_open { "no open incidents" } else { "no incident matches" };
            return show(output, client.get("/api/v1/incidents", &query)?, |list| table_of(list, nothing, reader));
        }
        Verb::Show { id } => {
            return show(output, client.get(&format!("/api/v1/incidents/{}", part(&id)), &[])?, |incident| shown(incident, reader));
        }
        Verb::Open { title, ci, priority, impact, urgency, words } => {
            let open = OpenIncident { title: one_text(title), ci, priority, impact, urgency, words: words.unwrap_or_default() };
            return said(output, client.post("/api/v1/incidents", &body(&open))?);
        }
        Verb::Merge { id, children } => (id, IncidentCommand::Merge { children }),
        Verb::Ack(id) => (id, IncidentCommand::Acknowledge {}),
        Verb::Assign { id, to } => (id, IncidentCommand::Assign { to }),
        Verb::Note { id, text } => (id, IncidentCommand::Note { text: one_text(text) }),
        Verb::Hold { id, reason, lasts, until } => (id, IncidentCommand::Hold { reason, until, lasts }),
        Verb::Resume(id) => (id, IncidentCommand::Resume {}),
        Verb::Resolve { id, words } => (id, IncidentCommand::Resolve { words: one_text(words) }),
        Verb::Reopen { id, words } => (id, IncidentCommand::Reopen { words: one_text(words) }),
        Verb::Close(id) => (id, IncidentCommand::Close {}),
        Verb::Detach { id, alert } => (id, IncidentCommand::Detach { alert }),
        Verb::Priority { id, priority, words } => (id, IncidentCommand::Priority { priority, words: one_text(words) }),
    };
    said(output, id.command(client, "incidents", command.verb().word(), &body(&command))?)
}

/// A command or a report as the API reads it.
pub(super) fn body<T: serde::Serialize>(given: &T) -> Value {
    serde_json::to_value(given).expect("texts and numbers have a JSON form")
}

/// A moment as people type it.
pub(super) fn moment(text: &str) -> Result<Time, String> {
    Time::parse_rfc3339(text).ok_or_else(|| "write 2026-03-27T16:50:00+01:00 or 2026-03-27T15:50:00Z".to_owned())
}

/// Says how an incident is after a command.
fn said(output: Output, answer: Value) -> Result<(), Failure> {
    show(output, answer, |IncidentView { id, priority, state, ticket, .. }| ticket::said(format!("{id} {priority}"), state, ticket))
}

fn table_of(list: &Page<IncidentView>, nothing: &str, reader: &Reader) -> String {
    let row = |incident: &IncidentView| {
        let services: Vec<&str> = incident.services.iter().map(|service| service.id.as_str()).collect();
        vec![
            incident.id.to_string(),
            incident.priority.to_string(),
            words(incident.state),
            reader.ago(incident.ticket.opened_at),
            incident.ticket.ci.clone(),
            incident.ticket.title.clone(),
            services.join(", "),
            cleared(incident, |at| reader.ago(at)),
            maybe(incident.ticket.team.as_ref()),
            maybe(incident.ticket.assignee.as_ref()),
        ]
    };
    let columns = ["id", "prio", "state", "since", "ci", "title", "affected", "alerts", "owner", "assignee"];
    listed(&columns, list, row, nothing)
}

/// Which of its alerts have cleared; of one that is closed, how many it had.
fn cleared(incident: &IncidentView, when: impl FnOnce(Time) -> String) -> String {
    incident.cleared.as_ref().map_or_else(|| incident.alert_count.to_string(), |cleared| cleared.words(when))
}

/// `gold resolution: running, 75 % used, by 2026-11-24 07:02:00 CET`.
fn target(sla: &SlaView, reader: &Reader) -> String {
    let by = sla.deadline.map_or_else(String::new, |at| format!(", by {}", reader.at(at)));
    let because = sla.because.as_ref().map_or_else(String::new, |because| format!(", {because}"));
    let stands = match sla.state {
        ClockState::Ended => format!("neither met nor missed{because}"),
        ClockState::Running | ClockState::Paused | ClockState::Met | ClockState::Breached => {
            format!("{}, {} % used{by}{because}", sla.state, sla.percent)
        }
    };
    format!("{} {}: {stands}", sla.name, sla.target)
}

fn shown(whole: &WholeIncident, reader: &Reader) -> String {
    let WholeIncident { incident, alerts, history, .. } = whole;
    // How a service was is not how it is.
    let is_over = !incident.state.is_open();
    let health = |service: &ServiceView| if is_over { String::new() } else { format!(": {}", words(service.health)) };
    let affected: Vec<String> = incident.services.iter().map(|service| format!("{}{}", service.id, health(service))).collect();
    let targets: Vec<String> = incident.sla.iter().map(|sla| target(sla, reader)).collect();
    let hold = incident.hold.as_ref().map_or_else(String::new, |hold| {
        let until = hold.until.map_or_else(String::new, |until| format!(", until {} at most", reader.at(until)));
        format!("{}{until}", words(&hold.reason))
    });
    let own = [
        ("affected", affected.join(", ")),
        ("alerts", cleared(incident, |at| format!("at {}", reader.at(at)))),
        ("SLA", targets.join("; ")),
        ("runbook", maybe(incident.runbook.as_ref())),
        ("parent", maybe(incident.parent.as_ref())),
        ("children", joined(&incident.children)),
        ("recurrence of", maybe(incident.recurrence_of.as_ref())),
        ("problem", maybe(incident.problem.as_ref())),
        ("on hold", hold),
    ];
    let head = format!("{} {} {}", incident.id, incident.priority, words(incident.state).to_uppercase());
    let mut out = ticket::shown(&head, &incident.ticket, &own, history, reader);
    let row = |alert: &MemberView| {
        vec![
            alert.id.to_string(),
            alert.state.to_string(),
            alert.role.to_string(),
            alert.name.clone(),
            alert.ci.clone(),
            alert.because.clone(),
        ]
    };
    let rows = alerts.iter().map(row).collect();
    out += &format!("\n{}\n", table(&["alert", "state", "role", "name", "ci", "because"], rows, "no alerts"));
    out + &ticket::timeline(history, reader)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::table::read;

    fn incident() -> Value {
        serde_json::from_str(r#"{
            "id": "INC0000007", "version": 4, "state": "on_hold", "priority": "P2", "priority_by_hand": false, "impact": "high", "urgency": "medium",
            "title": "db-1 does not answer", "realm": "main", "ci": "db-1", "ci_known": true,
            "services": [{"id": "shop", "tier": "gold", "health": "at_risk"}], "team": "dba", "assignee": "anna", "rule": "any", "group": "db-1",
            "because": "no upstream alert is firing", "parent": null, "children": [], "recurrence_of": null, "cause": null, "symptoms": 0,
            "alert_count": 3, "cleared": {"alerts": 3, "of": 3, "auto_resolves_at": "2026-11-24T04:04:00.000Z"}, "muted": false, "major": false, "reopened": 0,
            "hold": {"reason": "waiting_for_vendor", "until": "2026-11-24T06:00:00.000Z"}, "problem": null, "runbook": null,
            "began_at": "2026-11-24T02:59:00.000Z", "opened_at": "2026-11-24T03:00:00.000Z", "acknowledged_at": null, "resolved_at": null,
            "resolved_by": null, "resolution": null, "closed_at": null, "updated_at": "2026-11-24T03:00:00.000Z", "url": "http://w/i/INC0000007",
            "sla": [], "alerts": [], "timeline": [{"at": "2026-11-24T03:00:00.000Z", "what": "opened", "because": null, "actor": "watchkeeper"}],
            "timeline_total": 1, "told": []
        }"#)
        .expect("it is JSON")
    }

    fn reader() -> Reader {
        Reader::utc(Time::parse_rfc3339("2026-11-24T04:00:00Z").expect("it is a time"))
    }

    #[test]
    fn an_incident_reads_as_an_operator_speaks() {
        let whole: WholeIncident = read(incident()).expect("it is one");
        insta::assert_snapshot!(shown(&whole, &reader()), @r"
        INC0000007 P2 ON HOLD: db-1 does not answer
        ci            db-1
        since         2026-11-24 03:00:00 UTC (1 h ago)
        assignee      anna
        owner         dba
        affected      shop: at risk
        alerts        all 3 cleared, auto-resolves at 2026-11-24 04:04:00 UTC
        on hold       waiting for vendor, until 2026-11-24 06:00:00 UTC at most
        because       no upstream alert is firing
        rule          any
        version       4
        page          http://w/i/INC0000007

        no alerts

        2026-11-24 03:00:00 UTC  watchkeeper: opened
        ");
    }

    #[test]
    fn a_list_of_incidents_says_what_is_urgent_and_an_empty_one_what_is_not_there() {
        let list: Page<IncidentView> = read(serde_json::json!({ "items": [incident()], "next": null })).expect("it is one");
        let drawn = table_of(&list, "no open incidents", &reader());
        let columns: Vec<&str> = drawn.lines().next().unwrap_or_default().split_whitespace().collect();
        assert_eq!(columns, ["ID", "PRIO", "STATE", "SINCE", "CI", "TITLE", "AFFECTED", "ALERTS", "OWNER", "ASSIGNEE"]);
        let flat = drawn.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains("all 3 cleared") && flat.contains("in 4 min"), "{drawn}");
        assert!(drawn.contains("INC0000007") && drawn.contains("on hold") && drawn.contains("1 h"), "{drawn}");
        let nothing = Page::<IncidentView> { items: Vec::new(), next: None };
        assert_eq!(table_of(&nothing, "no open incidents", &reader()), "no open incidents\n");
    }

    #[test]
    fn what_a_daemon_of_another_version_answers_is_named_with_its_place() {
        let mut other = incident();
        other["state"] = "asleep".into();
        let failure = read::<WholeIncident>(other).expect_err("no such state");
        assert!(failure.text.contains("asleep") && failure.text.contains("another version"), "{}", failure.text);
    }
}
