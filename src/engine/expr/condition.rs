//! What a rule's `matchers` and `when` demand together: whether it holds, and which part does not.

use std::sync::Arc;

use super::check::lower;
use super::eval::{Ir, Op, RunFault};
use super::parse::parse;
use super::types::Type;
use super::{Fault, Matcher, Section, View};
use crate::text::{cut, one_line};

/// A compiled expression, cheap to clone.
#[derive(Debug, Clone)]
pub struct Expr(Arc<Compiled>);

#[derive(Debug)]
struct Compiled {
    text: String,
    ir: Ir,
}

impl Expr {
    /// The condition of a text: true or false.
    ///
    /// # Errors
    /// Every fault of it, in order of place; a fault of its grammar hides those after it.
    pub fn compile(section: Section, text: &str) -> Result<Expr, Vec<Fault>> {
        compile(section, text, |ty| ty == Type::Bool, "a condition, which is true or false")
    }

    /// The text-valued expression of a text, such as `from` of `identify`.
    ///
    /// # Errors
    /// As [`Expr::compile`].
    pub fn compile_text(section: Section, text: &str) -> Result<Expr, Vec<Fault>> {
        compile(section, text, Type::is_textual, "an expression that gives a text")
    }

    /// The value of a text-valued expression.
    ///
    /// # Errors
    /// What failed while it was evaluated.
    pub fn text(&self, view: &View<'_>) -> Result<String, RunFault> {
        self.0.ir.value(view).map(|value| value.into_text().into_owned()).map_err(|fault| *fault)
    }

    /// Whether a condition holds.
    ///
    /// # Errors
    /// What failed while it was evaluated.
    pub fn holds(&self, view: &View<'_>) -> Result<bool, RunFault> {
        self.0.ir.answer(view).map_err(|fault| *fault)
    }

    /// The expression as it was written.
    pub fn source(&self) -> &str {
        &self.0.text
    }

    /// How many elements an evaluation may visit, by its text alone.
    pub fn elements(&self) -> u64 {
        self.0.ir.elements()
    }

    pub(super) fn ir(&self) -> &Ir {
        &self.0.ir
    }

    /// The sentence of why it does not hold.
    fn why_not(&self, view: &View<'_>) -> String {
        let part = first_false(&self.0.ir, view);
        let written = self.written(part);
        let mut read = Vec::new();
        inputs(part, &mut read);
        let mut said: Vec<String> = Vec::new();
        for input in read {
            let value = match input.value(view) {
                Ok(value) => value.into_text().into_owned(),
                Err(fault) => fault.message,
            };
            let path = self.written(input);
            let sentence = match &input.op {
                Op::Label { .. } | Op::LabelAt { .. } if value.is_empty() => format!("{path} is missing"),
                _ => format!("{path} is {}", quoted(&value)),
            };
            if !said.contains(&sentence) {
                said.push(sentence);
            }
        }
        match said.len() {
            0 => format!("`{written}` is false"),
            _ => format!("`{written}` is false: {}", said.join(", ")),
        }
    }

    fn written(&self, part: &Ir) -> String {
        cut(&one_line(&self.0.text[part.span.clone()]), 120)
    }
}

fn compile(section: Section, text: &str, fits: impl Fn(Type) -> bool, expected: &str) -> Result<Expr, Vec<Fault>> {
    let tree = parse(text).map_err(|fault| vec![fault])?;
    let (ir, ty) = lower(section, text, &tree)?;
    if !fits(ty) {
        let fault = Fault::at(tree.span, format!("this is {ty}"), format!("expected {expected}"));
        return Err(vec![match ty {
            Type::Text | Type::Word(_) if fits(Type::Bool) => fault.help("compare it: `… == \"…\"`"),
            _ => fault,
        }]);
    }
    Ok(Expr(Arc::new(Compiled { text: text.to_owned(), ir })))
}

/// What a rule demands; without parts it always holds.
#[derive(Debug, Clone, Default)]
pub struct Condition {
    matchers: Vec<Matcher>,
    exprs: Vec<Expr>,
    /// Whose it is, for the account of what conditions cost.
    rule: Arc<str>,
    /// Whether a part of it was refused and is not here.
    is_cut: bool,
}

/// Whether a condition holds of a view. Parts count through the matchers, then the expressions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// Every part does.
    Yes,
    /// This part is the first that does not.
    No {
        /// Which.
        part: usize,
    },
    /// This part failed at run time, which does not match either.
    Failed {
        /// Which.
        part: usize,
        /// Why.
        why: Box<RunFault>,
    },
}

impl Held {
    /// Whether every part holds.
    pub fn is_yes(&self) -> bool {
        matches!(self, Held::Yes)
    }
}

impl Condition {
    /// All of these must hold.
    pub fn new(matchers: Vec<Matcher>, exprs: Vec<Expr>) -> Condition {
        Condition { matchers, exprs, ..Condition::default() }
    }

