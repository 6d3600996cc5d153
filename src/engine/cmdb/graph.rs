//! Compressed adjacency: which items a fault of one reaches, and by which relation, both ways and in id order.

use crate::ids::CiNo;
use crate::words::Relation;

/// A neighbour and the relation that joins it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow {
    /// The neighbour.
    pub ci: CiNo,
    /// The relation; which of the two has it follows from the relation and the direction asked for.
    pub relation: Relation,
}

/// One typed edge, from where a fault begins to where it arrives.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arc {
    pub(super) from: CiNo,
    pub(super) to: CiNo,
    pub(super) relation: Relation,
}

/// Edges both ways; the neighbours of an item stand in id order.
#[derive(Debug, Clone, Default)]
pub(super) struct Graph {
    onward: Side,
    back: Side,
}

impl Graph {
    /// `size` is one more than the highest number; `by_id` holds every item in id order.
    pub(super) fn new(size: usize, by_id: &[CiNo], arcs: &[Arc]) -> Graph {
        // Each pass keeps the order it reads in, so that reading by id leaves every list in id order without a sort.
        let unsorted = Side::new(size, arcs.len(), || arcs.iter().copied());
        let back = Side::new(size, arcs.len(), || unsorted.turned(by_id));
        let onward = Side::new(size, arcs.len(), || back.turned(by_id));
        Graph { onward, back }
    }

    /// Where a fault of `no` arrives.
    pub(super) fn onward(&self, no: CiNo) -> impl ExactSizeIterator<Item = Flow> + '_ {
        self.onward.of(no)
    }

    /// From where a fault arrives at `no`.
    pub(super) fn back(&self, no: CiNo) -> impl ExactSizeIterator<Item = Flow> + '_ {
        self.back.of(no)
    }
}

#[derive(Debug, Clone, Default)]
struct Side {
    /// The neighbours of `n` are `targets[starts[n]..starts[n + 1]]`.
    starts: Vec<u32>,
    targets: Vec<CiNo>,
    relations: Vec<Relation>,
}

impl Side {
    fn new<I: Iterator<Item = Arc>>(size: usize, count: usize, arcs: impl Fn() -> I) -> Side {
        let mut starts = vec![0_u32; size + 1];
        for arc in arcs() {
            starts[arc.from.0 as usize + 1] += 1;
        }
        for n in 0..size {
            starts[n + 1] += starts[n];
        }
        let mut next = starts.clone();
        let mut targets = vec![CiNo(0); count];
        let mut relations = vec![Relation::DependsOn; count];
        for arc in arcs() {
            let at = &mut next[arc.from.0 as usize];
            targets[*at as usize] = arc.to;
            relations[*at as usize] = arc.relation;
            *at += 1;
        }
        Side { starts, targets, relations }
    }

    fn of(&self, no: CiNo) -> impl ExactSizeIterator<Item = Flow> + '_ {
        let at = no.0 as usize;
        let range = match (self.starts.get(at), self.starts.get(at.saturating_add(1))) {
            (Some(start), Some(end)) => *start as usize..*end as usize,
            (None, _) | (Some(_), None) => 0..0,
        };
        self.targets[range.clone()].iter().zip(&self.relations[range]).map(|(ci, relation)| Flow { ci: *ci, relation: *relation })
    }

    fn turned<'a>(&'a self, by_id: &'a [CiNo]) -> impl Iterator<Item = Arc> + 'a {
        by_id.iter().flat_map(|from| self.of(*from).map(|flow| Arc { from: flow.ci, to: *from, relation: flow.relation }))
    }
}
