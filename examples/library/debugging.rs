// What is in force, for whoever looks for a fault.

use serde_json::{Value, json};
use stepwell::PythonExecutorService;

pub(crate) fn introspect(service: &PythonExecutorService) -> Value {
    let policy = &service.config().approval;
    json!({
        "python approval enabled": policy.python.enabled,
        "write_access asks always": policy.write_access.requires_approval,
    })
}
