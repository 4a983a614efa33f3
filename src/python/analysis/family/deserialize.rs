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
        "pandas.read_pickle",
        "yaml.unsafe_load",
        "yaml.unsafe_load_all",
        "jsonpickle.decode",
        "yaml.full_load",
        "yaml.full_load_all",
        "ruamel.yaml.load",
        "ruamel.yaml.unsafe_load",
        "shelve.Shelf",
        "shelve.DbfilenameShelf",
        "dill.load_session",
        "dill.load_module",
        "dill.Unpickler",
        "pickle5.load",
        "pickle5.loads",
        "compress_pickle.load",
        "hickle.load",
        "sklearn.externals.joblib.load",
        "keras.models.load_model",
        "tensorflow.keras.models.load_model",
        "torch.hub.load",
        "numpy.lib.npyio.load",
    ],
    ..Family::new(Rule::Deserialize)
};
