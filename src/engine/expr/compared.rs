//! What expressions name of labels and compare with in words, each with its place: for who knows the CMDB to say whether anything there is called so.

use super::condition::Expr;
use super::eval::{Ir, Op};
use super::matcher::{Comparer, Matcher};
use super::names::Field;
use super::parse::Comparison;
use super::template::{Path, TextTemplate};
use super::types::Type;
use crate::source::Compared;

/// The label of an alert by which it names its CI itself.
const CI: &str = "ci";

impl Expr {
    /// Its labels, and the words that it compares with.
    pub fn compared(&self) -> Vec<Compared> {
        let mut found = Vec::new();
        walk(self.ir(), &mut found);
        found
    }
}

impl Path {
    /// Its label.
    pub fn compared(&self) -> Vec<Compared> {
        let mut found = Vec::new();
        walk(self.ir(), &mut found);
        found
    }
}

impl TextTemplate {
    /// The labels of its paths.
    pub fn compared(&self) -> Vec<Compared> {
        let shifted = |(at, path): (usize, &Path)| path.compared().into_iter().map(move |found| found.shifted(at));
        self.paths().flat_map(shifted).collect()
    }
}

impl Matcher {
    /// The CI that it asks for by name. Other labels are a sender's own.
    pub fn compared(&self, text: &str) -> Vec<Compared> {
        let is_equality = matches!(self.comparer(), Comparer::Equal | Comparer::NotEqual);
        let word = (is_equality && self.name() == CI).then(|| Compared {
            path: "alert.labels",
            label: Some(CI.to_owned()),
            word: Some(self.value().to_owned()),
            span: 0..text.len(),
        });
        word.into_iter().collect()
    }
}

fn walk(ir: &Ir, found: &mut Vec<Compared>) {
    match &ir.op {
        Op::Label { of, name } => found.push(label(of, name, ir)),
        Op::Compare(Comparison::Equal | Comparison::Unequal, sides) => match (&sides[0].op, &sides[1].op) {
            (_, Op::Text(word)) => found.extend(comparison(&sides[0], word, &sides[1].span)),
            (Op::Text(word), _) => found.extend(comparison(&sides[1], word, &sides[0].span)),
            _ => {}
        },
        Op::InSet { of, set } => found.extend(set.iter().filter_map(|(word, span)| comparison(of, word, span))),
        Op::In(sides) => match (&sides[0].op, &sides[1].op) {
            (Op::Text(name), Op::Field(of)) if of.ty == Type::Labels => found.push(label(of, name, &sides[0])),
            (Op::Text(word), Op::Field(_)) => found.extend(comparison(&sides[1], word, &sides[0].span)),
            _ => {}
        },
        _ => {}
    }
    ir.parts().for_each(|part| walk(part, found));
}

fn label(of: &Field, name: &str, ir: &Ir) -> Compared {
    Compared { path: of.path, label: Some(name.to_owned()), word: None, span: ir.span.clone() }
}

/// What is compared with a word, where it is a field or a label.
fn comparison(subject: &Ir, word: &str, span: &std::ops::Range<usize>) -> Option<Compared> {
    let (path, label) = match &subject.op {
        Op::Field(field) => (field.path, None),
        Op::Label { of, name } => (of.path, Some(name.clone())),
        _ => return None,
    };
    Some(Compared { path, label, word: Some(word.to_owned()), span: span.clone() })
}
