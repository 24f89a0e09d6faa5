//! The dependency tree of RFC 7540 §5.3, for clients that still use it.
//!
//! A node is a stream, open or named in advance by a PRIORITY frame (*idle*). A node that has data to send goes before
//! its descendants; siblings share by weight. That is kept by virtual time: each node with anything to send below or at
//! itself is *queued* in its parent's heap, keyed by how much it was served divided by its weight.
//!
//! Always true: a node is queued in its parent's heap exactly if it is ready or its own heap is not empty. So the
//! next stream is found by following first members down from the root.
//!
//! Costs: picking and accounting O(depth · log siblings), moving O(depth + children). The number of nodes is bounded by the
//! streams the connection may have and [`MAX_IDLE`], however many PRIORITY frames arrive (CVE-2019-9513).

use std::collections::VecDeque;

use super::{
    frame::Dependency,
    heap::{Heap, Positions},
    ids::IdMap,
};

/// Idle nodes kept; beyond it the oldest goes.
pub(crate) const MAX_IDLE: usize = 100;

/// Given to streams that say nothing (RFC 7540 §5.3.5).
const DEFAULT_WEIGHT: u16 = 16;

const ROOT: u32 = 0;
const NONE: u32 = u32::MAX;

#[derive(Debug)]
struct Node {
    id: u32,
    weight: u16,
    ready: bool,
    queued: bool,
    parent: u32,
    first_child: u32,
    previous: u32,
    next: u32,
    /// Bytes served over weight, on the parent's clock.
    served: u64,
    /// The clock of the children: what the child served last had been served.
    clock: u64,
    active: Heap,
}

impl Node {
    fn new(id: u32) -> Self {
        Self {
            id,
            weight: DEFAULT_WEIGHT,
            ready: false,
            queued: false,
            parent: NONE,
            first_child: NONE,
            previous: NONE,
            next: NONE,
            served: 0,
            clock: 0,
            active: Heap::default(),
        }
    }

    fn is_active(&self) -> bool {
        self.ready || !self.active.is_empty()
    }
}

/// Streams by what they depend on.
#[derive(Debug)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
    free: Vec<u32>,
    index: IdMap<u32>,
    positions: Positions,
    /// Idle nodes, oldest first; among them some that have been opened since.
    idle: VecDeque<u32>,
}

impl Default for Tree {
    fn default() -> Self {
        let mut positions = Positions::default();
        positions.reserve(ROOT);
        Self {
            nodes: vec![Node::new(0)],
            free: Vec::new(),
            index: IdMap::default(),
            positions,
            idle: VecDeque::new(),
        }
    }
}

impl Tree {
    /// A stream was opened, with or without a word on what it depends on.
    pub(crate) fn open(&mut self, id: u32, dependency: Option<Dependency>) {
        self.idle.retain(|&idle| idle != id);
        if let Some(dependency) = dependency {
            self.depend(id, dependency);
        } else if !self.index.contains_key(&id) {
            let node = self.add(id);
            self.link(node, ROOT);
        }
    }

    /// A PRIORITY frame for a stream that is not open yet.
    pub(crate) fn announce(&mut self, id: u32, dependency: Dependency) {
        if !self.index.contains_key(&id) {
            self.idle.push_back(id);
            if self.idle.len() > MAX_IDLE
                && let Some(oldest) = self.idle.pop_front()
            {
                self.close(oldest);
            }
        }
        self.depend(id, dependency);
    }

    /// Makes a stream depend on another (RFC 7540 §5.3.3). On one that is not in the tree, as when it was answered in the
    /// meantime, means the default priority (§5.3.1), and not that of an exclusive child of the root above everybody else.
    pub(crate) fn depend(&mut self, id: u32, mut dependency: Dependency) {
        if dependency.parent == id {
            // A stream error, which is h2's to raise.
            return;
        }
        if dependency.parent != 0 && !self.index.contains_key(&dependency.parent) {
            dependency = Dependency {
                parent: 0,
                weight: DEFAULT_WEIGHT,
                exclusive: false,
            };
        }
        let node = match self.index.get(&id) {
            Some(&node) => node,
            None => {
                let node = self.add(id);
                self.link(node, ROOT);
                node
            }
        };
        let parent = match dependency.parent {
            0 => ROOT,
            parent => self.index.get(&parent).copied().unwrap_or(ROOT),
        };
        if self.is_below(parent, node) {
            // The new parent takes the place of the node first.
            let above = self.nodes[node as usize].parent;
            self.unlink(parent);
            self.link(parent, above);
        }
        self.unlink(node);
        self.nodes[node as usize].weight = dependency.weight;
        self.link(node, parent);
        if dependency.exclusive {
            // The node is its parent's first child; all others become its own.
            while self.nodes[node as usize].next != NONE {
                let sibling = self.nodes[node as usize].next;
                self.unlink(sibling);
                self.link(sibling, node);
            }
        }
    }

