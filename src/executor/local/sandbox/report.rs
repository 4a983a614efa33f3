//! What a process says of the walls that it entered, before it runs any code of the user.

use serde::{Deserialize, Serialize};

use crate::executor::Layer;
use crate::plan::IsolationLevel;

/// The walls that a process entered.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(in crate::executor::local) struct Entered {
    /// The layers, those that are missing included.
    pub layers: Vec<Layer>,
    /// Why it does not go on.
    #[serde(default)]
    pub refused: Option<String>,
}

impl Entered {
    /// Every layer, and whether it is enough.
    pub(super) fn new(layers: Vec<Layer>, wanted: IsolationLevel) -> Self {
        let missing: Vec<String> = layers
            .iter()
            .filter(|layer| !layer.held)
            .map(|layer| format!("{} ({})", layer.name, layer.reason))
            .collect();
        let refused = match wanted {
            IsolationLevel::Require if !missing.is_empty() => Some(missing.join(", ")),
            IsolationLevel::Require | IsolationLevel::Prefer | IsolationLevel::Off => None,
        };
        Self { layers, refused }
    }
}
