use std::{
    fs::File,
    sync::{Mutex, PoisonError},
};

/// Descriptors held open so that there are some to give up.
#[derive(Debug)]
pub(crate) struct Spares {
    held: Mutex<Vec<File>>,
    wanted: usize,
}

impl Spares {
    pub(crate) fn new(wanted: u32) -> Self {
        let spares = Self {
            held: Mutex::new(Vec::new()),
            wanted: wanted as usize,
        };
        spares.refill();
        spares
    }

    /// Gives one up; false if none is left.
    pub(crate) fn give_up(&self) -> bool {
        let spare = self
            .held
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        spare.is_some()
    }

    /// Takes back what was given up, as far as there are descriptors again.
    pub(crate) fn refill(&self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        while held.len() < self.wanted {
            match File::open("/dev/null") {
                Ok(file) => held.push(file),
                Err(_) => return,
            }
        }
    }

    pub(crate) fn held(&self) -> usize {
        self.held
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn are_given_up_one_by_one_and_taken_back() {
        let spares = Spares::new(2);
        assert!(spares.give_up() && spares.give_up());
        assert!(!spares.give_up());
        spares.refill();
        assert_eq!(spares.held(), 2);
    }
}
