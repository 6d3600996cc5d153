//! TOML into the tree that rule files are read through, so that `daemon.toml` too shows every fault at once, each with its place.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use watchkeeper_engine::source::{Diagnostic, Entry, Kind, Node, Scalar, SourceFile, Style};

/// Reads a TOML document. What TOML itself refuses is added to `found`; the rest is read all the same.
pub(super) fn parse(file: &SourceFile, found: &mut Vec<Diagnostic>) -> Node {
    let (table, errors) = DeTable::parse_recoverable(&file.text);
    found.extend(errors.iter().map(|error| {
        let span = error.span().unwrap_or(0..0);
        let message = error.message().lines().next().unwrap_or_default().trim_end_matches('.').to_owned();
        Diagnostic::error(file, &span, message)
    }));
    Node { span: 0..file.text.len(), kind: map(table.get_ref()) }
}

fn map(table: &DeTable<'_>) -> Kind {
    let entry = |(key, value): (&Spanned<std::borrow::Cow<'_, str>>, &Spanned<DeValue<'_>>)| Entry {
        key: key.get_ref().clone().into_owned(),
        key_span: key.span(),
        value: node(value),
    };
    Kind::Map(table.iter().map(entry).collect())
}

fn node(value: &Spanned<DeValue<'_>>) -> Node {
    let plain = |text: String| Kind::Scalar(Scalar { text, style: Style::Plain });
    let kind = match value.get_ref() {
        DeValue::String(text) => Kind::Scalar(Scalar { text: text.clone().into_owned(), style: Style::Quoted }),
        DeValue::Integer(number) => plain(number.to_string()),
        DeValue::Float(number) => plain(number.to_string()),
        DeValue::Boolean(flag) => plain(flag.to_string()),
        DeValue::Datetime(moment) => plain(moment.to_string()),
        DeValue::Array(items) => Kind::Seq(items.iter().map(node).collect()),
        DeValue::Table(table) => map(table),
    };
    Node { span: value.span(), kind }
}
