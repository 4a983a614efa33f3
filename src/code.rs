//! The table of every code that a person or a program may meet: in diagnostics, in failures, in refusals.
//!
//! A code is a word that never changes its meaning. Each has a page in `docs/errors/`, compiled into the
//! binary and printed by `stepwell explain CODE`. Add a code here and its page there; the compiler checks
//! that the page exists, a test that it says what to do.

use std::fmt;

use serde::Serialize;

/// One code of the table, for example `unknown_key`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Code(&'static str);

impl Code {
    /// The word itself, as printed between the brackets of `error[…]`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// The page of the error catalogue, in Markdown.
    #[must_use]
    pub fn page(self) -> &'static str {
        ALL.iter()
            .find(|entry| entry.code == self)
            .map_or("", |entry| entry.page)
    }

    /// Finds a code by its word.
    #[must_use]
    pub fn find(word: &str) -> Option<Self> {
        ALL.iter()
            .find(|entry| entry.code.0 == word)
            .map(|entry| entry.code)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// A code with its page.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The code.
    pub code: Code,
    /// Its page of `docs/errors/`.
    pub page: &'static str,
}

macro_rules! codes {
    ($($name:ident = $word:literal),* $(,)?) => {
        $(
            #[doc = concat!("`", $word, "`: see `docs/errors/", $word, ".md`.")]
            pub const $name: Code = Code($word);
        )*
        /// Every code, in the order of the table.
        pub const ALL: &[Entry] = &[
            $(Entry { code: Code($word), page: include_str!(concat!("../docs/errors/", $word, ".md")) }),*
        ];
    };
}

