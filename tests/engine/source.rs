//! What an operator's file becomes, and how each slip in it is named: right place, right word, all of them in one run.

use watchkeeper_engine::source::{
    Diagnostic, Gravity, Key, Kind, Node, OneOrMany, Reading, Shape, SourceFile, Takes, Unread, nearest, parse, sort,
};
use watchkeeper_engine::text::Labels;
use watchkeeper_engine::time::Span;
use watchkeeper_engine::words::Severity;

/// `line:column message | label | help`, one finding a line.
pub(crate) fn drawn(file: &SourceFile, found: &[Diagnostic]) -> String {
    let mut found = found.to_vec();
    sort(&mut found);
    found.iter().map(|one| format!("{}\n", drawn_one(file, one))).collect()
}

/// One finding, with the bytes it underlines.
pub(crate) fn drawn_one(file: &SourceFile, one: &Diagnostic) -> String {
    let word = match one.gravity {
        Gravity::Error => "error",
        Gravity::Warning => "warning",
    };
    let underlined = file.text.get(one.span.clone()).expect("a span within the file and on characters");
    assert!(!underlined.ends_with('\n'), "the underline ends on its line: {one:?}");
    let mut text = format!("{word}: {}\n  --> {}:{} `{underlined}`", one.message, one.path, file.place(one.span.start));
    if !one.label.is_empty() {
        text.push_str(&format!(" {}", one.label));
    }
    if let Some(help) = &one.help {
        text.push_str(&format!("\n   = help: {help}"));
    }
    text
}

fn faults(text: &str) -> String {
    let file = SourceFile::new("rules/a.yaml", text);
    let mut found = Vec::new();
    parse(&file, &mut found, &mut Unread::default());
    drawn(&file, &found)
}

fn tree(text: &str) -> (SourceFile, Node) {
    let file = SourceFile::new("a.yaml", text);
    let mut found = Vec::new();
    let node = parse(&file, &mut found, &mut Unread::default());
    assert!(found.is_empty(), "{}", drawn(&file, &found));
    (file, node.expect("a document"))
}

#[test]
fn each_expression_without_quotes_that_yaml_misreads_is_named_at_its_place() {
    let cases = [
        "when: !ci.known\n",
        "when: !ci.known && alert.name == \"X\"\n",
        "when: \"x\" == alert.name\n",
        "when: 'x' in incident.services\n",
        "when: [1, 2].exists(x, x == 1)\n",
        "when: {\"a\": 1}.a == 1\n",
        "when: ci.known ? true : false\n",
        "when: alert.summary == 'a: b'\n",
        "- {name: q, when: ci.known ? true : false, means: down}\n",
        "- {name: q, when: \"x\" == alert.name, means: down}\n",
        "- {name: q, when: !ci.known && alert.name == \"X\", means: down}\n",
        "when:\n  - \"x\" == alert.name\n  - ci.known\n",
        "when: @x\n",
        "when: *x\n",
        "when: &x y\n",
        "from: \"a\\.b\"\n",
    ];
    insta::assert_snapshot!(cases.map(|case| format!("{case}{}", faults(case))).join("\n"));
}

#[test]
fn every_other_slip_of_yaml_is_said_in_plain_words() {
    let cases = [
        "a:\n\tb: c\n",
        "a: b\n\tc: d\n",
        "a: 'never closed\nb: c\n",
        "a: [1, 2\nb: c\n",
        "- {name: q\n- {name: z}\n",
        "a: 1\n b: 2\n",
        "a: 1\nb\nc: 2\n",
        "- a\nb: c\n",
        "a: - b\n",
        "a: 1\nb: 2\na: 3\n",
        "a: 1\n---\nb: 2\n",
        "a: !!str 1\n",
        "[a, b]: c\n",
        "a: ]\n",
    ];
    insta::assert_snapshot!(cases.map(|case| format!("{case}{}", faults(case))).join("\n"));
}

#[test]
fn what_stands_behind_a_misread_expression_is_still_read() {
    let text = "one: !a\ntwo: \"x\" == y\nthree: a ? b : c\nfour: {five: \"x\" == y, six: 6}\nlast: 7\n";
    let file = SourceFile::new("a.yaml", text);
    let mut found = Vec::new();
    let root = parse(&file, &mut found, &mut Unread::default()).expect("the rest");
    assert_eq!(found.len(), 4, "{}", drawn(&file, &found));
    assert_eq!(root.get("two").map(|node| &node.kind), Some(&Kind::Faulty));
    assert_eq!(root.get("four").and_then(|four| four.get("six")).map(Node::describe).as_deref(), Some("`6`"));
    assert_eq!(root.get("last").map(Node::describe).as_deref(), Some("`7`"));
}

