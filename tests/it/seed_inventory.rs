//! The inventory of the seed, row by row, with the tests in which each row is seen to work. The rows of its checklist
//! and of its troubleshooting are walked through by `checklist` besides; that of the server and its pages comes with it.

use std::collections::BTreeMap;
use std::path::Path;

/// Number, what it is about, and the tests: `module::name` of this suite, or the file below `src` and the name.
const ROWS: &[(u32, &str, &str)] = &[
    (
        1,
        "one entry point with a typed outcome",
        "seed_examples::a_call_ends_in_one_of_four_ways service::a_no_is_an_outcome_of_its_own",
    ),
    (
        2,
        "a call that can be awaited and survives a restart",
        "service::a_write_waits_over_a_restart_and_runs_once_when_it_is_approved cli_exec::a_write_waits_is_answered_elsewhere_and_is_found_by_its_name",
    ),
    (
        3,
        "the fields of a request",
        "service::a_request_with_code_gives_everything_that_it_left service::a_folder_that_is_there_gives_modules_and_files seed_behaviour::approved_code_is_what_runs_and_is_analysed_all_the_same seed_behaviour::so_many_generations_as_asked_for_and_the_reason_is_told",
    ),
    (
        4,
        "reuse from another component",
        "service::another_component_reads_what_it_knows seed_examples::a_capability_reads_and_answers_by_the_names_it_knows",
    ),
    (
        5,
        "kinds of steps of one's own",
        "own_actions::an_action_is_told_what_is_written_and_what_it_gives_is_checked_and_read own_actions::an_interrupted_write_asks_a_person_and_is_not_made_again_by_itself",
    ),
    (
        6,
        "state between steps",
        "engine::the_state_at_an_event_is_the_state_then cli_look::the_history_is_shown_and_any_moment_of_it",
    ),
    (
        7,
        "typed data under keys",
        "service/context::two_values_of_one_type_stand_beside_each_other service/context::what_does_not_fit_the_type_is_an_error executor_local::context_is_read_by_attribute_and_by_key_and_keys_win",
    ),
    (
        8,
        "what a prompt is made of",
        "generator/prompt::values_of_inputs_are_never_told generator/prompt::the_identity_follows_every_word",
    ),
    (
        9,
        "`is_successful`, `PYTHON_RESULTS`, `error`",
        "service::another_component_reads_what_it_knows seed_behaviour::the_calls_of_the_seed_are_honoured_as_written",
    ),
    (
        10,
        "the fields of the results",
        "service::a_request_with_code_gives_everything_that_it_left seed_behaviour::figures_are_found_and_their_paths_are_absolute",
    ),
    (
        11,
        "what an ability hands back",
        "seed_examples::a_capability_reads_and_answers_by_the_names_it_knows machine::rule_06_declared_outputs_are_checked_and_a_missing_one_fails_the_step",
    ),
    (
        12,
        "resume with an answer",
        "cli_approve::the_printed_command_answers_from_another_process machine::an_answer_is_idempotent_a_late_one_is_refused_and_a_no_needs_a_reason edits::approve_with_a_file_runs_that_code",
    ),
    (
        13,
        "`execution_result.success` and `.results`",
        "seed_behaviour::the_calls_of_the_seed_are_honoured_as_written",
    ),
    (
        14,
        "an error of the code, with its lines",
        "service::code_that_fails_keeps_its_class_its_lines_and_its_place executor_local::a_traceback_has_the_users_frames_lines_and_name_only",
    ),
    (
        15,
        "categories of failures decide what follows",
        "generator_engine::what_a_policy_or_a_guard_refused_is_never_written_anew machine::rule_08_without_a_policy_only_the_surroundings_are_tried_again_and_a_write_never seed_behaviour::words_in_a_message_decide_nothing",
    ),
    (
        16,
        "the unexpected keeps its cause",
        "seed_behaviour::a_container_that_nobody_answers_at_is_a_class_of_its_own review::a_write_whose_task_died_in_the_engine_is_asked_about",
    ),
    (
        17,
        "hooks on success and failure",
        "handlers::rule_16_the_specific_handler_runs_first_then_finish_and_the_result_stands handlers::a_handler_sees_what_failed_and_where",
    ),
    (
        18,
        "checkpoints and interrupts",
        "crash::every_workflow_ends_the_same_whatever_event_it_crashes_after process_kill::a_hundred_kills_at_random_moments",
    ),
    (
        19,
        "`thread_id`",
        "service::one_name_is_one_request_and_one_run_whoever_calls service/thread::of_many_at_once_one_gets_the_name",
    ),
    (
        20,
        "spellings of the mode",
        "plan/mode::both_spellings_are_read_and_one_is_kept service/check::an_unknown_mode_is_refused_before_everything_else",
    ),
    (
        21,
        "a limit of time that ends the whole family",
        "executor_processes::a_time_out_ends_the_whole_family_and_keeps_what_there_is executor_conformance::a_time_out_ends_the_whole_tree_and_keeps_what_was_there",
    ),
    (
        22,
        "where a step runs, by step, file and deployment",
        "executor_jupyter::a_workflow_runs_in_containers_by_the_rules_and_says_why",
    ),
    (
        23,
        "two back ends, one shape",
        "executor_conformance::every_script_leaves_the_same_wherever_it_runs executor_conformance::every_end_has_the_same_code_but_for_the_differences_that_are_told",
    ),
    (
        24,
        "`allows_writes`, `requires_approval`, kernels by mode",
        "seed_regressions::the_switch_against_writes_holds_on_every_way_to_run_code approval/policy/tests::every_combination_answers_as_the_page_says executor_jupyter::every_mode_has_its_kernel_and_no_token_of_the_server",
    ),
    (
        25,
        "kernels are checked before they are asked for",
        "executor_jupyter::every_way_not_to_get_through_has_its_own_code executor_jupyter::the_probes_of_a_server_tell_which_link_is_broken",
    ),
    (
        26,
        "the keys of the endpoint",
        "config::containers_are_read_for_each_mode config/container::the_address_is_put_together",
    ),
    (
        27,
        "the interpreter, with variables",
        "config::variables_are_expanded_and_read_again executor_environment::every_fault_of_interpreters_and_folders_has_its_own_code",
    ),
    (
        28,
        "`global_mode`",
        "approval/policy/tests::every_combination_answers_as_the_page_says",
    ),
    (
        29,
        "the policy of Python",
        "approval/policy/tests::the_seed_spells_control_writes_otherwise cli_look::the_configuration_in_force_is_shown_without_values_of_the_environment",
    ),
    (
        30,
        "flexible environments",
        "executor_conformance::every_notebook_leaves_the_same_wherever_it_runs executor_environment::two_builders_at_once_build_once_and_a_half_made_one_is_repaired",
    ),
    (
        31,
        "notebooks with outputs",
        "notebook_validate::jupyter_accepts_every_notebook_and_would_write_the_same_bytes notebook_rerun::the_notebooks_of_the_quickstart_give_the_same_results_again",
    ),
    (
        32,
        "what the person sees",
        "seed_behaviour::the_person_sees_everything bounds::a_question_lists_what_bounds_the_code analysis_cli::a_question_shows_the_change_since_the_last_approval",
    ),
    (
        33,
        "flow control by exceptions",
        "seed_examples::seed_local_and_seed_error_handling",
    ),
    (
        34,
        "a pipeline of stages",
        "seed_examples::stages_are_a_pipeline",
    ),
    (
        35,
        "code that a model writes",
        "generator_wire::every_protocol_is_spoken_and_understood generator_engine::code_is_written_recorded_and_run_and_values_are_never_told generator/extract::one_block_is_the_code_whatever_is_said_around_it",
    ),
    (
        36,
        "rules of the analysis",
        "analysis_corpus::the_published_figures_are_true python/analysis/tests::a_rule_that_is_off_finds_nothing_and_a_stricter_one_blocks seed_behaviour::harmless_names_ask_nobody",
    ),
    (
        37,
        "approval in the pipeline",
        "seed_examples::a_write_is_approved",
    ),
    (
        38,
        "one way to collect results",
        "executor_sizes::values_without_room_become_the_same_files_everywhere",
    ),
    (
        39,
        "notebooks in the pipeline",
        "notebook_container::a_run_in_containers_leaves_the_notebooks_and_artifacts_of_this_machine",
    ),
    (
        40,
        "artifacts",
        "keeping::files_that_fit_a_pattern_are_kept_and_a_pattern_that_fits_nothing_is_told retention::files_go_step_by_step_and_what_happened_stays service/view::links_open_whatever_the_folder_is_called artifact/preview::pictures_tell_their_size",
    ),
    (
        41,
        "which environment",
        "plan/execution::the_usual_rules_are_the_truth_table seed_examples::an_environment_is_chosen_by_the_table",
    ),
    (
        42,
        "strategies",
        "plan/execution::the_decision_names_its_rule",
    ),
    (
        43,
        "limits of memory",
        "hostile::memory_is_bounded_in_one_process_and_in_all_together",
    ),
    (
        44,
        "stage 1 hands its results to stage 2",
        "service::stages_hand_results_on_and_a_finished_stage_is_not_run_again",
    ),
    (
        45,
        "going on from a checkpoint",
        "process_points::at_every_point_of_an_attempt engine::an_attempt_that_finished_while_nobody_watched_is_adopted_not_repeated",
    ),
    (
        46,
        "branches by a score",
        "seed_examples::a_score_decides workflow_compile::the_arms_of_adaptive_are_nested_and_wait_for_what_they_read",
    ),
    (
        47,
        "a score of the data",
        "orbit_study::a_poor_day_takes_the_other_arms_and_a_no_leaves_the_machine_alone",
    ),
    (
        48,
        "the three acceptance tests",
        "seed_behaviour::seed_container seed_examples::seed_local_and_seed_error_handling self_test::it_passes_on_this_machine_and_leaves_nothing self_test::a_real_server_passes_with_and_without_a_shared_folder",
    ),
    (
        49,
        "endpoints are looked at",
        "executor_jupyter::the_probes_of_a_server_tell_which_link_is_broken",
    ),
    (
        50,
        "environments are looked at",
        "truth_surroundings::a_configured_python_that_is_none_is_named checklist::every_command_of_the_page_says_what_the_page_shows",
    ),
    (
        51,
        "the policy in force is told",
        "seed_examples::what_is_in_force_is_told",
    ),
    (
        52,
        "every failure has its page and its test",
        "catalogue::every_code_of_the_catalogue_is_seen_in_a_test cli_errors::every_page_can_be_read_and_every_code_is_listed",
    ),
    (
        53,
        "times and limits",
        "hostile::processor_time_is_bounded_over_all_processes hostile::the_disk_and_open_files_are_bounded",
    ),
    (
        54,
        "notebooks open without Jupyter",
        "notebook_validate::a_page_made_from_a_hostile_notebook_runs_no_script_of_it python/notebook/html/tests::text_streams_tables_and_pictures_are_shown",
    ),
    (
        55,
        "a service that is not there",
        "service::without_code_and_without_a_generator_the_answer_is_clear",
    ),
    (
        56,
        "each broken link of a container has its code",
        "executor_jupyter::every_way_not_to_get_through_has_its_own_code",
    ),
    (
        57,
        "why nobody was asked",
        "cli_explain::attempts_and_the_line_of_the_policy_are_told",
    ),
    (
        58,
        "notebooks that can't be opened",
        "cli_look::doctor_looks_at_limits_secrets_and_notebooks",
    ),
    (
        59,
        "logs of a part, with the run",
        "checklist::lines_of_every_part_name_their_run_and_parts_are_filtered cli_errors::logging_goes_to_standard_error_and_names_the_run",
    ),
    (
        60,
        "what is in force",
        "cli_look::the_configuration_in_force_is_shown_without_values_of_the_environment",
    ),
    (
        61,
        "containers to deploy, one inbox of questions",
        "deploy::the_compose_file_and_the_configuration_fit_each_other",
    ),
    (
        62,
        "a log that proves itself",
        "store_damage::damage_after_a_kill_is_never_silent run/record::every_field_changes_the_hash cli_look::a_sound_folder_is_verified_and_a_damaged_one_is_found",
    ),
    (
        63,
        "schedules, chains, going on after a yes",
        "schedule::rule_18_missed_slots_are_caught_up_as_the_schedule_says schedule::slots_go_forward_match_the_wall_and_are_never_the_same_twice process_write::a_write_that_outlives_its_engine_is_adopted",
    ),
];

