//! The terms of SLA clocks, each once and for good.

use std::collections::BTreeMap;
use std::ops::Deref;

use super::rows::Row;
use super::{Apply, Part, State};
use crate::ids::TermsId;
use crate::model::incident::clock::LiveTerms;
use crate::model::terms::Fact;
use crate::policy::slas::Terms;

/// Terms by their content.
#[derive(Debug, Clone, Default)]
pub struct TermsKept {
    kept: BTreeMap<TermsId, LiveTerms>,
}

impl Deref for TermsKept {
    type Target = BTreeMap<TermsId, LiveTerms>;

    fn deref(&self) -> &Self::Target {
        &self.kept
    }
}

impl Part for TermsKept {
    type Fact = Fact;

    fn apply(state: &mut State, Fact::Kept { terms }: &Fact, cx: &mut Apply<'_>) {
        cx.touch(Row::Terms(terms.id()));
        take_terms(state, (**terms).clone());
    }
}

pub(super) fn terms<'a>(state: &'a State, id: &TermsId) -> Option<&'a Terms> {
    state.terms.kept.get(id).map(|live| &live.record)
}

pub(super) fn take_terms(state: &mut State, terms: Terms) {
    state.terms.kept.insert(terms.id(), LiveTerms::new(terms));
}
