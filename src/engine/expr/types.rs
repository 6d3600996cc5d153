//! The types of conditions, checked at load.

use std::fmt;

/// The type of a part of an expression.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Type {
    Bool,
    Int,
    Double,
    Text,
    /// A text out of a closed set; compares with `==`, `!=` and `in` only.
    Word(&'static Closed),
    Time,
    Span,
    Labels,
    List(Item),
    /// Already reported; goes with everything.
    Wrong,
}

/// The type of a list's elements.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Item {
    Bool,
    Int,
    Double,
    Text,
    Word(&'static Closed),
    Time,
    Span,
    /// Of an empty list, or one that was already reported.
    Any,
}

/// A closed set of words.
#[derive(Debug)]
pub(super) struct Closed {
    /// What a word of it is called.
    pub(super) name: &'static str,
    /// Every word, in order.
    pub(super) words: &'static [&'static str],
}

impl PartialEq for Closed {
    fn eq(&self, other: &Closed) -> bool {
        self.name == other.name
    }
}

impl Type {
    /// The type as an element, where a list may hold it.
    pub(super) const fn as_item(self) -> Option<Item> {
        match self {
            Type::Bool => Some(Item::Bool),
            Type::Int => Some(Item::Int),
            Type::Double => Some(Item::Double),
            Type::Text => Some(Item::Text),
            Type::Word(closed) => Some(Item::Word(closed)),
            Type::Time => Some(Item::Time),
            Type::Span => Some(Item::Span),
            Type::Wrong => Some(Item::Any),
            Type::Labels | Type::List(_) => None,
        }
    }

    /// Whether it is a text at run time.
    pub(super) const fn is_textual(self) -> bool {
        matches!(self, Type::Text | Type::Word(_))
    }

    /// Whether it is a number.
    pub(super) const fn is_number(self) -> bool {
        matches!(self, Type::Int | Type::Double)
    }
}

impl Item {
    /// The element as a value of its own.
    pub(super) const fn as_type(self) -> Type {
        match self {
            Item::Bool => Type::Bool,
            Item::Int => Type::Int,
            Item::Double => Type::Double,
            Item::Text => Type::Text,
            Item::Word(closed) => Type::Word(closed),
            Item::Time => Type::Time,
            Item::Span => Type::Span,
            Item::Any => Type::Wrong,
        }
    }
}

/// As a fault says it: "`3` is a whole number".
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Bool => f.write_str("true or false"),
            Type::Int => f.write_str("a whole number"),
            Type::Double => f.write_str("a decimal number"),
            Type::Text => f.write_str("a text"),
            Type::Word(closed) => write!(f, "a word of {}", closed.name),
            Type::Time => f.write_str("a moment"),
            Type::Span => f.write_str("a duration"),
            Type::Labels => f.write_str("a set of labels"),
            Type::List(Item::Any) => f.write_str("a list"),
            Type::List(item) => f.write_str(match item {
                Item::Bool => "a list of true or false",
                Item::Int => "a list of whole numbers",
                Item::Double => "a list of decimal numbers",
                Item::Text | Item::Word(_) => "a list of texts",
                Item::Time => "a list of moments",
                Item::Span => "a list of durations",
                Item::Any => "a list",
            }),
            Type::Wrong => f.write_str("unknown"),
        }
    }
}
