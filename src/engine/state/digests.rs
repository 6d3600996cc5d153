//! Digests: lists that wait for the job that sends them.

use std::collections::BTreeMap;
use std::ops::Deref;

use super::rows::Row;
use super::{Apply, Part, State};
use crate::model::digest::{Digest, Fact};

/// Digests by the job that sends them and the address.
#[derive(Debug, Clone, Default)]
pub struct Digests {
    waiting: BTreeMap<(String, String), Digest>,
}

impl Deref for Digests {
    type Target = BTreeMap<(String, String), Digest>;

    fn deref(&self) -> &Self::Target {
        &self.waiting
    }
}

impl Part for Digests {
    type Fact = Fact;

    fn apply(state: &mut State, fact: &Fact, cx: &mut Apply<'_>) {
        let waiting = &mut state.digests.waiting;
        match fact {
            Fact::Folded { address, incident, team, rule, job } => {
                let digest = waiting.entry((job.clone(), address.clone())).or_insert_with(|| Digest {
                    address: address.clone(),
                    since: cx.now,
                    incidents: Vec::new(),
                    team: team.clone(),
                    rule: rule.clone(),
                    job: job.clone(),
                });
                if !digest.incidents.contains(incident) {
                    digest.incidents.push(*incident);
                }
                cx.touch(Row::Digest(job.clone(), address.clone()));
            }
            Fact::Sent { address, job } => {
                waiting.remove(&(job.clone(), address.clone()));
                cx.touch(Row::Digest(job.clone(), address.clone()));
            }
        }
    }
}

pub(super) fn digest<'a>(state: &'a State, job: &str, address: &str) -> Option<&'a Digest> {
    state.digests.waiting.get(&(job.to_owned(), address.to_owned()))
}

pub(super) fn take_digest(state: &mut State, digest: Digest) {
    state.digests.waiting.insert((digest.job.clone(), digest.address.clone()), digest);
}
