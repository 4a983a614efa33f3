//! Environments: found, built once, repaired, and what is said when they can't be.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde_json::json;
use stepwell::executor::local::LocalExecutor;
use stepwell::executor::{Environment, EnvironmentSpec, Executor as _, Job};
use stepwell::failure::Failure;

use crate::executor_rig::{Rig, options};

/// Writes a wheel of one module, so that no network is needed.
fn wheel(folder: &Path) {
    let script = "
import sys, zipfile
with zipfile.ZipFile(sys.argv[1] + '/stepwell_tiny-1.0-py3-none-any.whl', 'w') as wheel:
    wheel.writestr('stepwell_tiny.py', 'VALUE = 42')
    info = 'stepwell_tiny-1.0.dist-info/'
    wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: stepwell-tiny\\nVersion: 1.0\\n')
    wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    wheel.writestr(info + 'RECORD', '')
";
    let status = std::process::Command::new("python3")
        .args(["-c", script])
        .arg(folder)
        .status();
    assert!(status.is_ok_and(|status| status.success()));
}

/// What asks for that module, from that folder only.
fn tiny(folder: &Path) -> EnvironmentSpec {
    EnvironmentSpec {
        packages: vec!["stepwell-tiny==1.0".to_owned()],
        requirements: Some(format!("--no-index\n--find-links {}\n", folder.display())),
        python: None,
        container: None,
    }
}

/// An executor with the uv of the shared rig on its path, when there is one.
fn executor(data: &Path) -> LocalExecutor {
    let mut options = options(data);
    let uv = Rig::shared_data().join("tools/uv/bin");
    let path = options.inherited.get("PATH").cloned().unwrap_or_default();
    options
        .inherited
        .insert("PATH".to_owned(), format!("{}:{path}", uv.display()));
    options
        .inherited
        .insert("UV_HTTP_RETRIES".to_owned(), "0".to_owned());
    LocalExecutor::new(options)
}

fn has_byte_code(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with("stepwell_tiny.") && name.ends_with(".pyc")
            || path.is_dir() && !path.is_symlink() && has_byte_code(&path)
    })
}

async fn value_in(environment: Environment) -> serde_json::Value {
    let rig = Rig::new().await;
    let job = Job {
        environment,
        ..rig.job("import stepwell_tiny, sys\nresults = stepwell_tiny.VALUE")
    };
    rig.executor.execute(job).await.unwrap().results.unwrap()
}

async fn prepared(
    executor: &LocalExecutor,
    spec: &EnvironmentSpec,
) -> Result<Environment, Failure> {
    executor.prepare(spec, &|_| {}).await
}

#[tokio::test]
async fn two_builders_at_once_build_once_and_a_half_made_one_is_repaired() {
    let data = tempfile::tempdir().unwrap();
    wheel(data.path());
    let spec = tiny(data.path());
    let (one, two) = (executor(data.path()), executor(data.path()));
    let identity = one.identify(&spec).await.unwrap();
    assert!(
        identity.description.contains("stepwell-tiny==1.0"),
        "{}",
        identity.description
    );
    assert_eq!(two.identify(&spec).await.unwrap(), identity);
    // Somebody died in the middle of building it.
    let name = &identity.digest.hex()[..16];
    let folder = data.path().join("envs").join(name);
    std::fs::create_dir_all(folder.join("bin")).unwrap();
    std::fs::write(folder.join("bin/python"), "half").unwrap();

    let lines = Mutex::new(Vec::new());
    let hear = |line: &str| lines.lock().unwrap().push(line.to_owned());
    let (first, second) = tokio::join!(one.prepare(&spec, &hear), two.prepare(&spec, &hear));
    let environment = first.unwrap();
    assert_eq!(second.unwrap(), environment);
    assert_eq!(environment.digest, identity.digest);
    assert!(folder.join("ready.json").exists());
    let lines = lines.into_inner().unwrap();
    let waited = lines
        .iter()
        .filter(|line| line.contains("another process is building"))
        .count();
    assert_eq!(waited, 1, "{lines:#?}");
    assert_eq!(value_in(environment.clone()).await, json!(42));

    // Steps write no byte code, so it must be there already: else each of them compiles its libraries anew.
    assert!(has_byte_code(&folder), "the environment is compiled");
    // What is there is not built again: there is nothing to tell.
    let said = Mutex::new(0);
    let count = |_: &str| *said.lock().unwrap() += 1;
    assert_eq!(one.prepare(&spec, &count).await.unwrap(), environment);
    assert_eq!(said.into_inner().unwrap(), 0);
    // Other requirements, other environment.
    let other = EnvironmentSpec {
        packages: vec!["stepwell-tiny".to_owned()],
        ..spec
    };
    assert_ne!(one.identify(&other).await.unwrap().digest, identity.digest);
}

