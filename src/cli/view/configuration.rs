//! The configuration in force, by the keys of the file. Secrets stand in it by reference only.

use serde_json::{Map, Value, json};

use crate::approval::ModePolicy;
use crate::config::{
    Config, Container, Execution, Generator, GeneratorKind, Local, ModeSettings, Writable,
    WriteLimits,
};
use crate::expression::format_duration;
use crate::generator::key::KeySource;
use crate::plan::{Method, SelectRule};

/// All of it.
pub(in crate::cli) fn document(config: &Config) -> Value {
    let policy = &config.approval;
    let roles = config.roles.names();
    json!({
        "execution": execution(config),
        "approval": {
            "global_mode": policy.global_mode,
            "allow_self": config.allow_self,
            "capabilities": {"python_execution": {
                "enabled": policy.python.enabled,
                "mode": policy.python.mode,
            }},
        },
        "analysis": config.analysis,
        "engine": {"steps_at_once": config.engine.steps_at_once},
        "limits": config.limits,
        "generators": config.generators.by_name.iter()
            .map(|(name, made)| (name.clone(), generator(made)))
            .collect::<Map<_, _>>(),
        "default_generator": config.generators.default,
        "control_system": {"write_limits": config.write_limits.as_ref().map(write_limits)},
        "channels": config.channels.keys().collect::<Vec<_>>(),
        "people": {"roles": roles
            .map(|role| (role.to_owned(), json!(config.roles.people(role).collect::<Vec<_>>())))
            .collect::<Map<_, _>>()},
        "notifications": {"base_url": config.base_url},
    })
}

fn execution(config: &Config) -> Value {
    let policy = &config.approval;
    let execution = &config.execution;
    let modes = &execution.modes;
    json!({
        "execution_method": execution.method,
        "select": execution.select.iter().map(rule).collect::<Vec<_>>(),
        "modes": {
            "read_only": mode(&modes.read_only, &policy.read_only),
            "write_access": mode(&modes.write_access, &policy.write_access),
        },
        "container": with_time(container(&execution.container), execution),
        "local": local(&execution.local),
    })
}

fn with_time(mut container: Value, execution: &Execution) -> Value {
    if let Some(fields) = container.as_object_mut() {
        let time = format_duration(execution.container_timeout);
        fields.insert("execution_timeout".to_owned(), json!(time));
    }
    container
}

fn rule(rule: &SelectRule) -> Value {
    let words = Method::WORDS.into_iter();
    let mut used = words.filter(|(_, method)| *method == rule.method);
    json!({
        "when": rule.when.as_ref().map(|when| when.source().to_owned()),
        "use": used.next().map(|(word, _)| word),
    })
}

fn mode(settings: &ModeSettings, policy: &ModePolicy) -> Value {
    json!({
        "allows_writes": policy.allows_writes,
        "requires_approval": policy.requires_approval,
        "description": settings.description,
        "environment": settings.environment.keys().collect::<Vec<_>>(),
        "network": settings.network,
        "writable": settings.writable.as_ref().map(|writable| match writable {
            Writable::Everywhere => json!("everywhere"),
            Writable::Folders(folders) => json!(folders),
        }),
        "gateway": settings.gateway.as_ref().map(|gateway| json!({
            "address": gateway.address,
            "port": gateway.port,
            "use_name_server": gateway.use_name_server,
        })),
        "kernel_name": settings.kernel_name,
        "container": container(&settings.container),
    })
}

fn container(container: &Container) -> Value {
    json!({
        "jupyter_host": container.host,
        "jupyter_port": container.port,
        "use_https": container.use_https,
        "base_url": container.base_url,
        "token_env": container.token_env,
        "token_file": container.token_file,
        "ca_file": container.ca_file,
        "shared_folder": container.shared_folder,
        "transfer": container.transfer_bytes_max,
        "start_timeout": container.start_timeout.map(format_duration),
        "kernel_env": container.kernel_env.keys().collect::<Vec<_>>(),
    })
}

fn local(local: &Local) -> Value {
    let warm = &local.warm;
    json!({
        "python_env_path": local.python_env_path,
        "execution_timeout": format_duration(local.execution_timeout),
        "isolation": local.isolation.level,
        "hide": local.isolation.hidden,
        "warm": if warm.enabled {
            json!({
                "from": warm.from,
                "wait": format_duration(warm.patience),
                "parents": warm.parents_max,
                "forks": warm.forks_max,
                "memory": warm.memory_max,
                "idle": format_duration(warm.idle),
            })
        } else {
            json!(false)
        },
    })
}

fn generator(generator: &Generator) -> Value {
    let mut shown = match &generator.kind {
        GeneratorKind::Http(settings) => json!({
            "provider": settings.dialect.as_str(),
            "base_url": settings.base_url,
            "model": settings.model,
            "api_key": settings.api_key.as_ref().map(key),
            "timeout": format_duration(settings.timeout),
        }),
        GeneratorKind::Scripted(file) => json!({"provider": "scripted", "file": file}),
        GeneratorKind::Template(file) => json!({"provider": "template", "file": file}),
        GeneratorKind::Command(settings) => json!({
            "provider": "command",
            "command": settings.command,
            "env": settings.env,
            "timeout": format_duration(settings.timeout),
        }),
    };
    let budget = generator.budget;
    if let Some(fields) = shown.as_object_mut().filter(|_| !budget.is_none()) {
        let budget = json!({"per_run": budget.per_run, "per_month": budget.per_month});
        fields.insert("budget".to_owned(), budget);
    }
    shown
}

fn key(key: &KeySource) -> Value {
    match key {
        KeySource::Env(name) => json!({"env": name}),
        KeySource::File(path) => json!({"file": path.to_string_lossy()}),
    }
}

fn write_limits(limits: &WriteLimits) -> Value {
    json!({
        "file": limits.file,
        "channels": limits.channels,
        "unlisted": limits.unlisted,
        "verify": limits.verify,
    })
}
