//! Rules that others wrote: for this language, and for other tools that read YAML.

use watchkeeper_engine::policy::load;
use watchkeeper_engine::source::SourceFile;

use super::{organisation, text};

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
    organisation::only_later_is_refused(&text("organisations/a-shop/rules.yaml"));
}

#[test]
fn the_tests_of_a_shop_pass_but_for_what_a_later_version_will_know() {
    let summary = organisation::tried_without_later(&text("organisations/a-shop/rules.yaml"), &text("organisations/a-shop/cmdb.yaml"));
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
