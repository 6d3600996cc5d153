//! Alertmanager's matchers over an alert's labels: `alertname="X"`, `site=~"ber.*"`, `!=`, `!~`, regexes anchored, names quoted where they need it.

use std::fmt;

use regex::Regex;

use super::functions::regex;
use super::{AlertView, Fault};

/// One matcher.
#[derive(Debug, Clone)]
pub struct Matcher {
    name: String,
    value: String,
    comparer: Comparer,
    regex: Option<Regex>,
}

/// How a matcher compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparer {
    Equal,
    NotEqual,
    Like,
    NotLike,
}

impl Comparer {
    const fn sign(self) -> &'static str {
        match self {
            Comparer::Equal => "=",
            Comparer::NotEqual => "!=",
            Comparer::Like => "=~",
            Comparer::NotLike => "!~",
        }
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Matcher) -> bool {
        (&self.name, &self.value, self.comparer) == (&other.name, &other.value, other.comparer)
    }
}

impl Eq for Matcher {}

impl Matcher {
    /// A matcher of its parts, the two flags as Alertmanager's API gives them.
    ///
    /// # Errors
    /// An empty name, or a value that is no regex; its span is within the value.
    pub fn new(name: &str, value: &str, is_regex: bool, is_equal: bool) -> Result<Matcher, Fault> {
        let comparer = match (is_regex, is_equal) {
            (false, true) => Comparer::Equal,
            (false, false) => Comparer::NotEqual,
            (true, true) => Comparer::Like,
            (true, false) => Comparer::NotLike,
        };
        Matcher::of(name, value, comparer)
    }

    fn of(name: &str, value: &str, comparer: Comparer) -> Result<Matcher, Fault> {
        if name.is_empty() {
            return Err(Fault::at(0..0, "a matcher without a name", "expected the name of a label"));
        }
        let prepared = match comparer {
            Comparer::Equal | Comparer::NotEqual => None,
            Comparer::Like | Comparer::NotLike => {
                // Alone first, so that the words of a fault fit what was written; then anchored as Alertmanager anchors.
                let fault = |why| Fault::at(0..value.len(), format!("no regex: {why}"), "");
                regex(value).map_err(fault)?;
                Some(regex(&format!("^(?:{value})$")).map_err(fault)?)
            }
        };
        Ok(Matcher { name: name.to_owned(), value: value.to_owned(), comparer, regex: prepared })
    }

    /// The matcher of a text.
    ///
    /// # Errors
    /// The first place that is not as Alertmanager writes matchers.
    pub fn parse(text: &str) -> Result<Matcher, Fault> {
        let (name, rest) = name(text)?;
        let at = text.len() - rest.len();
        let (comparer, length) = match rest.as_bytes() {
            [b'=', b'~', ..] => (Comparer::Like, 2),
            [b'!', b'~', ..] => (Comparer::NotLike, 2),
            [b'!', b'=', ..] => (Comparer::NotEqual, 2),
            [b'=', b'=', ..] => {
                let fault = Fault::at(at..at + 2, "`==` is no matcher", "expected `=`, `!=`, `=~` or `!~`");
                return Err(fault.help("a matcher is written `name=\"value\"`; expressions with `==` stand under `when`"));
            }
            [b'=', ..] => (Comparer::Equal, 1),
            _ => {
                let place = if rest.is_empty() { 0..text.len() } else { at..text.len() };
                let fault = Fault::at(place, "a matcher without its sign", "expected `=`, `!=`, `=~` or `!~`");
                return Err(fault.help("a matcher is written `name=\"value\"`; expressions stand under `when`"));
            }
        };
        let (value, span) = value(text, at + length)?;
        Matcher::of(&name, &value, comparer).map_err(|fault| Fault { span, ..fault })
    }

    /// Whether it holds of an alert. `alertname` and `severity` stand in for a label that was not sent.
    pub fn holds(&self, alert: &AlertView<'_>) -> bool {
        self.compares(self.value_in(alert))
    }

    /// Whether it holds of an alert as Alertmanager's API shows it: by its labels as sent. Only an alert that its sender names by a key shows its name where it has
    /// no such label.
    pub fn holds_as_shown(&self, alert: &AlertView<'_>) -> bool {
        self.compares(match (alert.labels.get(&self.name), self.name.as_str()) {
            ("", "alertname") if !alert.key.is_empty() => alert.name,
            (value, _) => value,
        })
    }

    pub(super) fn compares(&self, value: &str) -> bool {
        match (self.comparer, &self.regex) {
            (Comparer::Equal, _) => value == self.value,
            (Comparer::NotEqual, _) => value != self.value,
            (Comparer::Like, Some(regex)) => regex.is_match(value),
            (Comparer::NotLike, Some(regex)) => !regex.is_match(value),
            (Comparer::Like | Comparer::NotLike, None) => false,
        }
    }

