//! The page behind a link of a mail, `/a/TOKEN`: what the button does, who does it, and the button; or in words why there is none.
//!
//! Knows plain data and HTML, neither the store nor the engine. Opening it does nothing, so that a program that reads mails does nothing either.

use askama::Template;

use super::page::{PageNotice, STYLE, line};

/// What the page shows. Texts may be as their senders wrote them: the page escapes them and puts them on one line.
#[derive(Debug, Clone, Default)]
pub struct LinkPage {
    /// The first line: the question, or what is so.
    pub heading: String,
    /// What became of the button; `None` before it was pressed.
    pub notice: Option<PageNotice>,
    /// Paragraphs below.
    pub says: Vec<String>,
    /// The button and what it asks; `None` where there is nothing to do.
    pub form: Option<LinkForm>,
    /// Label and value of every row.
    pub facts: Vec<(&'static str, String)>,
    /// The incident it is about, as a link; `None` where the address names none.
    pub incident: Option<String>,
    /// Its priority, for the colour of the edge; may be empty.
    pub priority: String,
    /// The zone of times on the page; empty where there are none.
    pub zone: String,
}

/// The button of a link.
#[derive(Debug, Clone, Default)]
pub struct LinkForm {
    /// The link's token: the form is sent where the page is.
    pub token: String,
    /// What stands on the button.
    pub button: &'static str,
    /// What it asks for.
    pub fields: Vec<LinkField>,
}

/// What a form asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkField {
    /// Who of a team presses: `name`.
    Name,
    /// A text that must be given: `text`.
    Text(&'static str),
    /// A line that may be given: `text`.
    Line(&'static str),
    /// `reason` and `for`.
    Hold,
}

#[derive(Template)]
#[template(path = "../src/daemon/web/pages/link.html")]
struct Html<'a> {
    page: &'a LinkPage,
    style: &'static str,
}

impl LinkPage {
    /// The whole page.
    pub fn html(&self) -> String {
        Html { page: self, style: STYLE }.render().expect("writing to a string does not fail")
    }

    fn line(&self, text: &str) -> String {
        line(text)
    }
}
