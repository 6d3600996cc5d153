//! What the description of the API says of an endpoint: said where the endpoint is declared, with the types that it reads and answers.

use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::Endpoint;

/// A parameter of a request's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// What it may be.
    pub takes: Takes,
}

/// What a parameter may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// A text.
    Text,
    /// Texts: several, with commas between them, or the parameter several times.
    Texts,
    /// `true` or `false`.
    Flag,
    /// A number from 1 on up to this one.
    Number(usize),
    /// One of these words.
    Word(&'static [&'static str]),
    /// Some of these words, as [`Takes::Texts`].
    Words(&'static [&'static str]),
}

/// The schema of a type.
pub type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// What the body of an answer is.
#[derive(Debug, Clone, Copy)]
pub enum Content {
    /// JSON of a type.
    Json(SchemaOf),
    /// An error as [`super::error::ApiError`] writes it.
    Error,
    /// What the API of somebody else answers, or an error of ours.
    Foreign,
    /// A page.
    Html,
    /// Plain text.
    Text,
    /// Bytes.
    Bytes,
    /// A stream of server-sent events.
    Stream,
    /// Nothing.
    Nothing,
}

/// The commands that the last part of a path names, with the type whose variants they are.
#[derive(Debug, Clone, Copy)]
pub struct Commands {
    /// Their words.
    pub words: &'static [&'static str],
    /// The type.
    pub schema: SchemaOf,
}

/// What is said of an endpoint.
#[derive(Debug, Clone, Default)]
pub struct Described {
    /// What it does, in a sentence.
    pub summary: &'static str,
    /// Its parameters beside those of its path.
    pub parameters: Vec<Parameter>,
    /// What its body is.
    pub body: Option<SchemaOf>,
    /// The JSON Schema of a body that somebody else defined; empty where none is known.
    pub foreign_body: &'static str,
    /// The commands that the last part of its path names.
    pub commands: Vec<Commands>,
    /// What it answers: the status, and the body.
    pub answers: Vec<(u16, Content)>,
}

impl Parameter {
    /// A text.
    pub const fn text(name: &'static str, about: &'static str) -> Parameter {
        Parameter { name, about, takes: Takes::Text }
    }

    /// Several texts.
    pub const fn texts(name: &'static str, about: &'static str) -> Parameter {
        Parameter { name, about, takes: Takes::Texts }
    }

    /// A switch.
    pub const fn flag(name: &'static str, about: &'static str) -> Parameter {
        Parameter { name, about, takes: Takes::Flag }
    }

    /// One of some words.
    pub const fn word(name: &'static str, about: &'static str, words: &'static [&'static str]) -> Parameter {
        Parameter { name, about, takes: Takes::Word(words) }
    }

    /// Some of some words.
    pub const fn words(name: &'static str, about: &'static str, words: &'static [&'static str]) -> Parameter {
        Parameter { name, about, takes: Takes::Words(words) }
    }

    /// The order of a list.
    pub const fn sort(words: &'static [&'static str]) -> Parameter {
        Parameter::word("sort", "The order; `-` means descending, the first is the default.", words)
    }
}

/// The names of parameters: what a request may have.
pub fn names(parameters: &[&[Parameter]]) -> Vec<&'static str> {
    parameters.iter().flat_map(|some| some.iter()).map(|parameter| parameter.name).collect()
}

impl Endpoint {
    /// What it does.
    pub fn says(mut self, summary: &'static str) -> Endpoint {
        self.described.summary = summary;
        self
    }

    /// The parameters it takes.
    pub fn takes(mut self, parameters: &[Parameter]) -> Endpoint {
        self.described.parameters.extend_from_slice(parameters);
        self
    }

    /// The type of its body.
    pub fn reads<T: JsonSchema>(mut self) -> Endpoint {
        self.described.body = Some(|generator| generator.subschema_for::<T>());
        self
    }

    /// Commands that the last part of its path names; said again for those of another kind of record.
    pub fn commands<C: JsonSchema>(mut self, words: &'static [&'static str]) -> Endpoint {
        self.described.commands.push(Commands { words, schema: |generator| C::json_schema(generator) });
        self
    }

    /// The type it answers with 200.
    pub fn answers<T: JsonSchema>(self) -> Endpoint {
        self.answers_as::<T>(200)
    }

    /// The type it answers with another status.
    pub fn answers_as<T: JsonSchema>(self, status: u16) -> Endpoint {
        self.gives(status, Content::Json(|generator| generator.subschema_for::<T>()))
    }

    /// What else it answers.
    pub fn gives(mut self, status: u16, content: Content) -> Endpoint {
        self.described.answers.push((status, content));
        self
    }

    /// Statuses with which it refuses, beside those that its place and its method bring along.
    pub fn refuses(mut self, statuses: &[u16]) -> Endpoint {
        self.described.answers.extend(statuses.iter().map(|status| (*status, Content::Error)));
        self
    }
}
