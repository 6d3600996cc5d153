//! Whom a notify rule means: teams, people, stakeholders and addresses; an unknown owner is the last resort.

use crate::event::World;
use crate::expr::View;
use crate::model::incident::Incident;
use crate::model::message::Channel;
use crate::policy::notify::{Notify, Recipient};
use crate::words::Reason;

/// An address and the team through which it was found: its zone and list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct To {
    pub(super) address: String,
    pub(super) team: String,
}

/// The addresses of a rule, each once, in the order the rule names them.
pub(super) fn of(world: &World, incident: &Incident, view: &View<'_>, rule: &Notify) -> Vec<To> {
    of_all(world, incident, view, &rule.to)
}

/// Whom a rule without `send` tells a reason that is left to the assignee: them and the lead, and the owner where neither can be told. What a rule that names
/// the reason says of one of the two holds instead.
pub(super) fn by_default(world: &World, incident: &Incident, view: &View<'_>, reason: Reason) -> Vec<To> {
    let naming = || world.policy.notify.iter().filter(|rule| rule.sends(reason));
    let is_free = |word: &Recipient| !naming().any(|rule| rule.to.contains(word));
    let words: Vec<Recipient> = [Recipient::Assignee, Recipient::Lead].into_iter().filter(is_free).collect();
    let found = of_all(world, incident, view, &words);
    let owner = found.is_empty() && !words.is_empty() && is_free(&Recipient::Owner);
    if owner { of_all(world, incident, view, &[Recipient::Owner]) } else { found }
}

fn of_all(world: &World, incident: &Incident, view: &View<'_>, recipients: &[Recipient]) -> Vec<To> {
    let mut found: Vec<To> = Vec::new();
    for recipient in recipients {
        for to in addresses(world, incident, view, recipient) {
            if !found.iter().any(|known| known.address == to.address) {
                found.push(to);
            }
        }
    }
    found
}

/// The team whose zone suits an address that was told before: one that has the address, else the incident's.
pub(super) fn team_of_address(world: &World, incident: &Incident, address: &str) -> String {
    let teams = &world.cmdb.inventory().teams;
    let own = teams.values().find(|team| team.mail.iter().any(|mail| mail.eq_ignore_ascii_case(address)));
    own.map_or_else(|| incident.team.clone(), |team| team.id.clone())
}

fn addresses(world: &World, incident: &Incident, view: &View<'_>, recipient: &Recipient) -> Vec<To> {
    match recipient {
        // Without a rota, who is on call is the owner.
        Recipient::Owner | Recipient::Oncall => team(world, view.ci.owner),
        Recipient::Lead => match world.cmdb.team(view.ci.owner).map(|team| team.lead.as_str()) {
            Some(lead) if !lead.is_empty() => person(world, lead, view.ci.owner),
            Some(_) | None => Vec::new(),
        },
        // A team may have it, too.
        Recipient::Assignee => match world.cmdb.team(&incident.assignee) {
            Some(team) => to_all(&team.mail, &team.id),
            None => person(world, &incident.assignee, &incident.team),
        },
        Recipient::Stakeholders => incident
            .services
            .iter()
            .filter_map(|hit| world.cmdb.ci(world.cmdb.find(&hit.id)?))
            .flat_map(|service| to_all(&service.stakeholders, &service.owner))
            .collect(),
        Recipient::Vendor => {
            let contract = world.cmdb.find(view.ci.id).and_then(|no| world.cmdb.contract_covering(no));
            contract.map_or_else(Vec::new, |contract| to_all(&contract.mail, view.ci.owner))
        }
        Recipient::Team(id) => team(world, id),
        Recipient::Person(id) => person(world, id, view.ci.owner),
        Recipient::Hook(name) => vec![To { address: Channel::Hook(name).address(), team: view.ci.owner.to_owned() }],
        Recipient::Address(address) => to_all(std::slice::from_ref(address), view.ci.owner),
    }
}

fn team(world: &World, id: &str) -> Vec<To> {
    match world.cmdb.team(id) {
        Some(team) if !team.mail.is_empty() => to_all(&team.mail, &team.id),
        Some(_) | None => to_all(&world.settings.last_resort, id),
    }
}

fn person(world: &World, id: &str, team: &str) -> Vec<To> {
    world.cmdb.person(id).map_or_else(Vec::new, |person| to_all(&person.mail, team))
}

fn to_all(addresses: &[String], team: &str) -> Vec<To> {
    addresses.iter().map(|address| To { address: address.to_ascii_lowercase(), team: team.to_owned() }).collect()
}
