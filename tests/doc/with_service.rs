// Around the examples of the documentation: a service in a folder of its own, which is gone afterwards.

/// Has `run` open a service by this text of a `config.yml`, and the recorded `answers` of a generator when there are any.
fn with_options(
    config: &str,
    answers: &str,
    run: impl AsyncFnOnce(stepwell::OpenOptions) -> Result<(), stepwell::PythonExecutorError>,
) -> std::process::ExitCode {
    // This program is started again to watch over the processes of steps.
    if let Some(done) = stepwell::executor::local::helper() {
        return done;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut config = config.to_owned();
    if !answers.is_empty() {
        let file = folder.path().join("answers.md");
        std::fs::write(&file, answers).unwrap();
        config += &format!(
            "generators: {{recorded: {{provider: scripted, file: {file:?}}}}}\ndefault_generator: recorded\n"
        );
    }
    let options = stepwell::OpenOptions::new(folder.path().join("data"))
        .person("ada")
        .config_text(config);
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        run(options).await.unwrap();
    });
    std::process::ExitCode::SUCCESS
}

/// The same with a service that is open.
#[allow(dead_code, reason = "an example may open its own")]
fn with_service(
    config: &str,
    answers: &str,
    run: impl AsyncFnOnce(stepwell::PythonExecutorService) -> Result<(), stepwell::PythonExecutorError>,
) -> std::process::ExitCode {
    with_options(config, answers, async |options| {
        run(stepwell::PythonExecutorService::open(options).await.unwrap()).await
    })
}
