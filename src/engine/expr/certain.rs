//! What is certain of conditions without a view: which hold, and which do not, of everything that some facts are true of.
//!
//! Never guesses: where an answer depends on more than the facts, there is none.

use super::condition::{Condition, Expr};
use super::eval::{Affix, Ir, Op};
use super::index::{About, Demand, Extent, RuleIndex, about, demands_of, of_name};
use super::lex::{TokenKind, tokens};
use super::matcher::Matcher;
use super::parse::Comparison;

/// Pairs of conditions that one look for hidden ones compares. Each costs about a microsecond, so a set of rules that nothing tells apart by an index is looked
/// through in less than half a second; the pairs beyond are not compared.
const PAIRS_MAX: usize = 200_000;

/// Texts of one subject that are looked at one by one. Longer lists are of names, which no rule before them writes out again.
const CASES_MAX: usize = 16;

/// What is taken to be true.
#[derive(Debug, Default)]
pub struct Facts<'c> {
    demands: Vec<Demand>,
    matchers: &'c [Matcher],
    /// Parts of expressions, as their tokens.
    parts: Vec<Vec<TokenKind>>,
}

impl<'c> Facts<'c> {
    /// That a field, such as `incident.priority`, has this value.
    pub fn field(path: &'static str, text: &str) -> Facts<'c> {
        let demand = Demand { about: About::Field(path), texts: vec![text.to_owned()], extent: Extent::Exact };
        Facts { demands: vec![demand], ..Facts::default() }
    }

    /// That a condition holds.
    pub fn of(condition: &'c Condition) -> Facts<'c> {
        let mut parts = Vec::new();
        for expr in condition.exprs() {
            conjuncts(expr, expr.ir(), &mut parts);
        }
        Facts { demands: demands_of(condition), matchers: condition.matchers(), parts }
    }

    /// The cases of each subject that has one of a few texts: what is certain of every case is certain.
    fn cases(&self) -> impl Iterator<Item = impl Iterator<Item = Case<'_>>> {
        let few = self.demands.iter().filter(|demand| demand.extent == Extent::Exact && (2..=CASES_MAX).contains(&demand.texts.len()));
        few.map(|demand| demand.texts.iter().map(|text| Case { facts: self, one: Some((&demand.about, text)) }))
    }
}

/// Facts, and of one subject which of its texts it has.
#[derive(Clone, Copy)]
struct Case<'f> {
    facts: &'f Facts<'f>,
    one: Option<(&'f About, &'f str)>,
}

impl Case<'_> {
    /// Whether every text that a subject can have answers alike.
    fn answer(&self, about: &About, answer: impl Fn(&str) -> bool) -> Option<bool> {
        if let Some((_, text)) = self.one.filter(|(of, _)| *of == about) {
            return Some(answer(text));
        }
        let mut exact = self.facts.demands.iter().filter(|demand| demand.extent == Extent::Exact && demand.about == *about);
        exact.find_map(|demand| alike(demand.texts.iter().map(|text| answer(text))))
    }

    /// Whether the subject certainly begins so.
    fn begins(&self, about: &About, with: &str) -> bool {
        let of_it = |demand: &&Demand| demand.extent == Extent::Prefix && demand.about == *about;
        self.facts.demands.iter().filter(of_it).any(|demand| demand.texts.iter().all(|text| text.starts_with(with)))
    }

    fn matcher(&self, matcher: &Matcher) -> Option<bool> {
        if self.facts.matchers.contains(matcher) {
            return Some(true);
        }
        self.answer(&of_name(matcher.name()), |text| matcher.compares(text))
    }

    fn part(&self, expr: &Expr, ir: &Ir) -> Option<bool> {
        if self.facts.parts.contains(&written(expr, ir)) {
            return Some(true);
        }
        let text = |subject: &Ir, answer: &dyn Fn(&str) -> bool| self.answer(&about(subject)?, answer);
        match &ir.op {
            Op::Bool(answer) => Some(*answer),
            Op::Not(of) => self.part(expr, of).map(|answer| !answer),
            Op::And(parts) => decided(parts, false, |part| self.part(expr, part)),
            Op::Or(parts) => decided(parts, true, |part| self.part(expr, part)),
            Op::Choice(parts) => self.part(expr, &parts[if self.part(expr, &parts[0])? { 1 } else { 2 }]),
            Op::Compare(op @ (Comparison::Equal | Comparison::Unequal), sides) => {
                let (subject, literal) = match (&sides[0], &sides[1]) {
                    (subject, Ir { op: Op::Text(text), .. }) | (Ir { op: Op::Text(text), .. }, subject) => (subject, text),
                    _ => return None,
                };
                text(subject, &|text| (text == literal) == (*op == Comparison::Equal))
            }
            Op::InSet { of, set } => text(of, &|text| set.contains_key(text)),
            Op::Matches(of, regex) => text(of, &|text| regex.is_match(text)),
            Op::Affix(affix, sides) => {
                let Op::Text(part) = &sides[1].op else { return None };
                let begins = || (*affix == Affix::Starts && self.begins(&about(&sides[0])?, part)).then_some(true);
                let holds = |text: &str| match affix {
                    Affix::Starts => text.starts_with(part),
                    Affix::Ends => text.ends_with(part),
                    Affix::Contains => text.contains(part),
                };
                text(&sides[0], &holds).or_else(begins)
            }
            _ => None,
        }
    }
}