    /// The same as that of a rule, by its section and name.
    pub fn of(self, section: &str, name: &str) -> Condition {
        Condition { rule: Arc::from(format!("{section} {name}")), ..self }
    }

    /// The same, of which a part was refused.
    pub fn cut(self) -> Condition {
        Condition { is_cut: true, ..self }
    }

    /// Whether all of it could be read.
    pub fn is_whole(&self) -> bool {
        !self.is_cut
    }

    /// A condition that always holds.
    pub fn always() -> Condition {
        Condition::default()
    }

    /// Whether it demands nothing.
    pub fn is_always(&self) -> bool {
        self.matchers.is_empty() && self.exprs.is_empty()
    }

    /// Its matchers, in order.
    pub fn matchers(&self) -> &[Matcher] {
        &self.matchers
    }

    /// Whether an expression of it names something below `root`, such as `sla`.
    pub fn reads(&self, root: &str) -> bool {
        fn reads(ir: &Ir, root: &str) -> bool {
            let is_below = |path: &str| path.split('.').next() == Some(root);
            match &ir.op {
                Op::Field(field) => is_below(field.path),
                Op::Label { of, .. } => is_below(of.path),
                Op::LabelAt { of, .. } if is_below(of.path) => true,
                _ => ir.parts().any(|part| reads(part, root)),
            }
        }
        self.exprs.iter().any(|expr| reads(expr.ir(), root))
    }

    /// Whether an expression of it names any of these fields, such as `ci.health`, or a label of one.
    pub fn reads_any(&self, paths: &[&str]) -> bool {
        fn reads(ir: &Ir, paths: &[&str]) -> bool {
            match &ir.op {
                Op::Field(field) if paths.contains(&field.path) => true,
                Op::Label { of, .. } | Op::LabelAt { of, .. } if paths.contains(&of.path) => true,
                _ => ir.parts().any(|part| reads(part, paths)),
            }
        }
        self.exprs.iter().any(|expr| reads(expr.ir(), paths))
    }

    /// Its expressions, in order.
    pub fn exprs(&self) -> &[Expr] {
        &self.exprs
    }

    /// Whether every part holds; allocates only for a failure and for what is dear.
    pub fn holds(&self, view: &View<'_>) -> Held {
        let Some(budget) = view.budget else { return self.judged(view) };
        let before = budget.left();
        let held = self.judged(view);
        if budget.left() < before {
            budget.note(&self.rule, before - budget.left());
        }
        held
    }

    fn judged(&self, view: &View<'_>) -> Held {
        if let Some(part) = self.matchers.iter().position(|matcher| !matcher.holds(&view.alert)) {
            return Held::No { part };
        }
        for (at, expr) in self.exprs.iter().enumerate() {
            let part = self.matchers.len() + at;
            match expr.0.ir.answer(view) {
                Ok(true) => {}
                Ok(false) => return Held::No { part },
                Err(why) => return Held::Failed { part, why },
            }
        }
        Held::Yes
    }

    /// The sentence of why it does or does not hold: `ci.class == "switch"` is false: ci.class is "host".
    pub fn explain(&self, view: &View<'_>) -> String {
        match self.holds(view) {
            Held::Yes if self.is_always() => "it has no condition".to_owned(),
            Held::Yes => "every part of its condition holds".to_owned(),
            Held::No { part } => match self.matchers.get(part) {
                Some(matcher) => match matcher.value_in(&view.alert) {
                    "" => format!("`{matcher}` is false: {} is missing", one_line(matcher.name())),
                    value => format!("`{matcher}` is false: {} is {}", one_line(matcher.name()), quoted(value)),
                },
                None => self.exprs[part - self.matchers.len()].why_not(view),
            },
            Held::Failed { part, why } => {
                let expr = &self.exprs[part - self.matchers.len()];
                format!("`{}` failed: {}", cut(&one_line(&expr.0.text[why.span.clone()]), 120), why.message)
            }
        }
    }
}

/// The innermost conjunct that is false.
fn first_false<'i>(ir: &'i Ir, view: &View<'i>) -> &'i Ir {
    match &ir.op {
        Op::And(parts) => match parts.iter().find(|part| part.answer(view) == Ok(false)) {
            Some(part) => first_false(part, view),
            None => ir,
        },
        _ => ir,
    }
}

/// The names that a part reads, in order of place.
fn inputs<'i>(ir: &'i Ir, found: &mut Vec<&'i Ir>) {
    // A sentence with more values than these is not read.
    const INPUTS_SHOWN: usize = 4;
    if found.len() >= INPUTS_SHOWN {
        return;
    }
    match &ir.op {
        Op::Field(_) | Op::Label { .. } => found.push(ir),
        // What a comprehension's body reads changes with each element.
        Op::Each { over, .. } => inputs(over, found),
        _ => ir.parts().for_each(|part| inputs(part, found)),
    }
}

fn quoted(value: &str) -> String {
    format!("\"{}\"", cut(&one_line(value), 120))
}
