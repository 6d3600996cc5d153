//! Rules that are lost by accident: a file that vanished, was emptied or whose copy broke off. What is in force stays until somebody says that it is meant.

use std::collections::BTreeSet;

use watchkeeper_engine::policy::{Policy, RuleName, StandsFor};
use watchkeeper_engine::source::{Diagnostic, SourceFile};

use crate::diagnostics::Findings;

/// Names that a message shows at most.
const NAMES_SHOWN: usize = 6;
/// Rules that may go at once without a question.
const RULES_FREE: usize = 2;
/// Beyond those, the share of all rules that may go, in percent: as of the items of a CMDB.
const RULES_PERCENT_MAX: usize = 20;

/// Refuses a policy that has lost rules of `before` in a way that looks like an accident. Losing tests is no loss, moving a rule to another file neither.
///
/// A text file ends with a line end, and whoever takes a rule out leaves what stood behind it. So a file looks like an accident where it is gone, where it is the
/// beginning of what was in force (an emptied one among them), or where it ends in the middle of a line and did not before. A copy of *changed* text that breaks
/// off exactly at a line end cannot be told from an edit, unless more than [`RULES_FREE`] rules and a fifth of all go with it: rename files into place.
///
/// # Errors
/// The files, with the rules that would go.
pub(super) fn guard(before: &Policy, after: &Policy) -> Result<(), Findings> {
    let lost = lost(before, after);
    if lost.is_empty() {
        return Ok(());
    }
    let mut findings = Findings::default();
    for old in &before.sources {
        let what = match after.sources.iter().find(|new| new.path == old.path) {
            None => "the file is gone",
            Some(new) if new.text.trim_end() == old.text.trim_end() => continue,
            Some(new) if new.text.trim().is_empty() => "the file is empty now",
            Some(new) if old.text.starts_with(&*new.text) => {
                "the file is only the beginning of what is in force, as if a copy had broken off"
            }
            Some(new) if !new.text.ends_with('\n') && old.text.ends_with('\n') => {
                "the file ends in the middle of a line, as if a copy had broken off"
            }
            Some(_) => continue,
        };
        let of_file: Vec<RuleName<'_>> = lost.iter().filter(|rule| old.text.contains(rule.name)).copied().collect();
        if of_file.is_empty() {
            continue;
        }
        let message = format!("{what}, and these rules would go: {}", names(&of_file));
        let help = "bring it back; if the loss is meant, confirm it: `watchkeeper reload --confirm`";
        let file = SourceFile::new(old.path.clone(), "");
        findings.found.push(Diagnostic::error(&file, &(0..0), message).help(help));
        findings.files.push(file);
    }
    if findings.found.is_empty() {
        let of = before.rules().iter().filter(|rule| is_guarded(rule)).count();
        if lost.len() > RULES_FREE && lost.len() * 100 > of * RULES_PERCENT_MAX {
            let message = format!("{} of {of} rules would go: {}", lost.len(), names(&lost));
            let help = "bring them back; if the loss is meant, confirm it: `watchkeeper reload --confirm`";
            let path = before.sources.iter().find(|file| lost.iter().any(|rule| file.text.contains(rule.name)));
            let file = SourceFile::new(path.map_or_else(String::new, |file| file.path.clone()), "");
            findings.found.push(Diagnostic::error(&file, &(0..0), message).help(help));
            findings.files.push(file);
        }
    }
    if findings.found.is_empty() { Ok(()) } else { Err(findings) }
}

/// What changes in the rules, in a sentence; empty where no name comes or goes.
pub(super) fn summary(before: &Policy, after: &Policy) -> String {
    let (lost, new) = (lost(before, after), lost(after, before));
    let part = |word: &str, rules: &[RuleName<'_>]| if rules.is_empty() { None } else { Some(format!("{word}: {}", names(rules))) };
    [part("new rules", &new), part("rules gone", &lost)].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// Whether losing it changes what is decided, and a file gave it.
fn is_guarded(rule: &RuleName<'_>) -> bool {
    !rule.is_builtin && rule.stands_for != StandsFor::Tests
}

/// The rules of `before` that `after` does not have.
fn lost<'p>(before: &'p Policy, after: &Policy) -> Vec<RuleName<'p>> {
    let kept: BTreeSet<(&str, &str)> = after.rules().iter().map(|rule| (rule.section, rule.name)).collect();
    let is_lost = |rule: &RuleName<'_>| is_guarded(rule) && !kept.contains(&(rule.section, rule.name));
    before.rules().into_iter().filter(is_lost).collect()
}

