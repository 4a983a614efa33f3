//! The store on disk passes the suite of all stores, and holds its folder alone.

use std::sync::Arc;

use stepwell::store::conformance::{Bench, exercise};
use stepwell::store::sled::{Options, SledStore};
use stepwell::store::{Error, EventStore};

struct Disk(tempfile::TempDir);

impl Bench for Disk {
    fn open(&self) -> Result<Arc<dyn EventStore>, Error> {
        let options = Options {
            lock_wait: std::time::Duration::from_millis(200),
            ..Options::default()
        };
        Ok(Arc::new(SledStore::open(self.0.path(), options)?))
    }
}

#[tokio::test]
async fn conformance() {
    exercise(|| Disk(tempfile::tempdir().unwrap())).await;
}
