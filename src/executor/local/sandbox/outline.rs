//! What the walls of an attempt depend on beside its own folders: what is known before there is an attempt.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Offered;
use crate::executor::local::folder::Order;
use crate::plan::{IsolationLevel, Network};

/// The walls of attempts of one kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::executor::local) struct Outline {
    pub isolation: IsolationLevel,
    pub network: Network,
    pub writes_outside: bool,
    pub hidden: Vec<PathBuf>,
    pub offered: Offered,
}

impl Outline {
    pub(in crate::executor::local) fn of(order: &Order) -> Self {
        let protection = &order.job.protection;
        Self {
            isolation: protection.isolation,
            network: protection.network,
            writes_outside: protection.writes_outside,
            hidden: protection.hidden.clone(),
            offered: order.offered.clone(),
        }
    }
}
