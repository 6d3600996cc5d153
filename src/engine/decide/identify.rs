//! Which item an alert is about: the first identify rule whose value the CMDB knows.

use crate::event::World;
use crate::expr::View;
use crate::model::alert::CiRef;

/// What was found, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identified {
    /// The item.
    pub ci: CiRef,
    /// The rule that named it; none where the CMDB does not know it.
    pub rule: Option<String>,
    /// The rule that named it and the value, as a sentence.
    pub because: String,
}

/// Looks every rule's value up, in order. What no rule finds is known by the first value it was looked up by, else by the alert's name.
pub fn identify(world: &World, view: &View<'_>) -> Identified {
    let mut missed: Vec<(&str, String)> = Vec::new();
    for (rule, value) in world.policy.identify.candidates(view) {
        if let Some(no) = world.cmdb.find(&value) {
            let id = world.cmdb.id(no);
            let because = if id == value { format!("identify rule {rule}") } else { format!("identify rule {rule}, looked up as {value}") };
            return Identified { ci: CiRef::Known(no), rule: Some(rule.to_owned()), because };
        }
        missed.push((rule, value));
    }
    match missed.first() {
        Some((_, value)) => {
            let mut tried: Vec<String> = missed.iter().map(|(rule, value)| format!("{rule}={value}")).collect();
            tried.dedup();
            Identified {
                ci: CiRef::Unknown(value.clone()),
                rule: None,
                because: format!("no CI has this id or alias; tried {}", tried.join(", ")),
            }
        }
        None => Identified {
            ci: CiRef::Unknown(view.alert.name.to_owned()),
            rule: None,
            because: "no identify rule found a value in the alert".to_owned(),
        },
    }
}
