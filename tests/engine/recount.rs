//! The plain way to what State keeps counts and orders for: every alert is looked at, every time. What State answers must be the same.

use std::collections::{BTreeMap, BTreeSet};

use watchkeeper_engine::cmdb::health::HealthMap;
use watchkeeper_engine::cmdb::walk;
use watchkeeper_engine::decide::cause::{self, Cause};
use watchkeeper_engine::decide::rate;
use watchkeeper_engine::event::World;
use watchkeeper_engine::expr::Matcher;
use watchkeeper_engine::ids::{AlertId, CiNo, IncidentId, Realm, Slot};
use watchkeeper_engine::limits;
use watchkeeper_engine::model::alert::{Alert, CiRef};
use watchkeeper_engine::model::incident::Incident;
use watchkeeper_engine::model::message::Message;
use watchkeeper_engine::model::problem::Problem;
use watchkeeper_engine::state::past::Past as _;
use watchkeeper_engine::state::rows::{AlertRow, Row, decode};
use watchkeeper_engine::state::{Cleared, State};
use watchkeeper_engine::text::Because;
use watchkeeper_engine::words::{AlertState, Explains, Level, Means, Role};

/// Every count and order of items and incidents equals what all alerts, looked at one by one, say.
pub(crate) fn equals(state: &State, world: &World) {
    let all: Vec<&Alert> = state.alerts().map(|cell| &cell.alert).collect();
    let elsewhere = Realm::from("elsewhere");
    let realms: BTreeSet<&Realm> = all.iter().map(|alert| &alert.realm).chain([&elsewhere]).collect();
    let mut health: BTreeMap<&Realm, HealthMap> = BTreeMap::new();
    for ci in world.cmdb.items().map(|ci| ci.no) {
        let name = world.cmdb.id(ci);
        let everywhere = all.iter().copied().filter(|alert| alert.ci == CiRef::Known(ci) && alert.is_active());
        assert_eq!(ids(state.alerts_of_every_realm_on(ci)), ids(everywhere), "on {name}");
        for realm in &realms {
            let here: Vec<&Alert> = all.iter().copied().filter(|alert| alert.ci == CiRef::Known(ci) && alert.realm == **realm).collect();
            let of = |keep: &dyn Fn(&Alert) -> bool| -> Vec<&Alert> { here.iter().copied().filter(|alert| keep(alert)).collect() };
            let firing = |alert: &Alert| alert.state == AlertState::Firing;
            assert_eq!(ids(state.alerts_on(realm, ci)), ids(of(&Alert::is_active)), "on {name} in realm {realm}");
            let degraded = of(&|alert| alert.is_active() && alert.means == Means::Degraded);
            assert_eq!(state.is_degraded(realm, ci), !degraded.is_empty(), "{name} is degraded in realm {realm}");
            let judged = |alert: &Alert| matches!(alert.state, AlertState::Firing | AlertState::Suppressed);
            let down = of(&|alert| judged(alert) && alert.means == Means::Down);
            down.iter().for_each(|_| drop(health.entry(realm).or_default().add_down(&world.cmdb, ci)));
            assert_eq!(ids(state.down_on(realm, ci)), ids(down), "down on {name} in realm {realm}");
            for reach in [Explains::Downstream, Explains::Ci] {
                let mut explaining = of(&|alert| firing(alert) && alert.explains == reach);
                explaining.sort_by_key(|alert| (alert.started_at, alert.id));
                assert_eq!(ids(state.explaining(realm, ci, reach)), ids(explaining), "{name} explains {reach} in realm {realm}");
            }
            let somewhere_else = Some(IncidentId(u64::MAX));
            for incident in here.iter().map(|alert| alert.incident).chain([None, somewhere_else]).collect::<BTreeSet<_>>() {
                let outside: BTreeSet<AlertId> = state.firing_outside(realm, ci, incident).map(|alert| alert.id).collect();
                let plain = ids(of(&|alert| firing(alert) && alert.incident != incident));
                assert_eq!(outside, BTreeSet::from_iter(plain), "firing on {name} outside {incident:?} in realm {realm}");
            }
        }
    }
    for realm in realms.iter().copied().chain(state.realms()) {
        assert_eq!(state.health(realm), health.get(realm).unwrap_or(HealthMap::SOUND), "what is down in realm {realm}");
    }
    let incidents: BTreeSet<IncidentId> = state.incidents.keys().copied().chain(all.iter().filter_map(|alert| alert.incident)).collect();
    for id in incidents {
        let within: Vec<&Alert> = all.iter().copied().filter(|alert| alert.incident == Some(id)).collect();
        let members: Vec<AlertId> = state.alerts_in(id).map(|cell| cell.alert.id).collect();
        assert_eq!(members, ids(within.iter().copied()), "in {id}");
        let tally = state.tally(id);
        let count = |keep: &dyn Fn(&Alert) -> bool| within.iter().filter(|alert| keep(alert)).count() as u32;
        let symptom = |alert: &Alert| alert.role == Role::Symptom;
        let mute = |alert: &Alert| matches!(alert.state, AlertState::Suppressed | AlertState::Recorded);
        let counted = (tally.alerts, tally.symptoms, tally.active, tally.active_symptoms, tally.audible);
        let plain = (
            count(&|_| true),
            count(&symptom),
            count(&Alert::is_active),
            count(&|alert| symptom(alert) && alert.is_active()),
            count(&|alert| alert.is_active() && !mute(alert)),
        );
        assert_eq!(counted, plain, "the counts of {id}");
        same_symptom_items(state, id, &within);
        let cleared = within.iter().filter(|alert| !alert.is_active());
        assert_eq!(state.last_cleared(id), cleared.filter_map(|alert| alert.cleared_at).max(), "when the last of {id} cleared");
        let own: BTreeSet<AlertId> = state.alerts_of(id).map(|cell| cell.alert.id).collect();
        let plain_own = all.iter().filter(|alert| alert.own_incident == Some(id)).map(|alert| alert.id);
        assert_eq!(own, plain_own.collect::<BTreeSet<_>>(), "whose own incident {id} is");
        if let Some(incident) = state.incidents.get(&id).filter(|_| state.is_rated(id) && tally.urgency().is_some()) {
            let rating = rate::rate(state.health(&incident.realm), world, &incident.ci, rate::Burden::of_incident(tally));
            assert_eq!(incident.services, rating.services, "{id} is said to be rated");
            assert!(incident.priority_by_hand || incident.priority <= rating.priority, "{id} is said to be rated, and is worse");
        }
        let burdens = || within.iter().filter(|alert| alert.state == AlertState::Firing && !symptom(alert));
        assert_eq!(tally.urgency(), burdens().map(|alert| alert.urgency).min(), "the urgency of {id}");
        let faults: BTreeSet<(CiNo, Means)> =
            burdens().filter(|alert| alert.means != Means::Nothing).filter_map(|alert| Some((alert.ci.known()?, alert.means))).collect();
        assert_eq!(tally.faults().collect::<BTreeSet<_>>(), faults, "the faults of {id}");
        let first = within.iter().filter(|alert| !symptom(alert));
        let first = first.min_by_key(|alert| (!alert.is_active(), alert.means, alert.started_at, alert.id));
        assert_eq!(state.first_cause(id).map(|cell| cell.alert.id), first.map(|alert| alert.id), "the first cause of {id}");
    }
    assert_eq!(*state.tally(IncidentId(u64::MAX)), *state.tally(IncidentId(u64::MAX - 1)), "what is no incident has none");
    assert_eq!(state.tally(IncidentId(u64::MAX)).urgency(), None::<Level>);
    let mut unknown: BTreeMap<&str, BTreeSet<AlertId>> = BTreeMap::new();
    for alert in all.iter().filter(|alert| alert.is_active()) {
        if let CiRef::Unknown(value) = &alert.ci {
            unknown.entry(value).or_default().insert(alert.id);
        }
    }
    for (name, value) in state.silences.values().flat_map(|silence| &silence.matchers).filter_map(Matcher::one_value) {
        let found: BTreeSet<AlertId> = state.alerts_labelled(name, value, Slot(0)).map(|cell| cell.alert.id).collect();
        let is_named = |alert: &&Alert| name == "alertname" && !alert.labels.has(name) && alert.name == value;
        let plain = all.iter().filter(|alert| alert.labels.get(name) == value || is_named(alert)).map(|alert| alert.id);
        assert_eq!(found, plain.collect(), "what has {name}={value}");
    }
    for rule in world.policy.silences.iter().map(|rule| rule.name.as_str()) {
        let read: Vec<AlertId> = state.alerts_that_read(rule, AlertId(0)).map(|cell| cell.alert.id).collect();
        let plain = all.iter().filter(|alert| alert.reads.iter().any(|name| name == rule)).map(|alert| alert.id);
        assert_eq!(read, plain.collect::<Vec<_>>(), "what read {rule}");
    }
    assert_eq!(state.unknown_items().map(|(value, alerts)| (value, alerts.clone())).collect::<BTreeMap<_, _>>(), unknown);
}