impl Condition {
    /// Whether it holds of everything that `facts` are true of, or of nothing; `None`: that is not certain.
    pub fn certainly(&self, facts: &Facts<'_>) -> Option<bool> {
        let of_all = self.in_case(Case { facts, one: None });
        of_all.or_else(|| facts.cases().find_map(|cases| alike(cases.map(|case| self.in_case(case)))?))
    }

    fn in_case(&self, case: Case<'_>) -> Option<bool> {
        let matchers = self.matchers().iter().map(|matcher| case.matcher(matcher));
        let exprs = self.exprs().iter().map(|expr| case.part(expr, expr.ir()));
        let mut all = self.is_whole().then_some(true);
        for part in matchers.chain(exprs) {
            match part {
                Some(false) => return Some(false),
                Some(true) => {}
                None => all = None,
            }
        }
        all
    }
}

/// Of a list of which the first that holds decides: those that never are the first, each with the first before it that holds whenever it does. `may` says whether
/// one at all stands in the way of a later one.
pub fn hidden(conditions: &[&Condition], may: impl Fn(usize, usize) -> bool) -> Vec<(usize, usize)> {
    let index = RuleIndex::new(conditions.iter().copied());
    let mut left = PAIRS_MAX;
    let mut found = Vec::new();
    for (later, condition) in conditions.iter().enumerate() {
        let facts = Facts::of(condition);
        let mut before: Vec<usize> = index.offered(&facts.demands).filter(|earlier| *earlier < later && may(*earlier, later)).collect();
        before.sort_unstable();
        before.dedup();
        before.truncate(left);
        left -= before.len();
        let hides = |earlier: &usize| conditions[*earlier].certainly(&facts) == Some(true);
        found.extend(before.into_iter().find(hides).map(|earlier| (later, earlier)));
    }
    found
}

/// The one answer of all, where there is one.
fn alike<T: PartialEq>(mut answers: impl Iterator<Item = T>) -> Option<T> {
    let first = answers.next()?;
    answers.all(|answer| answer == first).then_some(first)
}

/// `&&` and `||` over what is certain.
fn decided(parts: &[Ir], decides: bool, certain: impl Fn(&Ir) -> Option<bool>) -> Option<bool> {
    let mut all = Some(!decides);
    for part in parts {
        match certain(part) {
            Some(answer) if answer == decides => return Some(decides),
            Some(_) => {}
            None => all = None,
        }
    }
    all
}

/// Everything that must hold for an expression to hold, as it was written.
fn conjuncts(expr: &Expr, ir: &Ir, found: &mut Vec<Vec<TokenKind>>) {
    found.push(written(expr, ir));
    if let Op::And(parts) = &ir.op {
        parts.iter().for_each(|part| conjuncts(expr, part, found));
    }
}

/// A part as its tokens: blanks and parentheses around it make no difference.
fn written(expr: &Expr, ir: &Ir) -> Vec<TokenKind> {
    let found = tokens(expr.source().get(ir.span.clone()).unwrap_or_default()).unwrap_or_default();
    let mut found: Vec<TokenKind> = found.into_iter().map(|token| token.kind).filter(|kind| *kind != TokenKind::End).collect();
    while is_wrapped(&found) {
        found.pop();
        found.remove(0);
    }
    found
}

/// Whether the first parenthesis is closed by the last sign.
fn is_wrapped(tokens: &[TokenKind]) -> bool {
    let mut depth = 0_usize;
    for (at, kind) in tokens.iter().enumerate() {
        match kind {
            TokenKind::Sign("(") => depth += 1,
            TokenKind::Sign(")") => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at > 0 && at + 1 == tokens.len();
        }
    }
    false
}
