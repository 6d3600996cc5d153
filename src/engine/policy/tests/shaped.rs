//! Mappings whose keys may all be left out, each key written once: struct, table of keys and reading come from one list.

use crate::source::{Keys, Kind, Shape, Spanned, Takes};
use crate::time::Time;
use crate::words::{AlertState, ClockState, IncidentState, Level, Priority, ProblemState, Reason, SlaKind, SlaTarget};

/// `Name "what it is, as messages say it" { key: Type, "what it means"; … } later [("key", "what to do until then"), …]`
macro_rules! shaped {
    ($($(#[$doc:meta])* $Name:ident $what:literal { $($key:ident: $Type:ty, $means:literal;)* } later $later:expr;)*) => {
        $($(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $Name {
            /// Its bytes in the file.
            pub span: Range<usize>,
            $(#[doc = $means] pub $key: Option<Spanned<$Type>>,)*
        }

        impl Shaped for $Name {
            const SHAPE: &'static Shape = &Shape {
                what: $what,
                keys: &[$(Key::may(stringify!($key), <$Type as Taken>::TAKES, $means)),*],
                later: &$later,
            };

            fn of(keys: &Keys<'_, '_>) -> $Name {
                $Name { span: keys.span().clone(), $($key: <$Type as Taken>::at(keys, stringify!($key))),* }
            }
        })*
    };
}

pub(super) use shaped;

/// Such a mapping.
pub(super) trait Shaped: Sized {
    /// Its keys.
    const SHAPE: &'static Shape;

    /// Reads it.
    fn of(keys: &Keys<'_, '_>) -> Self;
}

/// What a key of it takes, and how that is read.
pub(super) trait Taken: Sized {
    /// What.
    const TAKES: Takes;

    /// The value of a key, where it is there.
    fn at(keys: &Keys<'_, '_>, key: &'static str) -> Option<Spanned<Self>>;
}

macro_rules! taken {
    ($($Type:ty: $takes:expr;)*) => {
        $(impl Taken for $Type {
            const TAKES: Takes = $takes;

            fn at(keys: &Keys<'_, '_>, key: &'static str) -> Option<Spanned<$Type>> {
                keys.get(key)
            }
        })*
    };
}

taken! {
    String: Takes::Text;
    Vec<String>: Takes::List(&Takes::Text);
    u32: Takes::Count;
    bool: Takes::Flag;
    Time: Takes::Moment;
    ClockState: Takes::Word(ClockState::WORDS);
    IncidentState: Takes::Word(IncidentState::WORDS);
    Level: Takes::Word(Level::WORDS);
    Priority: Takes::Word(Priority::WORDS);
    ProblemState: Takes::Word(ProblemState::WORDS);
    Reason: Takes::Word(Reason::WORDS);
    SlaKind: Takes::Word(SlaKind::WORDS);
    SlaTarget: Takes::Word(SlaTarget::WORDS);
}

impl<T: Shaped> Taken for Vec<T> {
    const TAKES: Takes = Takes::List(&Takes::Map(T::SHAPE));

    fn at(keys: &Keys<'_, '_>, key: &'static str) -> Option<Spanned<Vec<T>>> {
        let node = keys.node(key)?;
        let items = keys.reading().items(node).iter();
        let value = items.filter_map(|item| keys.reading().keys(item, T::SHAPE)).map(|keys| T::of(&keys)).collect();
        Some(Spanned { value, span: node.span.clone() })
    }
}

impl Taken for AlertState {
    const TAKES: Takes = Takes::Word(AlertState::WORDS);

    /// One word comes later.
    fn at(keys: &Keys<'_, '_>, key: &'static str) -> Option<Spanned<AlertState>> {
        let node = keys.node(key)?;
        if matches!(&node.kind, Kind::Scalar(scalar) if scalar.text == "flapping") {
            keys.reading().not_yet(&node.span, "the state `flapping`", "such an alert is `firing` or not there");
            return None;
        }
        keys.get(key)
    }
}
