//! The generators of config.yml, made.

use std::sync::Arc;

use super::Place;
use crate::config::{Config, Generator, GeneratorKind};
use crate::generator::command::CommandGenerator;
use crate::generator::http::HttpGenerator;
use crate::generator::key::{Environment, KeySource};
use crate::generator::scripted::ScriptedGenerator;
use crate::generator::set::Entry;
use crate::generator::template::TemplateGenerator;
use crate::generator::{CodeGenerator, Generators};
use crate::transport::Transport;

/// Folder of the programs' working folders in the data folder.
const SCRATCH: &str = "generators/work";

impl Place {
    /// The generators of the configuration. Nothing is asked and no file is read yet.
    pub(crate) fn generators(&self, config: &Config, transport: &Arc<dyn Transport>) -> Generators {
        let made = config.generators.by_name.iter().map(|(name, settings)| {
            let entry = Entry {
                generator: self.generator(settings, transport),
                price: settings.price.clone(),
                budget: settings.budget,
            };
            (name.clone(), entry)
        });
        Generators {
            by_name: made.collect(),
            default: config.generators.default.clone(),
        }
    }

    fn generator(
        &self,
        settings: &Generator,
        transport: &Arc<dyn Transport>,
    ) -> Arc<dyn CodeGenerator> {
        match &settings.kind {
            GeneratorKind::Http(http) => {
                let mut http = http.clone();
                if let Some(KeySource::File(path)) = &mut http.api_key {
                    *path = self.config_folder.join(&*path);
                }
                let environment = Environment(self.variables.clone());
                Arc::new(HttpGenerator::new(http, environment, Arc::clone(transport)))
            }
            GeneratorKind::Scripted(file) => {
                Arc::new(ScriptedGenerator::new(self.config_folder.join(file)))
            }
            GeneratorKind::Template(file) => {
                Arc::new(TemplateGenerator::new(self.config_folder.join(file)))
            }
            GeneratorKind::Command(command) => {
                let scratch = self.data.join(SCRATCH);
                let environment = self.variables.clone();
                Arc::new(CommandGenerator::new(
                    command.clone(),
                    &environment,
                    scratch,
                ))
            }
        }
    }
}
