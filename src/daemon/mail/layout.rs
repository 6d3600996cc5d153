//! The text part's shape: 72 columns, hanging rows, at most 30 lines. Knows words and columns, nothing of mails.
//!
//! Block helpers put what they write between [`MARK`]s, so that white space around them in a template means nothing and
//! their own line ends do. Alert text cannot forge a mark: control characters never get past `one_line`.

/// Columns of the text part: what a phone shows without breaking lines again, and what every client quotes whole.
pub(super) const COLUMNS: usize = 72;
/// Lines of the text part: one screen. Further ones are left out, and the last line says where they are.
pub(super) const LINES_MAX: usize = 30;
/// Columns of a row's label.
const LABEL: usize = 10;
/// Stands before and after what a block helper wrote.
pub(super) const MARK: char = '\u{1e}';
/// The space that HTML does not break a line at: `2 min` stays together.
pub(super) const UNBROKEN: char = '\u{a0}';
/// Begins a line that is never wrapped.
pub(super) const WHOLE: char = '\u{1f}';

/// A paragraph on as many lines as it needs.
pub(super) fn paragraph(text: &str) -> String {
    wrap(&words(text), "", 0)
}

/// A row: its label, then its words with a hanging indent; empty where it has none.
pub(super) fn row(label: &str, text: &str) -> String {
    let text = words(text);
    if text.is_empty() {
        return String::new();
    }
    let label = words(label);
    let head = if label.chars().count() < LABEL { format!("{label:LABEL$}") } else { format!("{label} ") };
    wrap(&text, &head, LABEL)
}

/// Every run of white space and marks becomes one space, those at the ends none. A space that does not break is a letter.
pub(super) fn words(text: &str) -> String {
    text.split(|c: char| (c.is_whitespace() && c != UNBROKEN) || c.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// What helpers wrote, without the white space that stood between them, and their lines that say nothing.
pub(super) fn records(text: &str) -> String {
    let mut out = String::new();
    for line in text.split([MARK, '\n']).map(str::trim_end).filter(|line| !line.is_empty()) {
        out.push_str(line);
        out.push('\n');
    }
    out
}

/// The finished text part: no white space at line ends, no two blank lines, none at the ends, within the bounds.
/// `more` is what the last line says where lines had to be left out.
pub(super) fn finish(text: &str, more: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in pieces(text).lines() {
        let line = line.trim_end();
        if let Some(whole) = line.strip_prefix(WHOLE) {
            lines.push(words(whole));
        } else if line.is_empty() {
            if lines.last().is_some_and(|last| !last.is_empty()) {
                lines.push(String::new());
            }
        } else {
            let indent: String = line.chars().take_while(|c| *c == ' ').collect();
            let body: String = line.chars().filter(|c| !c.is_control()).collect();
            if body.chars().count() > COLUMNS {
                lines.extend(wrap(&words(&body), &indent, indent.len()).lines().map(str::to_owned));
            } else {
                lines.push(body);
            }
        }
    }
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    if lines.len() > LINES_MAX {
        lines.truncate(LINES_MAX - 1);
        lines.push(more.to_owned());
    }
    let mut out = lines.join("\n");
    out.push('\n');
    out
}

/// Joins what stood between marks line by line; white space alone between two marks is nothing.
fn pieces(text: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for piece in text.split(MARK) {
        if inside {
            if !out.is_empty() && !out.ends_with('\n') {
                out.push('\n');
            }
            out.push_str(piece);
            if !piece.is_empty() && !piece.ends_with('\n') {
                out.push('\n');
            }
        } else if !piece.trim().is_empty() {
            out.push_str(piece);
        }
        inside = !inside;
    }
    out
}

/// Wraps single-spaced words behind `head`, further lines behind `hang` spaces. Addresses stay whole; other words that are too long are broken.
fn wrap(text: &str, head: &str, hang: usize) -> String {
    let mut out = String::from(head);
    let mut column = head.chars().count();
    let mut at_start = true;
    for word in text.split(' ') {
        let length = word.chars().count();
        if !at_start && column + 1 + length > COLUMNS {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', hang));
            column = hang;
            at_start = true;
        }
        if !at_start {
            out.push(' ');
            column += 1;
        }
        let address = word.starts_with("https://") || word.starts_with("http://");
        if column + length <= COLUMNS || address {
            out.push_str(word);
            column += length;
        } else {
            for c in word.chars() {
                if column == COLUMNS {
                    out.push('\n');
                    out.extend(std::iter::repeat_n(' ', hang));
                    column = hang;
                }
                out.push(c);
                column += 1;
            }
        }
        at_start = false;
    }
    out.push('\n');
    out
}