/// The items of an incident's symptoms, counted and named: what fires first, each item once; one that the CMDB does not know for each of its alerts.
fn same_symptom_items(state: &State, id: IncidentId, within: &[&Alert]) {
    let items = |active: bool| -> BTreeSet<(Option<CiNo>, AlertId)> {
        let symptoms = within.iter().filter(|alert| alert.role == Role::Symptom && (!active || alert.is_active()));
        symptoms.map(|alert| (alert.ci.known(), if alert.ci.known().is_some() { AlertId(0) } else { alert.id })).collect()
    };
    let (firing, all) = (items(true), items(false));
    let tally = state.tally(id);
    assert_eq!((tally.active_symptom_items as usize, tally.symptom_items as usize), (firing.len(), all.len()), "symptoms' items of {id}");
    for (cleared, plain) in [(Cleared::Not, firing), (Cleared::Too, all)] {
        let named: Vec<&Alert> = state.symptom_items(id, cleared).map(|cell| &cell.alert).collect();
        let each = named.iter().map(|alert| (alert.ci.known(), if alert.ci.known().is_some() { AlertId(0) } else { alert.id }));
        assert_eq!((each.collect::<BTreeSet<_>>(), named.len()), (plain.clone(), plain.len()), "the items of {id}'s symptoms, {cleared:?}");
        assert!(named.is_sorted_by_key(|alert| !alert.is_active()), "what fires is named first");
    }
}