fn names(rules: &[RuleName<'_>]) -> String {
    let shown: Vec<String> = rules.iter().take(NAMES_SHOWN).map(|rule| format!("{} {}", rule.section, rule.name)).collect();
    let more = rules.len().saturating_sub(NAMES_SHOWN);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

#[cfg(test)]
mod tests {
    use watchkeeper_engine::policy;

    use super::*;

    const WHOLE: &str = "notify:\n  - {name: page, when: 'incident.priority == \"P1\"', to: owner}\n  - {name: rest, to: owner}\n";
    const TESTS: &str = "tests:\n  - {name: nothing, steps: [{at: 0s, expect: {incidents: []}}]}\n";

    fn policy(files: &[(&str, &str)]) -> Policy {
        let files: Vec<SourceFile> = files.iter().map(|(path, text)| SourceFile::new(*path, *text)).collect();
        policy::load(&files).expect("the rules of this test have no fault").policy
    }

    fn refused(after: &[(&str, &str)]) -> Option<String> {
        let before = policy(&[("rules/a.yaml", WHOLE), ("rules/tests.yaml", TESTS)]);
        guard(&before, &policy(after)).err().map(|findings| findings.found[0].message.clone())
    }

    #[test]
    fn a_file_that_vanished_was_emptied_or_cut_is_refused_with_the_rules_that_would_go() {
        let first = WHOLE.lines().take(2).map(|line| format!("{line}\n")).collect::<String>();
        for after in [&[("rules/tests.yaml", TESTS)][..], &[("rules/a.yaml", ""), ("rules/tests.yaml", TESTS)]] {
            let message = refused(after).expect("it looks like an accident");
            assert!(message.ends_with("these rules would go: notify page, notify rest"), "{message}");
        }
        let message = refused(&[("rules/a.yaml", &first)]).expect("it is the beginning");
        assert!(message.contains("only the beginning") && message.ends_with("notify rest"), "{message}");
        let other = WHOLE.replace("page", "call").lines().take(2).collect::<Vec<_>>().join("\n");
        assert!(refused(&[("rules/a.yaml", &other)]).expect("it ends in a line").contains("in the middle of a line"));
    }

    /// A file of each section, with something in it that a name is lost with.
    const SAMPLES: &[(&str, &str)] = &[
        ("severities", "severities: {critical: [hair-on-fire]}\n"),
        ("priorities", "priorities: {low: {low: P4}}\n"),
        ("holidays", "holidays: {here: {dates: [2026-10-03]}}\n"),
        ("calendars", "calendars: {office: {zone: UTC, open: {mon-fri: \"09:00-17:00\"}}}\n"),
        ("formats", "formats: [{name: building, alert: {name: item.code}}]\n"),
        ("identify", "identify: [{name: by-asset, from: alert.labels.asset}]\n"),
        ("correlate", "correlate: [{name: disk, means: nothing}]\n"),
        ("silences", "silences: [{name: backup, when: alert.name == \"HighLoad\"}]\n"),
        ("slas", "slas: [{name: gold, targets: {P1: {resolution: 4h}}}]\n"),
        ("capacity", "capacity: [{name: full, every: {cron: \"0 6 * * *\", zone: UTC}, query: up, above: 90}]\n"),
        ("problems", "problems: [{name: again, same: [rule, ci]}]\n"),
        ("notify", "notify: [{name: page, to: owner}]\n"),
    ];

    #[test]
    fn an_emptied_file_is_refused_whatever_section_it_held_unless_it_held_tests() {
        for section in policy::SECTIONS.iter().map(|section| section.key).filter(|key| *key != "tests") {
            let sample = SAMPLES.iter().find(|(key, _)| *key == section).expect("there is a sample of every section").1;
            let before = policy(&[("rules/a.yaml", sample)]);
            assert!(before.rules().iter().any(|rule| rule.section == section && !rule.is_builtin), "`{section}` names what it holds");
            let found = guard(&before, &policy(&[("rules/a.yaml", "")])).expect_err(section).found;
            assert!(found[0].message.contains(&format!("the file is empty now, and these rules would go: {section} ")), "{found:?}");
        }
        let before = policy(&[("rules/a.yaml", TESTS)]);
        assert!(guard(&before, &policy(&[("rules/a.yaml", "")])).is_ok());
    }

    #[test]
    fn every_cut_of_a_file_that_still_has_no_fault_is_refused_unless_it_keeps_every_rule() {
        let before = policy(&[("rules/a.yaml", WHOLE)]);
        let mut accepted = 0;
        for at in 0..WHOLE.len() {
            let Ok(loaded) = policy::load(&[SourceFile::new("rules/a.yaml", &WHOLE[..at])]) else { continue };
            let keeps_all = lost(&before, &loaded.policy).is_empty();
            assert_eq!(guard(&before, &loaded.policy).is_ok(), keeps_all, "cut at {at}");
            accepted += usize::from(keeps_all);
        }
        assert_eq!(accepted, 1, "only without its last line end");
    }

    #[test]
    fn more_than_a_fifth_of_the_rules_goes_only_when_it_is_confirmed() {
        let rules = |count: usize| -> String {
            let rule = |n: usize| format!("  - {{name: rule-{n}, matchers: ['a=\"{n}\"'], to: owner}}\n");
            format!("# {count}\nnotify:\n{}", (0..count).map(rule).collect::<String>())
        };
        let whole = policy(&[("rules/a.yaml", &rules(15))]);
        for (left, is_taken) in [(12, true), (11, false), (3, false)] {
            assert_eq!(guard(&whole, &policy(&[("rules/a.yaml", &rules(left))])).is_ok(), is_taken, "{left} are left");
        }
        let few = policy(&[("rules/a.yaml", &rules(3))]);
        assert!(guard(&few, &policy(&[("rules/a.yaml", &rules(1))])).is_ok(), "two may always go");
    }

    #[test]
    fn an_edit_a_move_and_the_loss_of_tests_are_no_accident() {
        let edited = WHOLE.replace("  - {name: rest, to: owner}\n", "  - {name: others, to: lead}\n");
        assert_eq!(refused(&[("rules/a.yaml", &edited)]), None);
        assert_eq!(refused(&[("rules/b.yaml", WHOLE)]), None);
        assert_eq!(refused(&[("rules/a.yaml", WHOLE)]), None);
        let before = policy(&[("rules/a.yaml", WHOLE)]);
        assert_eq!(summary(&before, &policy(&[("rules/a.yaml", &edited)])), "new rules: notify others; rules gone: notify rest");
        assert_eq!(summary(&before, &before), "");
    }
}
