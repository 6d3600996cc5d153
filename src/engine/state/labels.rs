//! Live alerts by the labels that silences ask one value of: what such a silence selects is found without a look at every alert.

use std::collections::{BTreeMap, BTreeSet};

use super::{AlertCell, State, drop_from};
use crate::expr::Matcher;
use crate::ids::Slot;
use crate::limits;
use crate::model::alert::Alert;

/// By the names of those labels. Most are asked for by nobody, and every alert has many, so no others are kept in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Labelled {
    by_name: BTreeMap<String, Values>,
}

#[derive(Debug, Clone, Default)]
struct Values {
    /// How many matchers of silences ask for one.
    asked: usize,
    alerts: BTreeMap<String, BTreeSet<Slot>>,
}

/// The value of a label; the name stands in where `alertname` was not sent. Empty where there is none.
fn value<'a>(alert: &'a Alert, name: &str) -> &'a str {
    if name == "alertname" && !alert.labels.has(name) { &alert.name } else { alert.labels.get(name) }
}

impl Values {
    fn insert(&mut self, value: &str, slot: Slot) {
        match self.alerts.get_mut(value) {
            Some(alerts) => drop(alerts.insert(slot)),
            None if value.is_empty() => {}
            None => drop(self.alerts.insert(value.to_owned(), BTreeSet::from([slot]))),
        }
    }
}

impl Labelled {
    /// An alert took its slot.
    pub(super) fn insert(&mut self, alert: &Alert) {
        for (name, values) in &mut self.by_name {
            values.insert(value(alert, name), alert.slot);
        }
    }

    /// An alert left its slot.
    pub(super) fn remove(&mut self, alert: &Alert) {
        for (name, values) in &mut self.by_name {
            drop_from(&mut values.alerts, value(alert, name), &alert.slot);
        }
    }
}

impl State {
    /// A silence has these matchers from now on: a label that none asked for is looked up in every live alert.
    pub(super) fn ask_for_labels(&mut self, matchers: &[Matcher]) {
        for (name, _) in matchers.iter().filter_map(Matcher::one_value) {
            if let Some(values) = self.alerts.labelled.by_name.get_mut(name) {
                values.asked += 1;
                continue;
            }
            let mut values = Values { asked: 1, ..Values::default() };
            for cell in self.alerts() {
                values.insert(value(&cell.alert, name), cell.alert.slot);
            }
            self.alerts.labelled.by_name.insert(name.to_owned(), values);
        }
    }

    /// A silence has these matchers no more.
    pub(super) fn leave_labels(&mut self, matchers: &[Matcher]) {
        for (name, _) in matchers.iter().filter_map(Matcher::one_value) {
            let by_name = &mut self.alerts.labelled.by_name;
            if let Some(values) = by_name.get_mut(name) {
                values.asked -= 1;
                if values.asked == 0 {
                    by_name.remove(name);
                }
            }
        }
    }

    /// Live alerts from `from` on, by slot, with one value of a label that a silence asks for.
    pub fn alerts_labelled(&self, name: &str, value: &str, from: Slot) -> impl Iterator<Item = &AlertCell> {
        let alerts = self.alerts.labelled.by_name.get(name).and_then(|values| values.alerts.get(value));
        let slots = alerts.into_iter().flat_map(move |alerts| alerts.range(from..));
        slots.filter_map(|slot| self.alerts.cells[slot.0 as usize].as_ref())
    }

    /// Of a silence's matchers, which must all hold, the label and value that the fewest alerts have; `None` where none asks for one value.
    pub fn narrowest<'a>(&self, matchers: &'a [Matcher]) -> Option<(&'a str, &'a str)> {
        let few = |label: &(&str, &str)| self.alerts_labelled(label.0, label.1, Slot(0)).take(limits::CURSOR_ITEMS_MAX).count();
        matchers.iter().filter_map(Matcher::one_value).min_by_key(few)
    }
}
