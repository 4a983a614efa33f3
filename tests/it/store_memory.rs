//! The store in memory passes the suite of all stores.

use std::sync::Arc;

use stepwell::store::conformance::{Bench, exercise};
use stepwell::store::memory::MemoryStore;
use stepwell::store::{Error, EventStore};

struct Memory(MemoryStore);

impl Bench for Memory {
    fn open(&self) -> Result<Arc<dyn EventStore>, Error> {
        Ok(Arc::new(self.0.reopen()))
    }
}

#[tokio::test]
async fn conformance() {
    exercise(|| Memory(MemoryStore::new())).await;
}
