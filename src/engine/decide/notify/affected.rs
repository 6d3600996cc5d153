//! Whose CIs are only symptoms of an incident: each symptom is asked about once, and whoever hears of it hears of all of theirs in one mail.

use super::{heard_at, recipients};
use crate::event::World;
use crate::limits;
use crate::model::cursor::Gathered;
use crate::model::incident::Incident;
use crate::model::message::Yours;
use crate::policy::notify::Notify;
use crate::sight::{self, IncidentTexts};
use crate::state::{AlertCell, State};
use crate::time::Time;
use crate::words::Reason;

/// Asks about symptoms of one incident.
pub struct Asking<'a> {
    state: &'a State,
    world: &'a World,
    incident: &'a Incident,
    texts: IncidentTexts,
    rules: Vec<&'a Notify>,
    now: Time,
}

/// Whether any rule tells those whose CIs are symptoms.
pub fn asks(world: &World) -> bool {
    rules(world).next().is_some()
}

fn rules(world: &World) -> impl Iterator<Item = &Notify> {
    world.policy.notify.iter().filter(|rule| rule.digest.is_none() && rule.sends(Reason::Affected))
}

impl<'a> Asking<'a> {
    /// About an incident as it is.
    pub fn about(state: &'a State, world: &'a World, incident: &'a Incident, now: Time) -> Asking<'a> {
        Asking { state, world, incident, texts: IncidentTexts::of(incident), rules: rules(world).collect(), now }
    }

    /// Who hears of a symptom that fires, and does not know. Symptoms come item by item.
    pub fn ask(&self, symptom: &AlertCell, gathered: &mut Vec<Gathered>) {
        let Asking { state, world, incident, texts, now, .. } = self;
        let view = sight::of_incident(state, world, incident, texts, Some(symptom), *now);
        for rule in &self.rules {
            if !rule.condition.holds(&view).is_yes() {
                continue;
            }
            for to in recipients::of(world, incident, &view, rule) {
                if knows_symptom(state, incident, symptom, &to.address) {
                    continue;
                }
                let at = match gathered.iter().position(|known| known.address == to.address) {
                    Some(at) => at,
                    // One more than are told, so that the timeline says that some are left out.
                    None if gathered.len() > limits::TOLD_MAX => continue,
                    None => {
                        gathered.push(Gathered {
                            address: to.address,
                            team: to.team,
                            rule: rule.name.clone(),
                            template: rule.template_of(Reason::Affected).to_owned(),
                            yours: Yours::default(),
                            last: None,
                            note: String::new(),
                        });
                        gathered.len() - 1
                    }
                };
                self.add(symptom, &mut gathered[at]);
            }
        }
    }

    fn add(&self, symptom: &AlertCell, to: &mut Gathered) {
        let alert = &symptom.alert;
        let yours = &mut to.yours;
        if yours.alerts.last() == Some(&alert.id) {
            // Another rule reaches them too.
            return;
        }
        if yours.items.is_empty() {
            let member = self.state.incidents.members().get(&(self.incident.id, alert.id));
            yours.because = member.map(|member| member.because.to_string()).unwrap_or_default();
        }
        let ci = alert.ci.known();
        if yours.items.is_empty() || ci.is_none() || to.last != ci {
            to.last = ci;
            match yours.items.len() < limits::SYMPTOMS_NAMED {
                true => yours.items.push(sight::item_name(self.world, &alert.ci).to_owned()),
                false => yours.more += 1,
            }
        }
        yours.since = Some(yours.since.map_or(alert.started_at, |since| since.min(alert.started_at)));
        yours.incident = yours.incident.into_iter().chain(alert.own_incident).min();
        if yours.alerts.len() < limits::YOURS_ALERTS_MAX {
            yours.alerts.push(alert.id);
        }
        if to.note.is_empty()
            && let Some(ci) = alert.ci.known().and_then(|no| self.world.cmdb.ci(no))
        {
            to.note.clone_from(&ci.note);
        }
    }
}

/// Whether somebody knows that this is a symptom here: told of the incident since it last came back, and not since then of the one they had before.
fn knows_symptom(state: &State, incident: &Incident, symptom: &AlertCell, address: &str) -> bool {
    let Some(heard) = heard_at(incident, address).filter(|heard| Some(*heard) >= incident.reopened_at) else { return false };
    let own = symptom.alert.own_incident.filter(|own| *own != incident.id).and_then(|own| state.incidents.get(&own));
    own.and_then(|own| heard_at(own, address)).is_none_or(|own| own <= heard)
}
