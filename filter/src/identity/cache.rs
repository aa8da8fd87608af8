//! A bounded map that forgets what was asked for the longest ago.

use std::collections::HashMap;
use std::rc::Rc;

/// As many clients as one worker keeps in mind. Each takes some kilobytes.
const CAPACITY: usize = 256;

pub(super) struct Cache<T> {
    entries: HashMap<Box<[u8]>, (Rc<T>, u64)>,
    clock: u64,
}

impl<T> Default for Cache<T> {
    fn default() -> Self {
        Self {
            entries: HashMap::new(),
            clock: 0,
        }
    }
}

impl<T> Cache<T> {
    pub(super) fn get(&mut self, key: &[u8]) -> Option<Rc<T>> {
        self.clock += 1;
        let (value, used) = self.entries.get_mut(key)?;
        *used = self.clock;
        Some(Rc::clone(value))
    }

    pub(super) fn put(&mut self, key: &[u8], value: Rc<T>) {
        if self.entries.len() >= CAPACITY {
            let oldest = self.entries.iter().min_by_key(|(_, (_, used))| *used);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.entries.remove(&oldest);
            }
        }
        self.entries.insert(key.into(), (value, self.clock));
    }
}
