//! What states allow, as commands say it and as the engine decides it.

use watchkeeper_engine::command::{IncidentCommand, IncidentVerb};
use watchkeeper_engine::decide::command::{Answer, decide};
use watchkeeper_engine::event::Action;
use watchkeeper_engine::ids::{AlertId, IncidentId};
use watchkeeper_engine::time::Span;
use watchkeeper_engine::words::{HOLD_REASONS, IncidentState, Priority};

use crate::sim::{Sim, alert};

const HOSTS: &str = "
teams: [{id: platform, mail: [platform@example.org]}]
items: [{id: db-1, class: host, owner: platform}, {id: db-2, class: host, owner: platform}, {id: db-3, class: host, owner: platform}]
";

/// A command that is right in itself.
fn sample(verb: IncidentVerb, sim: &Sim, id: IncidentId) -> IncidentCommand {
    let words = "w".to_owned();
    match verb {
        IncidentVerb::Acknowledge => IncidentCommand::Acknowledge {},
        IncidentVerb::Assign => IncidentCommand::Assign { to: "bert".to_owned() },
        IncidentVerb::Note => IncidentCommand::Note { text: words },
        IncidentVerb::Hold => IncidentCommand::Hold { reason: HOLD_REASONS[0].to_owned(), until: None, lasts: Some(Span::hours(7)) },
        IncidentVerb::Resume => IncidentCommand::Resume {},
        IncidentVerb::Resolve => IncidentCommand::Resolve { words },
        IncidentVerb::Reopen => IncidentCommand::Reopen { words },
        IncidentVerb::Close => IncidentCommand::Close {},
        IncidentVerb::Detach => {
            let alert = sim.state.alerts_in(id).next().map_or(AlertId(0), |cell| cell.alert.id);
            IncidentCommand::Detach { alert }
        }
        IncidentVerb::Priority => IncidentCommand::Priority { priority: Priority::P5, words },
        IncidentVerb::Merge => IncidentCommand::Merge { children: vec![sim.on("db-3").id] },
    }
}

#[test]
fn every_state_allows_what_its_list_says_and_nothing_else() {
    let mut sim = Sim::new("{}", HOSTS);
    for host in ["db-1", "db-2", "db-3"] {
        sim.fire(alert("HostDown", host));
    }
    let id = sim.on("db-1").id;
    let check = |sim: &Sim, id: IncidentId, state: IncidentState, allowed: &[IncidentVerb]| {
        assert_eq!(sim.state.incidents[&id].state, state);
        for verb in IncidentVerb::ALL.iter().copied() {
            let action = Action::of_incident(id, sample(verb, sim, id), sim.now).unwrap();
            match decide(&sim.state, &action, "anna", sim.now).answer {
                Answer::Does { .. } => assert!(allowed.contains(&verb), "{state} does {verb}, and its list does not say so"),
                Answer::NotAllowed { .. } => assert!(!allowed.contains(&verb), "the list of {state} has {verb}, which is refused"),
                Answer::Holds => {}
                Answer::NotFound | Answer::Invalid(_) => panic!("{state} {verb}: the sample is wrong"),
            }
        }
    };
    let listed = |state| (state, IncidentVerb::allowed_in(state));
    let (state, allowed) = listed(IncidentState::New);
    check(&sim, id, state, allowed);
    for (command, state) in [
        (IncidentCommand::Acknowledge {}, IncidentState::Acknowledged),
        (sample(IncidentVerb::Hold, &sim, id), IncidentState::OnHold),
        (IncidentCommand::Resume {}, IncidentState::InProgress),
        (sample(IncidentVerb::Resolve, &sim, id), IncidentState::Resolved),
    ] {
        sim.command(Action::of_incident(id, command, sim.now).unwrap());
        let (state, allowed) = listed(state);
        check(&sim, id, state, allowed);
    }
    let child = sim.on("db-2").id;
    let parent = sim.on("db-3").id;
    sim.command(Action::MergeIncidents { id: parent, children: vec![child] });
    assert_eq!(sim.state.incidents[&child].parent, Some(parent));
    check(&sim, child, IncidentState::New, IncidentVerb::OF_A_CHILD);
}

#[test]
fn a_hold_counts_its_duration_from_the_moment_it_is_given() {
    let sim = Sim::new("{}", HOSTS);
    let hold = |until, lasts| IncidentCommand::Hold { reason: HOLD_REASONS[0].to_owned(), until, lasts };
    let id = IncidentId(1);
    let action = Action::of_incident(id, hold(None, Some(Span::hours(2))), sim.now).unwrap();
    assert_eq!(action, Action::Hold { id, reason: HOLD_REASONS[0].to_owned(), until: Some(sim.now + Span::hours(2)) });
    let both = Action::of_incident(id, hold(Some(sim.now), Some(Span::hours(2))), sim.now).unwrap_err();
    assert_eq!((both.place.as_str(), both.expected.as_str()), ("for", "either `for` or `until`, not both"));
}
