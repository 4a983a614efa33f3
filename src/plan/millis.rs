//! Durations in a plan: whole milliseconds.

use std::time::Duration;

use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

fn count(value: Duration) -> u64 {
    u64::try_from(value.as_millis()).unwrap_or(u64::MAX)
}

#[expect(clippy::ref_option, reason = "serde passes a reference")]
pub(super) fn serialize<S: Serializer>(
    value: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    value.map(count).serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    Ok(Option::<u64>::deserialize(deserializer)?.map(Duration::from_millis))
}

/// The same for a duration that is always there.
pub(super) mod plain {
    use super::{Deserializer, Duration, Serializer};
    use serde::Deserialize as _;

    pub(in crate::plan) fn serialize<S: Serializer>(
        value: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(super::count(*value))
    }

    pub(in crate::plan) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        Ok(Duration::from_millis(u64::deserialize(deserializer)?))
    }
}

/// The same for a list.
pub(super) mod list {
    use super::{Deserializer, Duration, Serializer};
    use serde::{Deserialize as _, Serialize as _};

    #[expect(clippy::ptr_arg, reason = "serde passes a reference to the field")]
    pub(in crate::plan) fn serialize<S: Serializer>(
        values: &Vec<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let counts: Vec<u64> = values.iter().copied().map(super::count).collect();
        counts.serialize(serializer)
    }

    pub(in crate::plan) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Duration>, D::Error> {
        let counts = Vec::<u64>::deserialize(deserializer)?;
        Ok(counts.into_iter().map(Duration::from_millis).collect())
    }
}
