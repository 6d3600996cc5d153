//! Faults in templates: all of a set are named in one run, each with its place and the word that was meant.

use watchkeeper::mail::{Templates, all_helpers, all_names, shipped};
use watchkeeper_engine::source::SourceFile;

/// Place and message of every fault of one file that replaces `opened.html.hbs`.
fn faults(text: &str) -> Vec<String> {
    faults_of(&[("opened.html.hbs", text)])
}

fn faults_of(files: &[(&str, &str)]) -> Vec<String> {
    let files: Vec<SourceFile> = files.iter().map(|(path, text)| SourceFile::new(*path, *text)).collect();
    match Templates::load(&shipped(), &files) {
        Ok(_) => Vec::new(),
        Err(found) => found
            .iter()
            .map(|fault| {
                let file = files.iter().find(|file| file.path == fault.path);
                let place = file.map_or_else(|| "-".to_owned(), |file| file.place(fault.span.start).to_string());
                let word = file.and_then(|file| file.text.get(fault.span.clone())).unwrap_or_default();
                let help = fault.help.as_deref().unwrap_or_default();
                format!(
                    "{}:{place}: {} [{}] <{}> {help}",
                    fault.path,
                    fault.message,
                    fault.label,
                    word.chars().take(40).collect::<String>()
                )
            })
            .collect(),
    }
}

#[test]
fn what_is_shipped_passes() {
    assert!(Templates::load(&shipped(), &[]).is_ok());
}