#[test]
fn a_place_inside_a_text_is_found_however_it_is_written() {
    let check = |text: &str, part: &str, line_column: &str| {
        let (file, root) = tree(text);
        let node = root.get("when").expect("when");
        let Kind::Scalar(scalar) = &node.kind else { panic!("a text") };
        let start = scalar.text.find(part).expect("the part");
        let span = node.part(&file, &(start..start + part.len()));
        assert_eq!(file.place(span.start).to_string(), line_column, "{text:?} gave {:?}", &file.text[span]);
    };
    check("when: a == bad\n", "bad", "1:12");
    check("when: 'it''s bad'\n", "bad", "1:14");
    check("when: \"q\\n\\u0041 bad\"\n", "bad", "1:18");
    check("when: |\n  one\n  two bad\n", "bad", "3:7");
    check("when: >\n  one\n  two\n\n  x bad\n", "bad", "5:5");
    check("when: one\n  two bad\n", "bad", "2:7");
    check("when: \"ä\\\n  bad\"\n", "bad", "2:3");
}

static INNER: Shape = Shape { what: "an owner", keys: &[Key::must("id", Takes::Text, "who.")], later: &[] };
static OUTER: Shape = Shape {
    what: "a thing",
    keys: &[
        Key::must("name", Takes::Text, "its name."),
        Key::may("severity", Takes::Word(Severity::WORDS), "how bad."),
        Key::may("for", Takes::Duration, "how long."),
        Key::may("disabled", Takes::Flag, "whether it is off."),
        Key::may("count", Takes::Count, "how many."),
        Key::may("owner", Takes::Map(&INNER), "whose."),
        Key::may("labels", Takes::Pairs(&Takes::Text), "pairs."),
        Key::may("mail", Takes::OneOrList(&Takes::Text), "addresses."),
    ],
    later: &[("flapping", "leave it out")],
};

#[test]
fn all_faults_of_a_mapping_are_reported_at_once() {
    let file = SourceFile::new(
        "a.yaml",
        "severity: crit\nfor: 30\ndisabled: yes\ncount: -1\nowner: {}\nlabels: [a]\nmail: {}\nflapping: {}\ncuont: 2\nflaping: 3\n",
    );
    let mut found = Vec::new();
    let root = parse(&file, &mut found, &mut Unread::default()).expect("a tree");
    let reading = Reading::new(&file);
    let keys = reading.keys(&root, &OUTER).expect("a mapping");
    assert_eq!(keys.get::<Severity>("severity"), None);
    assert_eq!(keys.get::<Span>("for"), None);
    assert_eq!(keys.get::<bool>("disabled"), None);
    assert_eq!(keys.get::<u32>("count"), None);
    assert!(keys.node("owner").and_then(|node| reading.keys(node, &INNER)).is_some());
    assert_eq!(keys.get::<Labels>("labels"), Some(Labels::default()));
    assert_eq!(keys.get::<OneOrMany<String>>("mail"), None);
    insta::assert_snapshot!(drawn(&file, &reading.finish()));
}

#[test]
fn values_are_read_as_yaml_1_2_means_them() {
    let (file, root) = tree("name: 007\nfor: 3m20s\ndisabled: true\nlabels: {a: 5, b: yes, c: \"\", d: 'null'}\nmail: [x, y]\n");
    let reading = Reading::new(&file);
    let keys = reading.keys(&root, &OUTER).expect("a mapping");
    assert_eq!(keys.get::<String>("name").as_deref(), Some("007"));
    assert_eq!(keys.get::<Span>("for"), Some(Span::seconds(200)));
    assert_eq!(keys.get::<bool>("disabled"), Some(true));
    assert_eq!(keys.get::<Labels>("labels"), Some(Labels::from([("a", "5"), ("b", "yes"), ("d", "null")])));
    assert_eq!(keys.get::<OneOrMany<String>>("mail"), Some(OneOrMany(vec!["x".to_owned(), "y".to_owned()])));
    assert_eq!(drawn(&file, &reading.finish()), "");
}

#[test]
fn the_nearest_word_is_offered_only_when_it_is_near() {
    let known = ["critical", "error", "warning", "group_by", "group_wait"];
    assert_eq!(nearest("crit", known), Some("critical"));
    assert_eq!(nearest("groupBy", known), Some("group_by"));
    assert_eq!(nearest("grup_by", known), Some("group_by"));
    assert_eq!(nearest("eror", known), Some("error"));
    assert_eq!(nearest("banana", known), None);
    assert_eq!(nearest("", known), None);
}

#[test]
fn every_beginning_of_a_file_is_read_or_refused_and_never_panics() {
    let text = "a: 'x''y' # z\nb:\n  - {c: \"d\\n\", e: [1, 2], when: x == 'ä: b'}\n  - |\n    f\n     g\n  - !t h\nk: &l *m\n? n\n: o\n";
    for end in (0..=text.len()).filter(|end| text.is_char_boundary(*end)) {
        faults(&text[..end]);
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_or_refused_and_every_span_lies_within_it(text in "([-a-z:#'\"\\[\\]{},!&*|> \n\t@%`\\\\ä?]{0,60})") {
        faults(&text);
    }
}
