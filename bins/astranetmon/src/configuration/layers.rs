use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use figment::providers::{Format, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::setting::{SETTINGS, Setting, nearest};
use super::{Settings, effective};
use crate::Failure;

/// The variables of a process.
pub type Environment = BTreeMap<String, String>;

const PREFIX: &str = "ASTRANETMON_";
/// Names the file; itself no setting.
const CONFIG: &str = "ASTRANETMON_CONFIG";
/// The key with which `astranetmon get` reads, and where: no settings of this server.
pub(crate) const API_KEY: &str = "ASTRANETMON_API_KEY";
pub(crate) const SERVER: &str = "ASTRANETMON_SERVER";
/// Variables of the test runs, which start this program too.
const TEST_PREFIX: &str = "ASTRANETMON_TEST_";
/// What other programs call the database.
const DATABASE_URL_ALIAS: &str = "DATABASE_URL";

/// A setting given on the command line.
#[derive(Clone, Debug)]
pub struct Flag {
    /// As typed: `--listen`.
    pub flag: &'static str,
    /// Of the setting.
    pub name: &'static str,
    /// Its text.
    pub text: String,
}

/// Where settings come from, strongest first.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    /// The command line.
    pub flags: Vec<Flag>,
    /// The process's variables.
    pub environment: Environment,
    /// The file given on the command line; else `ASTRANETMON_CONFIG` names it, else there is none.
    pub file: Option<PathBuf>,
}

/// Settings, and where each came from.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// Valid together.
    pub settings: Settings,
    sources: Figment,
}

impl Configuration {
    /// The settings as a TOML file, each with its source, without secrets.
    #[must_use]
    pub fn effective(&self) -> String {
        effective::render(&self.settings, |name| self.sources.find_metadata(name).map(|data| data.name.to_string()))
    }
}

impl Layers {
    /// Reads the file and puts the layers over one another.
    ///
    /// # Errors
    /// [`Failure::Usage`] with one sentence that names the setting and where it was set, never a secret.
    pub fn read(&self) -> Result<Configuration, Failure> {
        let mut sources = Figment::new();
        let named = self.environment.get(CONFIG).filter(|path| !path.is_empty()).map(PathBuf::from);
        if let Some(path) = self.file.clone().or(named) {
            sources = sources.merge(file_layer(&path)?);
        }
        for layer in environment_layers(&self.environment)? {
            sources = sources.merge(layer);
        }
        for flag in &self.flags {
            let setting = SETTINGS
                .iter()
                .find(|setting| setting.name == flag.name)
                .ok_or_else(|| Failure::usage(format!("{} stands for no setting", flag.flag)))?;
            sources = sources.merge(Layer::of(setting, flag.flag.to_owned(), &flag.text)?);
        }
        let settings: Settings = sources.extract().map_err(|error| sentence(&error))?;
        settings.validate()?;
        Ok(Configuration { settings, sources })
    }
}

/// Values from one place.
struct Layer {
    source: String,
    values: Dict,
}

impl Layer {
    fn of(setting: &Setting, source: String, text: &str) -> Result<Self, Failure> {
        let value = setting.parse(text).map_err(|accepted| Failure::usage(format!("{source} accepts {accepted}")))?;
        // Built from a name with or without a dot, so always a table.
        let values = figment::util::nest(setting.name, value).into_dict().unwrap_or_default();
        Ok(Self { source, values })
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.source.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

fn file_layer(path: &Path) -> Result<Layer, Failure> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("the configuration file {shown} cannot be read: {error}")))?;
    let data = Toml::string(&text).data().map_err(|error| {
        // The lines between show the text, which may hold a password.
        let message = error.to_string();
        let place = message.lines().next().unwrap_or_default();
        let reason = message.lines().last().filter(|last| *last != place).unwrap_or_default();
        Failure::usage(format!("the configuration file {shown} is not TOML: {place}: {reason}"))
    })?;
    let values = data.into_values().next().unwrap_or_default();
    let mut names = Vec::new();
    collect_names("", &values, &mut names);
    for name in names {
        if !SETTINGS.iter().any(|setting| setting.name == name) {
            let hint = did_you_mean(&name, SETTINGS.iter().map(|setting| setting.name.to_owned()));
            return Err(Failure::usage(format!("unknown setting {name} in {shown}{hint}")));
        }
    }
    Ok(Layer { source: shown.to_string(), values })
}