    /// Removes a stream. Its children take its place and share its weight by theirs (RFC 7540 §5.3.4).
    pub(crate) fn close(&mut self, id: u32) {
        let Some(node) = self.index.remove(&id) else {
            return;
        };
        let Node { parent, weight, .. } = self.nodes[node as usize];
        let mut shares = 0;
        let mut child = self.nodes[node as usize].first_child;
        while child != NONE {
            shares += u32::from(self.nodes[child as usize].weight);
            child = self.nodes[child as usize].next;
        }
        self.unlink(node);
        while self.nodes[node as usize].first_child != NONE {
            let child = self.nodes[node as usize].first_child;
            self.unlink(child);
            let share = u32::from(self.nodes[child as usize].weight) * u32::from(weight) / shares;
            self.nodes[child as usize].weight = share.max(1) as u16;
            self.link(child, parent);
        }
        self.free.push(node);
    }

    /// Whether a stream has data to send.
    pub(crate) fn set_ready(&mut self, id: u32, ready: bool) {
        let Some(&node) = self.index.get(&id) else {
            return;
        };
        self.nodes[node as usize].ready = ready;
        if ready {
            self.raise(node);
        } else {
            self.lower(node);
        }
    }

    /// The stream to serve next.
    pub(crate) fn first(&self) -> Option<u32> {
        let mut node = &self.nodes[ROOT as usize];
        while !node.ready {
            node = &self.nodes[node.active.first()? as usize];
        }
        Some(node.id)
    }

    /// Accounts for bytes a stream was granted.
    pub(crate) fn charge(&mut self, id: u32, bytes: usize) {
        let Some(&leaf) = self.index.get(&id) else {
            return;
        };
        let mut node = leaf;
        while node != ROOT {
            let Node {
                parent,
                served,
                weight,
                queued,
                ..
            } = self.nodes[node as usize];
            let clock = &mut self.nodes[parent as usize].clock;
            *clock = served.max(*clock);
            let served = *clock + super::scheduler::virtual_cost(bytes, weight);
            self.nodes[node as usize].served = served;
            if queued {
                let heap = &mut self.nodes[parent as usize].active;
                heap.remove(&mut self.positions, node);
                heap.push(&mut self.positions, served, node);
            }
            node = parent;
        }
    }

    fn add(&mut self, id: u32) -> u32 {
        let node = match self.free.pop() {
            Some(node) => {
                // Its heap, which is empty, keeps its memory.
                let active = std::mem::take(&mut self.nodes[node as usize].active);
                self.nodes[node as usize] = Node {
                    active,
                    ..Node::new(id)
                };
                node
            }
            None => {
                self.nodes.push(Node::new(id));
                self.nodes.len() as u32 - 1
            }
        };
        self.positions.reserve(node);
        self.index.insert(id, node);
        node
    }

    fn is_below(&self, mut node: u32, above: u32) -> bool {
        while node != ROOT {
            node = self.nodes[node as usize].parent;
            if node == above {
                return true;
            }
        }
        false
    }

    fn link(&mut self, node: u32, parent: u32) {
        let next = std::mem::replace(&mut self.nodes[parent as usize].first_child, node);
        if next != NONE {
            self.nodes[next as usize].previous = node;
        }
        let this = &mut self.nodes[node as usize];
        this.parent = parent;
        this.previous = NONE;
        this.next = next;
        // Another parent's clock means nothing here.
        this.served = 0;
        if this.is_active() {
            self.raise(node);
        }
    }

    fn unlink(&mut self, node: u32) {
        let Node {
            parent,
            previous,
            next,
            queued,
            ..
        } = self.nodes[node as usize];
        if queued {
            self.nodes[node as usize].queued = false;
            self.nodes[parent as usize]
                .active
                .remove(&mut self.positions, node);
            self.lower(parent);
        }
        if previous == NONE {
            self.nodes[parent as usize].first_child = next;
        } else {
            self.nodes[previous as usize].next = next;
        }
        if next != NONE {
            self.nodes[next as usize].previous = previous;
        }
    }

    /// Queues a node that is active, and its ancestors.
    fn raise(&mut self, mut node: u32) {
        while node != ROOT && !self.nodes[node as usize].queued {
            let parent = self.nodes[node as usize].parent;
            let clock = self.nodes[parent as usize].clock;
            let this = &mut self.nodes[node as usize];
            this.queued = true;
            this.served = this.served.max(clock);
            let served = this.served;
            self.nodes[parent as usize]
                .active
                .push(&mut self.positions, served, node);
            node = parent;
        }
    }

    /// Takes a node that is not active any more out of its queue, and so its ancestors.
    fn lower(&mut self, mut node: u32) {
        while node != ROOT
            && self.nodes[node as usize].queued
            && !self.nodes[node as usize].is_active()
        {
            self.nodes[node as usize].queued = false;
            let parent = self.nodes[node as usize].parent;
            self.nodes[parent as usize]
                .active
                .remove(&mut self.positions, node);
            node = parent;
        }
    }
}

#[cfg(test)]
mod tests;
