//! `expect` of a test: what must hold at a moment, as plain data. What is left out is not looked at; a list is complete and in any order, `[]` is none.

use std::ops::Range;

use super::shaped::{Shaped, Taken, shaped};
use crate::source::{Key, Keys, Node, Reading, Shape, Spanned};
use crate::time::Time;
use crate::words::{AlertState, ClockState, IncidentState, Level, Priority, ProblemState, Reason, SlaKind, SlaTarget};

shaped! {
    /// What must hold at a moment.
    Expect "`expect`" {
        incidents: Vec<IncidentExpectation>, "all incidents that are not closed, in any order; [] is none.";
        mails: Vec<MailExpectation>, "all mails since the last expectation of mails, in any order; [] is none.";
        problems: Vec<ProblemExpectation>, "all problems that are not closed, in any order; [] is none.";
        sla: Vec<SlaExpectation>, "all promises of incidents that are not closed, in any order; [] is none.";
        alerts: Vec<AlertExpectation>, "all alerts that are not cleared, in any order; [] is none.";
    } later [];

    /// What an incident must be.
    IncidentExpectation "an expected incident" {
        ci: String, "the CI of its cause.";
        state: IncidentState, "its state.";
        priority: Priority, "its priority.";
        impact: Level, "its impact.";
        urgency: Level, "its urgency.";
        rule: String, "the rule that opened it.";
        team: String, "its team.";
        assignee: String, "who has it; \"\" is nobody.";
        title: String, "its title.";
        services: Vec<String>, "the services it hurts, complete.";
        symptoms: Vec<String>, "the CIs of its symptoms, complete.";
        alerts: u32, "how many alerts are attached.";
        because: String, "a part of a sentence of its timeline.";
        reopened: u32, "how often it was reopened.";
        recurrence: bool, "whether it is linked as the recurrence of an earlier one.";
        sla: Vec<SlaExpectation>, "where the promises of its SLAs stand, complete and in any order; [] is none.";
    } later [
        ("problem", "expect it under `problems`"),
        ("major", "leave it out: no incident is major yet"),
        ("hold", "expect `state: on_hold`"),
    ];

    /// What a promise of an SLA must be.
    SlaExpectation "an expected promise" {
        name: String, "the SLA.";
        ci: String, "the CI of its incident.";
        kind: SlaKind, "between whom: sla or uc.";
        service: String, "the service for which it is promised; \"\" is none.";
        target: SlaTarget, "of what.";
        state: ClockState, "where it stands.";
        deadline: Time, "until when.";
        percent: u32, "the used share, in percent.";
    } later [];

    /// What a mail must be.
    MailExpectation "an expected mail" {
        to: String, "its address.";
        reason: Reason, "why it goes out.";
        subject: String, "a part of its subject.";
        ci: String, "the CI of its incident.";
        template: String, "its template.";
    } later [];

    /// What an alert must be.
    AlertExpectation "an expected alert" {
        name: String, "its name.";
        ci: String, "its CI.";
        state: AlertState, "its state.";
        muted_by: String, "the silence that mutes it; \"\" is none.";
    } later [];

    /// What a problem must be.
    ProblemExpectation "an expected problem" {
        rule: String, "its rule.";
        ci: String, "the CI of the incident that opened it.";
        state: ProblemState, "its state.";
        title: String, "its title.";
        incidents: u32, "how many outages it has.";
    } later [];
}

/// Reads it.
pub(super) fn expect<'a>(reading: &Reading<'a>, node: &'a Node) -> Option<Expect> {
    let keys = reading.keys(node, Expect::SHAPE)?;
    if keys.entries().is_empty() {
        reading.wrong(node, "incidents, mails, alerts, problems or sla");
    }
    Some(Expect::of(&keys))
}
