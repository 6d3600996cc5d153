//! The rules of an organisation, written for a version to come: what of them is not known yet, and the tests of what is.

use std::sync::Arc;

use watchkeeper_engine::cmdb::{Cmdb, Inventory, files};
use watchkeeper_engine::policy;
use watchkeeper_engine::source::SourceFile;
use watchkeeper_engine::trial::{self, Summary};

/// The only faults of its rules are sections and keys of a version to come.
pub(crate) fn only_later_is_refused(rules: &str) {
    let found = policy::load(&[SourceFile::new("rules.yaml", rules)]).unwrap_err();
    assert!(found.iter().all(|fault| fault.label == "not yet"), "{found:#?}");
    let said: Vec<&str> = found.iter().map(|fault| fault.message.as_str()).collect();
    let in_file = ["rotas", "inhibit"].map(|section| format!("`{section}` in a rules file"));
    let in_rule = ["repeat_interval", "escalate", "during"].map(|key| format!("`{key}` in a notify rule"));
    let expected: Vec<String> = in_file.into_iter().chain(in_rule).map(|what| format!("{what} is not yet supported")).collect();
    assert_eq!(said, expected);
}

/// What its tests come to without those.
pub(crate) fn tried_without_later(rules: &str, cmdb: &str) -> Summary {
    let kept = without_later(rules);
    let policy = policy::load(&[SourceFile::new("rules.yaml", kept)]).unwrap_or_else(|found| panic!("{found:#?}")).policy;
    let (inventory, _) =
        files::read(&[SourceFile::new("cmdb.yaml", cmdb)], &Inventory::default()).unwrap_or_else(|found| panic!("{found:#?}"));
    trial::run_all(&Arc::new(policy), &Arc::new(Cmdb::build(inventory, 1)))
}

/// Rules without the sections and keys that this version does not know: lines below a key go with it.
fn without_later(text: &str) -> String {
    let later = ["rotas:", "inhibit:", "repeat_interval:", "escalate:", "during:"];
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut left_out: Option<usize> = None;
    let mut kept = String::new();
    for line in text.lines() {
        if left_out.is_some_and(|level| line.trim().is_empty() || indent(line) > level) {
            continue;
        }
        left_out = later.iter().any(|key| line.trim_start().starts_with(key)).then(|| indent(line));
        if left_out.is_none() {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}