#[tokio::test]
async fn the_base_interpreter_is_no_shim_and_keeps_its_name() {
    let data = tempfile::tempdir().unwrap();
    let spec = EnvironmentSpec::default();
    let environment = prepared(&executor(data.path()), &spec).await.unwrap();
    assert!(
        !environment
            .interpreter
            .components()
            .any(|part| part.as_os_str() == "shims")
    );
    let again = executor(data.path()).identify(&spec).await.unwrap();
    assert_eq!(again.digest, environment.digest);
    let given = EnvironmentSpec {
        python: Some(environment.interpreter.clone()),
        ..spec
    };
    assert_eq!(
        prepared(&executor(data.path()), &given)
            .await
            .unwrap()
            .digest,
        environment.digest
    );
}

async fn check(executor: &LocalExecutor, spec: EnvironmentSpec, code: &str, piece: &str) {
    let failure = prepared(executor, &spec).await.expect_err(code);
    assert_eq!(failure.code, code, "{spec:?}: {failure:#?}");
    assert!(failure.message.contains(piece), "{}", failure.message);
    assert!(failure.hint.is_some());
}

#[tokio::test]
async fn every_fault_of_requirements_has_its_own_code() {
    let data = tempfile::tempdir().unwrap();
    wheel(data.path());
    let executor = executor(data.path());
    for (line, code, piece) in [
        (
            "stepwell-no-such-thing",
            "environment_package_missing",
            "stepwell-no-such-thing",
        ),
        (
            "stepwell-tiny==2.0",
            "environment_package_missing",
            "stepwell-tiny",
        ),
        ("stepwell-tiny==", "requirements_invalid", "stepwell-tiny=="),
        ("--index-url x", "requirements_invalid", "--index-url"),
        ("-e .", "requirements_invalid", "-e ."),
    ] {
        let spec = EnvironmentSpec {
            packages: vec![line.to_owned()],
            ..tiny(data.path())
        };
        check(&executor, spec, code, piece).await;
    }
    for (text, code, piece) in [
        ("-r other.txt", "requirements_invalid", "another file"),
        (
            "--index-url http://127.0.0.1:9/simple\nsix",
            "environment_offline",
            "127.0.0.1",
        ),
    ] {
        let spec = EnvironmentSpec {
            requirements: Some(text.to_owned()),
            ..EnvironmentSpec::default()
        };
        check(&executor, spec, code, piece).await;
    }
}

#[tokio::test]
async fn every_fault_of_interpreters_and_folders_has_its_own_code() {
    let data = tempfile::tempdir().unwrap();
    let good = executor(data.path());
    for (path, piece) in [
        ("/nowhere/venv", "/nowhere/venv"),
        ("/bin/false", "did not answer"),
        ("/tmp", "/tmp"),
    ] {
        let spec = EnvironmentSpec {
            python: Some(PathBuf::from(path)),
            ..EnvironmentSpec::default()
        };
        check(&good, spec, "python_env_path_invalid", piece).await;
    }
    let mut options = options(data.path());
    options
        .inherited
        .insert("PATH".to_owned(), "/nowhere".to_owned());
    let lost = LocalExecutor::new(options);
    check(
        &lost,
        EnvironmentSpec::default(),
        "python_missing",
        "no python3 on PATH",
    )
    .await;
    let file = data.path().join("file");
    std::fs::write(&file, "").unwrap();
    check(
        &executor(&file),
        tiny(data.path()),
        "environment_disk",
        "file/envs",
    )
    .await;
}