    /// The label and the one value of it that it asks for. A severity changes while its alert fires, and stands in for a label: that is none.
    pub fn one_value(&self) -> Option<(&str, &str)> {
        let one = self.comparer == Comparer::Equal && !self.value.is_empty() && self.name != "severity";
        one.then_some((&self.name, &self.value))
    }

    /// What it compares with in an alert; empty where there is nothing.
    pub fn value_in<'a>(&self, alert: &AlertView<'a>) -> &'a str {
        stand_in(&self.name, alert)
    }

    /// The label's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value or regex, without its quotes.
    pub fn value(&self) -> &str {
        &self.value
    }

    pub(super) fn comparer(&self) -> Comparer {
        self.comparer
    }

    /// Whether its value is a regex.
    pub fn is_regex(&self) -> bool {
        matches!(self.comparer, Comparer::Like | Comparer::NotLike)
    }

    /// Whether it asks for what matches, and not for what does not.
    pub fn is_equal(&self) -> bool {
        matches!(self.comparer, Comparer::Equal | Comparer::Like)
    }
}

/// As it is parsed again: `site=~"ber.*"`.
impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = self.comparer.sign();
        if is_plain(&self.name) {
            f.write_str(&self.name)?
        } else {
            write_quoted(f, &self.name)?
        }
        f.write_str(sign)?;
        write_quoted(f, &self.value)
    }
}

/// The value of a label, with the alert's own name and severity where a sender has no such label.
pub(super) fn stand_in<'a>(name: &str, alert: &AlertView<'a>) -> &'a str {
    match (alert.labels.get(name), name) {
        ("", "alertname") => alert.name,
        ("", "severity") => alert.severity.word(),
        (value, _) => value,
    }
}

/// The name at the beginning, and what stands after it and its blanks.
fn name(text: &str) -> Result<(String, &str), Fault> {
    let start = text.len() - text.trim_start().len();
    let rest = &text[start..];
    if rest.starts_with('"') {
        let (name, end) = quoted(text, start)?;
        return Ok((name, text[end..].trim_start()));
    }
    let length = rest.find(|c: char| c.is_whitespace() || "{}!=~,\\\"'`".contains(c)).unwrap_or(rest.len());
    if length == 0 {
        let end = (start + rest.chars().next().map_or(0, char::len_utf8)).min(text.len());
        let fault = Fault::at(start..end, "a matcher without a name", "expected the name of a label");
        return Err(if rest.starts_with('{') {
            fault.help("a list of matchers is a YAML list here: `matchers: [alertname=\"X\", site=~\"ber.*\"]`")
        } else {
            fault.help("a matcher is written `name=\"value\"`")
        });
    }
    Ok((rest[..length].to_owned(), rest[length..].trim_start()))
}

/// The value from `at` to the end, and its place.
fn value(text: &str, at: usize) -> Result<(String, std::ops::Range<usize>), Fault> {
    let start = text.len() - text[at..].trim_start().len();
    let rest = text[start..].trim_end();
    let span = start..start + rest.len();
    if rest.starts_with('"') {
        let (value, end) = quoted(text, start)?;
        let after = text[end..].trim();
        if !after.is_empty() {
            let fault = Fault::at(end..text.len(), "something after the value", "expected the end");
            return Err(if after.starts_with(',') { fault.help("each matcher is an element of the YAML list") } else { fault });
        }
        return Ok((value, span));
    }
    if rest.starts_with('\'') {
        return Err(
            Fault::at(span, "single quotes are not a matcher's", "").help(format!("write double quotes: \"{}\"", rest.trim_matches('\'')))
        );
    }
    if let Some(quote) = rest.find('"') {
        let quote = start + quote;
        return Err(Fault::at(quote..quote + 1, "a quote inside a value without quotes", "expected it before the whole value"));
    }
    Ok((rest.to_owned(), span))
}

/// The text in double quotes at `start`, and where it ends. Escapes are `\"`, `\\` and `\n`; another backslash stands for itself, as in regexes.
fn quoted(text: &str, start: usize) -> Result<(String, usize), Fault> {
    let mut out = String::new();
    let mut chars = text[start + 1..].char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((out, start + 1 + at + 1)),
            '\\' => match chars.next() {
                Some((_, 'n')) => out.push('\n'),
                Some((_, same @ ('"' | '\\'))) => out.push(same),
                Some((_, other)) => out.extend(['\\', other]),
                None => break,
            },
            _ => out.push(c),
        }
    }
    Err(Fault::at(start..text.len(), "a value without its closing quote", "expected `\"` at its end"))
}

fn is_plain(name: &str) -> bool {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ':';
    name.starts_with(first) && name.chars().all(|c| first(c) || c.is_ascii_digit())
}

fn write_quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            _ => write!(f, "{c}")?,
        }
    }
    f.write_str("\"")
}