/// Whether the file has a test of that name: a function behind an attribute that makes it one.
fn has_test(file: &str, name: &str) -> bool {
    let lines: Vec<&str> = file.lines().map(str::trim).collect();
    let is_it = |line: &str| {
        let line = line.trim_start_matches("async ");
        line.strip_prefix("fn ")
            .and_then(|rest| rest.strip_prefix(name))
            .is_some_and(|rest| rest.starts_with('('))
    };
    let before = |at: usize| {
        let above = lines.get(..at).unwrap_or_default().iter().rev();
        above
            .take_while(|line| line.starts_with('#') || line.starts_with("//"))
            .any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
    };
    lines
        .iter()
        .enumerate()
        .any(|(at, line)| is_it(line) && before(at))
}

#[test]
fn every_row_of_the_inventory_has_tests_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = BTreeMap::new();
    let mut faults = Vec::new();
    for (number, about, tests) in ROWS {
        for test in tests.split(' ') {
            let (place, name) = test.split_once("::").unwrap();
            let file = files.entry(place).or_insert_with(|| {
                let of_suite = root.join(format!("tests/it/{place}.rs"));
                let of_room = root.join(format!("src/{place}.rs"));
                std::fs::read_to_string(of_suite).or_else(|_| std::fs::read_to_string(of_room))
            });
            match file {
                Ok(text) if has_test(text, name) => {}
                Ok(_) => faults.push(format!(
                    "row {number} ({about}): {place} has no test `{name}`"
                )),
                Err(error) => faults.push(format!("row {number} ({about}): {place}: {error}")),
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let numbers: Vec<u32> = ROWS.iter().map(|(number, ..)| *number).collect();
    assert_eq!(numbers, (1..=63).collect::<Vec<u32>>());
}
