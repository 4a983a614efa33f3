//! Formats whose reading can run code.

use super::Family;
use crate::python::analysis::rules::Rule;

pub(super) const DESERIALIZE: Family = Family {
    calls: &[
        "pickle.load",
        "pickle.loads",
        "pickle.Unpickler",
        "marshal.load",
        "marshal.loads",
        "shelve.open",
        "dill.load",
        "dill.loads",
        "cloudpickle.load",
        "cloudpickle.loads",
        "joblib.load",
        "torch.load",
        "pandas.read_pickle",
        "yaml.unsafe_load",
        "yaml.unsafe_load_all",
        "jsonpickle.decode",
    ],
    ..Family::new(Rule::Deserialize)
};
