//! Cores that are kept from sleeping.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::channel,
    },
    thread,
};

use rustix::thread::gettid;

use super::{idle_policy, on_core};

/// Cores that do not go to sleep until it is dropped. A thread on each takes the time that nobody else wants: to wake the core of a
/// virtual machine takes longer than most answers, and the more often the less there is to do.
#[derive(Debug)]
pub(crate) struct Awake {
    over: Arc<AtomicBool>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Awake {
    pub(crate) fn keep(cores: &[usize]) -> Result<Self, String> {
        let mut awake = Self {
            over: Arc::default(),
            threads: Vec::new(),
        };
        let (ready, known) = channel();
        for &core in cores {
            let (over, ready) = (Arc::clone(&awake.over), ready.clone());
            awake.threads.push(thread::spawn(move || {
                let result = on_core(core, || {
                    let idle = idle_policy(gettid());
                    let may_spin = idle.is_ok();
                    let _ = ready.send(idle);
                    while may_spin && !over.load(Relaxed) {
                        std::hint::spin_loop();
                    }
                });
                let _ = ready.send(result);
            }));
        }
        for _ in cores {
            known.recv().map_err(|e| e.to_string())??;
        }
        Ok(awake)
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        self.over.store(true, Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