/// What past records are found by stands beside them, and nothing else does.
pub(crate) fn keys_of_the_past(rows: &BTreeMap<Row, Vec<u8>>) {
    let mut keys: BTreeSet<Row> = BTreeSet::new();
    for (row, bytes) in rows {
        if let Row::PastIncident(_) = row {
            keys.extend(decode::<Incident>("past_incidents", bytes).unwrap().keys());
        } else if let Row::PastProblem(_) = row {
            keys.extend(decode::<Problem>("past_problems", bytes).unwrap().keys());
        } else if let Row::PastAlert(_) = row {
            keys.extend(decode::<AlertRow>("past_alerts", bytes).unwrap().alert.keys());
        } else if let Row::PastMessage(_) = row {
            keys.extend(decode::<Message>("past_messages", bytes).unwrap().keys());
        }
    }
    let stored: BTreeSet<Row> = rows.keys().filter(|row| matches!(row, Row::PastKey(..))).cloned().collect();
    assert_eq!(stored, keys, "what past records are found by");
}

/// The cause of everything that fires, and whom it explains, is what weighing every alert on every item finds.
pub(crate) fn same_causes(state: &State, world: &World) {
    for cell in state.alerts().filter(|cell| cell.alert.state == AlertState::Firing) {
        let alert = &cell.alert;
        assert_eq!(cause::of(state, world, alert), plain_cause(state, world, alert), "the cause of {}", alert.id);
        let explained = cause::explained_by(state, state.health(&alert.realm), world, alert);
        assert_eq!(explained, plainly_explained(state, world, alert), "what {} explains", alert.id);
    }
}

