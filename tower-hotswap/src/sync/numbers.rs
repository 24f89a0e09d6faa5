//! Numbers of threads, by which they spread over shards and ports.
//!
//! A thread takes the least number that no living thread has, and gives it back at its end. So as long as no more threads
//! live than there are shards, one for each processor and 64 at most, no two of them meet, however many came and went before.

use std::{
    cell::Cell,
    cmp::Reverse,
    collections::BinaryHeap,
    sync::{Mutex, PoisonError},
};

/// What is given back, the least first, and what was never given.
struct Numbers {
    free: BinaryHeap<Reverse<usize>>,
    next: usize,
}

static NUMBERS: Mutex<Numbers> = Mutex::new(Numbers {
    free: BinaryHeap::new(),
    next: 0,
});

impl Numbers {
    fn take(&mut self) -> usize {
        if let Some(Reverse(number)) = self.free.pop() {
            return number;
        }
        self.next += 1;
        self.next - 1
    }
}

fn numbers<R>(work: impl FnOnce(&mut Numbers) -> R) -> R {
    work(&mut NUMBERS.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A number that a thread has for itself while it lives.
struct Taken(usize);

impl Drop for Taken {
    fn drop(&mut self) {
        numbers(|numbers| numbers.free.push(Reverse(self.0)));
    }
}

const NONE: usize = usize::MAX;

thread_local! {
    /// A copy of the number. It has no destructor, and is reached without asking whether that ran.
    static NUMBER: Cell<usize> = const { Cell::new(NONE) };
    static TAKEN: Taken = Taken(numbers(Numbers::take));
}

/// The number of this thread.
#[inline]
pub(crate) fn thread_number() -> usize {
    match NUMBER.get() {
        NONE => assign(),
        number => number,
    }
}

#[cold]
fn assign() -> usize {
    // At the end of a thread whose number is back already, another one's does: it only spreads.
    let number = TAKEN.try_with(|taken| taken.0).unwrap_or(0);
    NUMBER.set(number);
    number
}

#[cfg(test)]
mod tests {
    use std::{sync::Barrier, thread};

    use super::*;

    #[test]
    fn threads_that_live_together_have_numbers_of_their_own() {
        let barrier = Barrier::new(4);
        let mut numbers: Vec<_> = thread::scope(|scope| {
            let number = || {
                let number = thread_number();
                barrier.wait();
                number
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(number)).collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 4);
    }

    #[test]
    fn numbers_of_threads_that_ended_are_given_again_the_least_first() {
        let mut numbers = Numbers {
            free: BinaryHeap::new(),
            next: 0,
        };
        assert_eq!([numbers.take(), numbers.take(), numbers.take()], [0, 1, 2]);
        numbers.free.push(Reverse(2));
        numbers.free.push(Reverse(0));
        assert_eq!([numbers.take(), numbers.take(), numbers.take()], [0, 2, 3]);
    }

    #[test]
    fn a_thread_gives_its_number_back() {
        // Other tests take numbers meanwhile; had none been given back, there would be one for each thread.
        for _ in 0..1000 {
            thread::spawn(thread_number).join().unwrap();
        }
        assert!(numbers(|numbers| numbers.next) < 500);
    }
}