codes! {
    // -- expressions (src/expression) --
    EXPRESSION_SYNTAX = "expression_syntax",
    EXPRESSION_NOT_ALLOWED = "expression_not_allowed",
    EXPRESSION_TOO_LARGE = "expression_too_large",
    EXPRESSION_TYPE = "expression_type",
    EXPRESSION_VALUE = "expression_value",
    EXPRESSION_MISSING_KEY = "expression_missing_key",
    EXPRESSION_ABSENT = "expression_absent",
    EXPRESSION_UNKNOWN_NAME = "expression_unknown_name",
    EXPRESSION_UNKNOWN_FUNCTION = "expression_unknown_function",
    EXPRESSION_ARGUMENTS = "expression_arguments",

    // -- YAML and workflow documents (src/workflow) --
    YAML_SYNTAX = "yaml_syntax",
    YAML_LIMIT = "yaml_limit",
    YAML_ENCODING = "yaml_encoding",
    YAML_TAB = "yaml_tab",
    YAML_TAG = "yaml_tag",
    YAML_ANCHOR = "yaml_anchor",
    YAML_DOCUMENTS = "yaml_documents",
    YAML_NUMBER = "yaml_number",
    DUPLICATE_KEY = "duplicate_key",
    MORE_ERRORS = "more_errors",
    UNKNOWN_KEY = "unknown_key",
    NOT_SUPPORTED_YET = "not_supported_yet",
    MISSING_KEY = "missing_key",
    WRONG_TYPE = "wrong_type",
    BAD_VALUE = "bad_value",
    USELESS_KEY = "useless_key",
    CONFLICTING_KEYS = "conflicting_keys",
    UNSUPPORTED_VERSION = "unsupported_version",
    BAD_ID = "bad_id",
    DUPLICATE_ID = "duplicate_id",
    STEP_KIND = "step_kind",
    ACTION_UNKNOWN = "action_unknown",
    ACTION_MODE = "action_mode",
    ACTION_FAILED = "action_failed",
    TOO_MANY_STEPS = "too_many_steps",
    UNKNOWN_STEP = "unknown_step",
    STEP_OUT_OF_REACH = "step_out_of_reach",
    SELF_REFERENCE = "self_reference",
    CYCLE = "cycle",
    UNKNOWN_NAME = "unknown_name",
    UNKNOWN_FIELD = "unknown_field",
    UNKNOWN_INPUT = "unknown_input",
    UNKNOWN_OUTPUT = "unknown_output",
    SWITCH_ARM = "switch_arm",
    SWITCH_WITHOUT_ELSE = "switch_without_else",
    SWITCH_OUTPUT_GAP = "switch_output_gap",
    NAME_TAKEN = "name_taken",
    FOREACH_KEY = "foreach_key",
    FOREACH_EMPTY = "foreach_empty",
    NO_NOTEBOOK = "no_notebook",
    HANDLER_ASKS = "handler_asks",
    WORKFLOW_CIRCLE = "workflow_circle",
    WORKFLOW_DEPTH = "workflow_depth",
    CHILD_REFUSED = "child_refused",
    BAD_CONDITION = "bad_condition",
    BAD_FILE = "bad_file",
    FILE_OUTSIDE = "file_outside",
    PYTHON_SYNTAX = "python_syntax",
    MISSING_INPUT = "missing_input",
    SECRET_NOT_ALLOWED = "secret_not_allowed",
    SECRET_EXPRESSION = "secret_expression",
    UNKNOWN_SECRET = "unknown_secret",
    UNUSED_SECRET = "unused_secret",
    SECRET_MISSING = "secret_missing",
    SECRET_INVALID = "secret_invalid",
    SCHEDULE_WITHOUT_TIMEZONE = "schedule_without_timezone",
    REWIND_TARGET = "rewind_target",

    // -- config.yml (src/config) --
    UNSET_VARIABLE = "unset_variable",

    // -- Python analysis and policy (src/python, src/approval) --
    CODE_UNREADABLE = "code_unreadable",
    CODE_REFUSED = "code_refused",
    WRITE_IN_READ_ONLY = "write_in_read_only",
    WRITE_OUTSIDE_RUN_FOLDER = "write_outside_run_folder",

    // -- store and artifacts (src/store, src/artifact) --
    STORE_LOCKED = "store_locked",
    RUN_DRIVEN = "run_driven",
    STORE_DAMAGED = "store_damaged",
    STORE_NEWER = "store_newer",
    STORE_CORRUPT = "store_corrupt",
    STORE_READ_ONLY = "store_read_only",
    DISK_FULL = "disk_full",
    STORE_IO = "store_io",
    STORE_CLOSED = "store_closed",
    STORE_CONFLICT = "store_conflict",
    STORE_FENCED = "store_fenced",
    STORE_TOO_LARGE = "store_too_large",
    STORE_MISUSE = "store_misuse",
    ARTIFACT_DAMAGED = "artifact_damaged",
    ARTIFACT_TOO_LARGE = "artifact_too_large",

    // -- executor and environments (src/executor) --
    PYTHON_EXCEPTION = "python_exception",
    PYTHON_SYNTAX_ERROR = "python_syntax_error",
    MODULE_MISSING = "module_missing",
    EXIT_STATUS = "exit_status",
    EXITED_EARLY = "exited_early",
    CRASHED = "crashed",
    KILLED = "killed",
    CPU_TIME_EXCEEDED = "cpu_time_exceeded",
    PROCESSES_EXCEEDED = "processes_exceeded",
    OPEN_FILES_EXCEEDED = "open_files_exceeded",
    DISK_EXCEEDED = "disk_exceeded",
    WRITE_REFUSED = "write_refused",
    CHANNEL_LIMIT = "channel_limit",
    CHANNEL_NOT_LISTED = "channel_not_listed",
    LIMITS_UNAVAILABLE = "limits_unavailable",
    READBACK_DIFFERS = "readback_differs",
    ATTEMPT_TAMPERED = "attempt_tampered",
    ISOLATION_MISSING = "isolation_missing",
    MEMORY_EXCEEDED = "memory_exceeded",
    TIMED_OUT = "timed_out",
    CANCELLED = "cancelled",
    RESULTS_NOT_FINITE = "results_not_finite",
    RESULTS_KEY = "results_key",
    RESULTS_CYCLE = "results_cycle",
    RESULTS_TOO_DEEP = "results_too_deep",
    RESULTS_TOO_LARGE = "results_too_large",
    RESULTS_INT_RANGE = "results_int_range",
    RESULTS_UNSUPPORTED = "results_unsupported",
    RESULTS_INVALID = "results_invalid",
    FILES_TOO_LARGE = "files_too_large",
    SPAWN_FAILED = "spawn_failed",
    INTERPRETER_FAILED = "interpreter_failed",
    ATTEMPT_FOLDER = "attempt_folder",
    SUPERVISOR_LOST = "supervisor_lost",
    // -- containers (src/executor/jupyter) --
    JUPYTER_UNAUTHORIZED = "jupyter_unauthorized",
    JUPYTER_ANSWER = "jupyter_answer",
    KERNELSPEC_MISSING = "kernelspec_missing",
    KERNEL_NOT_STARTED = "kernel_not_started",
    KERNEL_DIED = "kernel_died",
    KERNEL_PACKAGES = "kernel_packages",
    WEBSOCKET_REFUSED = "websocket_refused",
    WEBSOCKET_CLOSED = "websocket_closed",
    SHARED_FOLDER = "shared_folder",
    KILL_FAILED = "kill_failed",
    PYTHON_MISSING = "python_missing",
    PYTHON_ENV_PATH_INVALID = "python_env_path_invalid",
    ENVIRONMENT_PACKAGE_MISSING = "environment_package_missing",
    ENVIRONMENT_OFFLINE = "environment_offline",
    ENVIRONMENT_DISK = "environment_disk",
    ENVIRONMENT_FAILED = "environment_failed",
    REQUIREMENTS_INVALID = "requirements_invalid",

    // -- the way out (src/transport) --
    REQUEST_INVALID = "request_invalid",
    HOST_UNKNOWN = "host_unknown",
    CONNECTION_REFUSED = "connection_refused",
    CONNECTION_FAILED = "connection_failed",
    TLS_FAILED = "tls_failed",
    REQUEST_TIMED_OUT = "request_timed_out",
    BODY_TOO_LARGE = "body_too_large",
    REDIRECT_REFUSED = "redirect_refused",
    HTTP_STATUS = "http_status",
    MAIL_REFUSED = "mail_refused",

    // -- runs and the engine (src/run, src/engine) --
    RUN_ENDED = "run_ended",
    RUN_NOT_ENDED = "run_not_ended",
    NOTHING_AGAIN = "nothing_again",
    PLAN_DIFFERS = "plan_differs",
    STALE_COMMAND = "stale_command",
    UNKNOWN_RUN = "unknown_run",
    UNKNOWN_EVENT = "unknown_event",
    UNKNOWN_APPROVAL = "unknown_approval",
    ALREADY_DECIDED = "already_decided",
    APPROVAL_CHANGED = "approval_changed",
    FORM_INVALID = "form_invalid",
    EDIT_REFUSED = "edit_refused",
    COMMENT_MISSING = "comment_missing",
    NOT_A_REVIEWER = "not_a_reviewer",
    SELF_APPROVAL = "self_approval",
    NO_CHANGES_HERE = "no_changes_here",
    APPROVAL_EXPIRED = "approval_expired",
    BAD_OUTPUT = "bad_output",
    CONDITION_NOT_BOOL = "condition_not_bool",
    DECLARED = "declared",
    FOREACH_NOT_A_LIST = "foreach_not_a_list",
    TOO_MANY_ITEMS = "too_many_items",
    BAD_ITEM_KEY = "bad_item_key",
    UNTIL_EXHAUSTED = "until_exhausted",
    DEADLINE_EXCEEDED = "deadline_exceeded",
    RUN_TIMEOUT = "run_timeout",
    SIGNAL_TIMEOUT = "signal_timeout",
    UNKNOWN_SIGNAL = "unknown_signal",
    BAD_SIGNAL = "bad_signal",
    ATTEMPT_INTERRUPTED = "attempt_interrupted",
    OUTCOME_UNKNOWN = "outcome_unknown",
    REJECTED = "rejected",
    UNKNOWN_CHANNEL = "unknown_channel",
    UNKNOWN_ROLE = "unknown_role",
    HANDLER_TIMED_OUT = "handler_timed_out",
    HISTORY_UNREADABLE = "history_unreadable",
    INTERNAL = "internal",

    // -- the service interface (src/service) --
    THREAD_TAKEN = "thread_taken",
    THREAD_GONE = "thread_gone",
    UNKNOWN_THREAD = "unknown_thread",
    PROGRAM_MISSING = "program_missing",
    NO_GENERATOR = "no_generator",

    // -- generators (src/generator, src/engine/generate) --
    GENERATION_NO_CODE = "generation_no_code",
    GENERATION_CUT_OFF = "generation_cut_off",
    GENERATION_REFUSED = "generation_refused",
    GENERATION_NO_RESULTS = "generation_no_results",
    GENERATION_BUDGET = "generation_budget",
    GENERATION_LEDGER = "generation_ledger",
    GENERATOR_ANSWER_INVALID = "generator_answer_invalid",
    GENERATOR_BUSY = "generator_busy",
    GENERATOR_COMMAND = "generator_command",
    GENERATOR_KEY_MISSING = "generator_key_missing",
    GENERATOR_KEY_REFUSED = "generator_key_refused",
    GENERATOR_QUOTA = "generator_quota",
    GENERATOR_REFUSED = "generator_refused",
    GENERATOR_SCRIPT = "generator_script",
    GENERATOR_STREAM_CUT = "generator_stream_cut",
    PROMPT_TOO_LONG = "prompt_too_long",
    UNKNOWN_GENERATOR = "unknown_generator",

    // -- the command line (src/cli) --
    USAGE = "usage",
    NOT_CONFIRMED = "not_confirmed",
    UNKNOWN_CODE = "unknown_code",
    AMBIGUOUS_RUN = "ambiguous_run",
    AMBIGUOUS_APPROVAL = "ambiguous_approval",
    NO_OPEN_APPROVAL = "no_open_approval",
    NOTHING_RECORDED = "nothing_recorded",
    FILES_REMOVED = "files_removed",
    FILE_UNREADABLE = "file_unreadable",
    FILE_UNWRITABLE = "file_unwritable",
    INPUTS_UNREADABLE = "inputs_unreadable",
    INPUT_FILE_MISSING = "input_file_missing",
    MOCKED_FAILURE = "mocked_failure",
    UNKNOWN_CASE = "unknown_case",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_unique_and_every_page_says_what_to_do() {
        let mut seen = std::collections::BTreeSet::new();
        for entry in ALL {
            assert!(
                seen.insert(entry.code.as_str()),
                "{} stands twice in the table",
                entry.code
            );
            assert!(
                entry.page.starts_with(&format!("# {}\n", entry.code)),
                "docs/errors/{}.md must start with its own name as the title",
                entry.code
            );
            assert!(
                entry.page.contains("## What to do"),
                "docs/errors/{}.md has no section `What to do`",
                entry.code
            );
        }
    }
}