fn ids<'a>(alerts: impl IntoIterator<Item = &'a Alert>) -> Vec<AlertId> {
    alerts.into_iter().map(|alert| alert.id).collect()
}

fn plainly_explained(state: &State, world: &World, cause: &Alert) -> Vec<AlertId> {
    let Some(ci) = cause.ci.known() else { return Vec::new() };
    let below = || walk::downstream(&world.cmdb, state.health(&cause.realm), ci).into_iter().map(|reached| reached.ci);
    let items: Vec<CiNo> = match cause.explains {
        Explains::Nothing => Vec::new(),
        Explains::Ci => vec![ci],
        Explains::Downstream => std::iter::once(ci).chain(below()).collect(),
    };
    let mut found: Vec<&Alert> = state.alerts().map(|cell| &cell.alert).collect();
    found.retain(|alert| alert.ci.known().is_some_and(|no| items.contains(&no)));
    found.retain(|alert| {
        alert.id != cause.id && alert.realm == cause.realm && alert.state == AlertState::Firing && alert.incident != cause.incident
    });
    found.sort_by_key(|alert| (alert.started_at, alert.id));
    ids(found)
}

fn plain_cause(state: &State, world: &World, alert: &Alert) -> Option<Cause> {
    let ci = alert.ci.known().filter(|_| !alert.detached)?;
    let upstream = walk::upstream(&world.cmdb, state.health(&alert.realm), ci);
    let hops = |no: CiNo| if no == ci { Some(0) } else { upstream.iter().find(|reached| reached.ci == no).map(|reached| reached.hops) };
    let began = |alert: &Alert| (alert.started_at, alert.id);
    let above =
        |no: CiNo| -> Vec<CiNo> { walk::upstream(&world.cmdb, state.health(&alert.realm), no).iter().map(|reached| reached.ci).collect() };
    let mut rivals: Vec<(&Alert, CiNo, IncidentId)> = Vec::new();
    for other in state.alerts().map(|cell| &cell.alert).filter(|other| other.id != alert.id && other.realm == alert.realm) {
        let Some(place) = other.ci.known().filter(|no| hops(*no).is_some()) else { continue };
        let explains = match other.explains {
            Explains::Downstream => true,
            Explains::Ci => place == ci,
            Explains::Nothing => false,
        };
        let Some(incident) = other.incident.filter(|id| state.incidents.get(id).is_some_and(|incident| incident.is_open())) else {
            continue;
        };
        let within = world.policy.correlate.by_name(&other.rule).map_or(limits::ADOPT_WITHIN, |rule| rule.adopt_within);
        let stays = alert.role == Role::Symptom && alert.incident == Some(incident);
        let young = stays || alert.started_at >= other.started_at - within;
        let mutual = match (place == ci, alert.explains) {
            (true, Explains::Downstream | Explains::Ci) => alert.state == AlertState::Firing,
            (true, Explains::Nothing) => false,
            (false, explains) => explains == Explains::Downstream && above(place).contains(&ci),
        };
        let first = !mutual || began(other) < began(alert);
        if other.state == AlertState::Firing && explains && young && first {
            rivals.push((other, place, incident));
        }
    }
    let explaining: BTreeSet<CiNo> = rivals.iter().filter(|rival| rival.0.explains == Explains::Downstream).map(|rival| rival.1).collect();
    let is_root = |no: CiNo| !above(no).iter().any(|other| *other != no && explaining.contains(other));
    if rivals.iter().any(|rival| is_root(rival.1)) {
        rivals.retain(|rival| is_root(rival.1));
    }
    let (best, place, incident) =
        rivals.into_iter().min_by_key(|(other, no, _)| (other.started_at, hops(*no), world.cmdb.id(*no), other.id))?;
    let (role, because) = if place == ci {
        (Role::Member, Because::SameItem { ci: world.cmdb.id(ci).to_owned(), alert: best.name.clone() })
    } else {
        (Role::Symptom, Because::Upstream { hops: walk::hops(&world.cmdb, &upstream, place) })
    };
    Some(Cause { alert: best.id, incident, role, because })
}