#[test]
fn every_kind_of_fault_is_named_with_its_place_and_the_word_that_was_meant() {
    let one_of_each = "\
{{titel}}
{{#if holdr}}x{{/if}}
{{#unless item.onwer}}x{{/unless}}
{{#each hurt}}x{{/each}}
{{#with itm}}x{{/with}}
{{#each hurts}}{{tir}} {{title}} {{../title}}{{/each}}
{{colck since}}
{{#rowz}}x{{/rowz}}
{{> rowws}}
{{{title}}}
{{&title}}
{{log title}}
{{lookup item \"id\"}}
{{since}}
{{hurts}}
{{item}}
{{clock title}}
{{between since}}
{{count alerts \"alert\" plurall=\"x\"}}
{{#*inline \"x\"}}y{{/inline}}
{{#> rows}}x{{/rows}}
{{> (lookup item \"id\")}}
{{> has item}}
{{> has holder=\"x\"}}
{{#each hurts as |h|}}x{{/each}}
{{#row \"Cause\"}}x{{/row}}
{{verdict}}
{{#clock since}}x{{/clock}}
{{#if (eq priorty \"P1\")}}x{{else if hlder}}y{{else}}{{ttle}}{{/if}}
{{@index}}
{{item.id.length}}
{{@root.now}}
";
    insta::assert_snapshot!("faults_of_each_kind", faults(one_of_each).join("\n"));
}

#[test]
fn faults_of_several_files_come_in_one_run() {
    let found = faults_of(&[
        ("business.text.hbs", "{{titel}}"),
        ("has.hbs", "{{hollder}}"),
        ("opened.text.hbs", "{{#if title}}never closed"),
        ("raised.text.hbs", "{{#if title}}x{{/unless}}"),
    ]);
    insta::assert_snapshot!("faults_of_several_files", found.join("\n"));
}

#[test]
fn partials_that_include_each_other_are_refused_over_however_many() {
    let found = faults_of(&[
        ("a.hbs", "{{> b}}"),
        ("b.hbs", "{{#if title}}{{> c}}{{/if}}"),
        ("c.hbs", "x\n{{> a}}"),
        ("opened.text.hbs", "{{> a}}"),
    ]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("c.hbs:2:5: partials include each other: a -> b -> c -> a"), "{found:?}");
    let found = faults_of(&[("opened.hbs", "{{> opened}}")]);
    assert!(found[0].contains("opened -> opened"), "{found:?}");
}

#[test]
fn what_could_overflow_a_stack_is_refused_before_it_is_parsed() {
    let deep = format!("{}x{}", "{{#if title}}".repeat(3_000), "{{/if}}".repeat(3_000));
    assert!(faults(&deep)[0].contains("too deep"), "{:?}", faults(&deep));
    let brackets = format!("{{{{#if {}title{}}}}}x{{{{/if}}}}", "(not ".repeat(5_000), ")".repeat(5_000));
    assert!(faults(&brackets)[0].contains("too deep"), "{:?}", faults(&brackets));
    let chain: Vec<(String, String)> =
        (0..40).map(|n| (format!("p{n}.hbs"), format!("{{{{> p{}}}}}", n + 1))).chain([("p40.hbs".into(), "x".into())]).collect();
    let chain: Vec<(&str, &str)> =
        chain.iter().map(|(path, text)| (path.as_str(), text.as_str())).chain([("opened.text.hbs", "{{> p0}}")]).collect();
    assert!(faults_of(&chain)[0].contains("too deep"), "{:?}", faults_of(&chain));
    let elses = format!("{{{{#if title}}}}x{}{{{{/if}}}}", "{{else if holder}}y".repeat(2_000));
    assert!(faults(&elses)[0].contains("too deep"), "{:?}", faults(&elses));
}

#[test]
fn lists_in_lists_in_lists_are_refused_over_partials_too() {
    let found = faults_of(&[
        ("inner.hbs", "{{#each @root.hurts}}x{{/each}}"),
        ("opened.text.hbs", "{{#each hurts}}{{#each @root.hurts}}{{> inner}}{{/each}}{{/each}}"),
    ]);
    assert!(found.len() == 1 && found[0].contains("`each` stands 3 deep"), "{found:?}");
}

#[test]
fn sizes_names_and_halves_are_checked() {
    assert!(faults(&"x".repeat(70_000))[0].contains("template of 70000 bytes [at most 65536 bytes]"));
    assert!(faults_of(&[("sub/x.text.hbs", "x")])[0].contains("directly in the folder"));
    assert!(faults_of(&[("board.html.hbs", "x")])[0].contains("`board.html.hbs` without `board.text.hbs`"));
    assert!(faults_of(&[("board.text.hbs", "{{> head.html}}")])[0].contains("is for one format"));
    assert!(faults("a\u{1e}b")[0].contains("control character"));
    assert!(faults("{{{{raw}}}} x {{{{/raw}}}}")[0].contains("raw blocks"));
    assert_eq!(faults_of(&[("README.md", "{{titel}}")]), Vec::<String>::new());
}

#[test]
fn a_partial_is_checked_where_it_is_included() {
    assert_eq!(
        faults_of(&[("one.hbs", "{{id}} {{tier}}"), ("opened.text.hbs", "{{#each hurts}}{{> one}}{{/each}}")]),
        Vec::<String>::new()
    );
    let found = faults_of(&[("one.hbs", "{{id}} {{tier}}"), ("opened.text.hbs", "{{#with item}}{{> one}}{{/with}}")]);
    assert!(found.len() == 1 && found[0].starts_with("one.hbs:1:10: unknown name `tier`"), "{found:?}");
}

#[test]
fn names_are_found_however_they_are_written() {
    let fine = "{{this.title}} {{./title}} {{item/id}} {{#with item}}{{id}} {{../title}} {{@root.item.id}}{{/with}} \
                {{#each services}}{{this}} {{@index}} {{#if @last}}.{{/if}}{{/each}} {{#if (or (eq priority \"P1\") (gt alerts 3))}}x{{/if}} \
                {{~title~}} {{! a note }} {{!-- {{unknown}} --}} \\{{title}}";
    assert_eq!(faults(fine), Vec::<String>::new());
}

#[test]
fn the_readme_lists_every_variable_and_every_helper() {
    let readme = include_str!("../../templates/README.md");
    for (name, ..) in all_names() {
        assert!(readme.contains(&format!("| `{name}` |")), "templates/README.md does not list {name}");
    }
    for (name, example) in all_helpers() {
        assert!(readme.contains(example) || readme.contains(&format!("`{name}`")), "templates/README.md does not list {name}");
    }
}

#[test]
fn no_variable_hides_behind_a_helper() {
    let helpers = all_helpers();
    for variable in watchkeeper::mail::ROOT {
        assert!(!helpers.iter().any(|(name, _)| *name == variable.name), "{} is both", variable.name);
    }
}
