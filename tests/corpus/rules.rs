//! Rules that others wrote: for this language, and for other tools that read YAML.

use std::sync::Arc;

use watchkeeper_engine::cmdb::{Cmdb, Inventory, files};
use watchkeeper_engine::policy::{self, load};
use watchkeeper_engine::source::SourceFile;
use watchkeeper_engine::trial;

use super::text;

#[test]
fn rules_that_a_later_version_will_know_are_refused_by_name_and_for_nothing_else() {
    let files: Vec<SourceFile> = shared("organisations").into_iter().filter(|file| file.path.ends_with("rules.yaml")).collect();
    assert!(!files.is_empty());
    for file in &files {
        let found = load(std::slice::from_ref(file)).expect_err("sections that are not yet known");
        let others: Vec<_> = found.iter().filter(|one| one.label != "not yet").collect();
        assert!(others.is_empty(), "{others:#?}");
    }
}

#[test]
fn rules_of_a_shop_that_a_later_version_will_know_are_the_only_faults_of_its_files() {
    let rules = SourceFile::new("rules.yaml", text("organisations/a-shop/rules.yaml"));
    let found = policy::load(std::slice::from_ref(&rules)).unwrap_err();
    let said: Vec<&str> = found.iter().map(|fault| fault.message.as_str()).collect();
    let in_file = ["rotas", "inhibit"].map(|section| format!("`{section}` in a rules file"));
    let in_rule = ["repeat_interval", "escalate", "during"].map(|key| format!("`{key}` in a notify rule"));
    let expected: Vec<String> = in_file.into_iter().chain(in_rule).map(|what| format!("{what} is not yet supported")).collect();
    assert_eq!(said, expected);
}

#[test]
fn the_tests_of_a_shop_pass_but_for_what_a_later_version_will_know() {
    let kept = without_later(&text("organisations/a-shop/rules.yaml"));
    let policy = policy::load(&[SourceFile::new("rules.yaml", kept)]).unwrap_or_else(|found| panic!("{found:#?}")).policy;
    let (inventory, _) =
        files::read(&[SourceFile::new("cmdb.yaml", text("organisations/a-shop/cmdb.yaml"))], &Inventory::default()).unwrap();
    let summary = trial::run_all(&Arc::new(policy), &Arc::new(Cmdb::build(inventory, 1)));
    let [outage, watchdog] = &summary.trials[..] else { panic!("{summary}") };
    assert!(watchdog.passed(), "{summary}");
    // A rota is what it names by a person: without one, whoever is on call is the owner, who has a mail already.
    let [failure] = &outage.failures[..] else { panic!("{summary}") };
    let lines: Vec<&str> = failure.text.lines().collect();
    let [counts, missing, nearest] = lines[..] else { panic!("{summary}") };
    assert_eq!(counts, "mails: 4 expected, 3 there");
    assert!(missing.starts_with("- expected {to: anna@") && nearest.contains("nothing is left"), "{summary}");
}

#[test]
fn yaml_that_other_tools_read_is_read_or_refused_for_a_reason_of_ours() {
    let files = shared("rules");
    assert!(files.len() > 50);
    for file in &files {
        let mut found = Vec::new();
        watchkeeper_engine::source::parse(file, &mut found, &mut watchkeeper_engine::source::Unread::default());
        assert!(found.iter().all(|one| file.text.get(one.span.clone()).is_some()), "{found:#?}");
        let unexpected: Vec<_> = found
            .iter()
            .filter(|one| !["anchor", "alias", "second document", "given twice"].iter().any(|known| one.message.contains(known)))
            .collect();
        assert!(unexpected.is_empty(), "{}: {unexpected:#?}", file.path);
    }
}

/// Every YAML file below a folder of the shared data, with its path.
fn shared(below: &str) -> Vec<SourceFile> {
    let mut folders = vec![super::folder().join(below)];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml") {
                files.push(SourceFile::new(path.to_string_lossy(), std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
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