/// The dotted names of all values. Stops at a setting, so that a table in its place is told apart by its type.
fn collect_names(prefix: &str, values: &Dict, names: &mut Vec<String>) {
    for (key, value) in values {
        let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        let is_table = SETTINGS.iter().any(|setting| setting.name.starts_with(&format!("{name}.")));
        match value {
            Value::Dict(_, inner) if !SETTINGS.iter().any(|setting| setting.name == name) => {
                if inner.is_empty() && !is_table {
                    names.push(name.clone());
                }
                collect_names(&name, inner, names);
            }
            _ if is_table => {}
            _ => names.push(name),
        }
    }
}

/// Whether Kubernetes set the variable for a service that is called like this program.
fn is_service_link(rest: &str) -> bool {
    rest == "SERVICE_HOST" || rest.starts_with("SERVICE_PORT") || rest == "PORT" || rest.starts_with("PORT_")
}

/// One layer a variable, weakest first.
fn environment_layers(environment: &Environment) -> Result<Vec<Layer>, Failure> {
    let mut layers = Vec::new();
    let database_url = |setting: &&Setting| setting.name == "database_url";
    // An empty variable is one that a compose file passes on without having it.
    let alias = environment.get(DATABASE_URL_ALIAS).filter(|text| !text.is_empty());
    if let (Some(text), Some(setting)) = (alias, SETTINGS.iter().find(database_url)) {
        layers.push(Layer::of(setting, DATABASE_URL_ALIAS.to_owned(), text)?);
    }
    let mut seen = BTreeMap::new();
    for (variable, text) in environment {
        let Some(rest) = variable.strip_prefix(PREFIX) else { continue };
        let is_setting = ![CONFIG, API_KEY, SERVER].contains(&variable.as_str());
        if !is_setting || variable.starts_with(TEST_PREFIX) || is_service_link(rest) {
            continue;
        }
        let flat = rest.replace("__", "_");
        let (setting, in_file) = match SETTINGS.iter().find(|setting| setting.variable() == flat) {
            Some(setting) => (setting, false),
            None => match flat
                .strip_suffix("_FILE")
                .and_then(|flat| SETTINGS.iter().find(|setting| setting.secret && setting.variable() == flat))
            {
                Some(setting) => (setting, true),
                None => {
                    let known = SETTINGS.iter().map(Setting::variable).chain(["CONFIG".to_owned()]);
                    let hint = nearest(&flat, known)
                        .map(|nearest| format!(": did you mean {PREFIX}{nearest}?"))
                        .unwrap_or_default();
                    return Err(Failure::usage(format!("unknown variable {variable}{hint}")));
                }
            },
        };
        if text.is_empty() {
            continue;
        }
        if let Some(other) = seen.insert(setting.name, variable) {
            return Err(Failure::usage(format!("{other} and {variable} are both set: keep one of them")));
        }
        let text = if in_file { secret_in(variable, text)? } else { text.clone() };
        layers.push(Layer::of(setting, variable.clone(), &text)?);
    }
    Ok(layers)
}

fn secret_in(variable: &str, path: &str) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("{variable} names {path}, which cannot be read: {error}")))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn did_you_mean(name: &str, candidates: impl Iterator<Item = String>) -> String {
    nearest(name, candidates).map(|nearest| format!(": did you mean {nearest}?")).unwrap_or_default()
}

fn sentence(error: &figment::Error) -> Failure {
    let setting = error.path.join(".");
    let place = error.metadata.as_ref().map(|data| format!(" (set by {})", data.name)).unwrap_or_default();
    Failure::usage(format!("{setting}{place}: {}", error.kind))
}
